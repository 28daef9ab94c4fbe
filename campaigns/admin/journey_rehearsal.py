"""A journey rehearsed: a version walked through the last weeks as they were, with the result on its canvas."""

from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campaigns.admin.journey_parts import CHANGE, SEE_EXACT, canvas_data, head, journey_of, version_of
from campaigns.admin.journey_people import steps_of, why
from campaigns.admin.segment_words import catalogue
from campaigns.journeys import rehearsals
from campaigns.models import Journey, JourneyEntry, JourneyVersion
from campaigns.runs import planner
from crm.admin.bells import ring
from crm.admin.lists import person_of
from crm.models import Channel, JobRun

DAYS = (7, 30, 90)
Status = JourneyEntry.Status


def rehearsal_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the last rehearsal of a version found, or have it walked through the last days."""
    journey = journey_of(request, pk, SEE_EXACT, *([CHANGE] if request.method == "POST" else []))
    version = version_of(request, journey)
    job = rehearsals.latest(version)
    if request.method == "POST":
        if job is None or job.finished_at is not None:
            days = next((one for one in DAYS if str(one) == request.POST.get("days")), 30)
            ring(rehearsals.later(version, days, person_of(request), timezone.now()))
        return redirect(f"{reverse('admin:campaigns_journey_rehearsal', args=[pk])}?version={version.pk}")
    if job is not None and "panel" in request.GET:
        facts = {"job": job, "journey": journey, "version": version}
        return TemplateResponse(request, "zhiyin/journey/rehearsing.html", facts)
    return TemplateResponse(request, "zhiyin/journey/rehearsal.html", _context(request, journey, version, job))


def _context(request: HttpRequest, journey: Journey, version: JourneyVersion, job: JobRun | None) -> dict[str, Any]:
    result = job.result if job is not None and job.status == JobRun.Status.SUCCEEDED else {}
    names = steps_of(version)
    changed = job is not None and job.parameters.get("graph") != version.graph
    return {
        **site.each_context(request),
        **head(request, journey, "rehearsal"),
        "title": str(journey),
        "opts": Journey._meta,
        "version": version,
        "versions": journey.versions.order_by("-number"),
        "days": DAYS,
        "job": job,
        "found": result,
        "until": parse_datetime(result.get("until", "")),
        "changed": changed,
        "ended": [(Status(code).label, number) for code, number in result.get("ended", {}).items() if number],
        "messages_of": [(names.get(step, step), *_sent(result, step)) for step in result.get("sent", {})],
        "failures": [(names.get(step, step), why(code), number) for step, code, number in result.get("failures", [])],
        "data": canvas_data(journey, version, shown=True, counts=_counts(result)),
        "catalogue": catalogue(),
    }


def _counts(result: dict[str, Any]) -> dict[str, Any]:
    """Return the result as the canvas shows counts of who really walks."""
    failed: dict[str, int] = {}
    for step, _reason, number in result.get("failures", []):
        failed[step] = failed.get(step, 0) + number
    passed, standing = result.get("passed", {}), result.get("standing", {})
    return {
        step: {"walking": standing.get(step, 0), "failed": failed.get(step, 0), "passed": passed.get(step, {})}
        for step in {*passed, *standing, *failed}
    }


def _sent(result: dict[str, Any], step: str) -> tuple[int, int, list[tuple[str, int]]]:
    """Return how often a step was come to, by how many people, and whom its messages would go to today."""
    return result["sent"][step], result["people"].get(step, 0), _reached(result.get("reached", {}).get(step))


def _reached(told: dict[str, int] | None) -> list[tuple[str, int]]:
    """Return whom a step's messages would go to today, by channel, and why not to the others."""
    return [(_word(code), number) for code, number in sorted((told or {}).items(), key=lambda one: -one[1])]


def _word(code: str) -> str:
    return str(Channel(code).label) if code in Channel.values else planner.word(code)
