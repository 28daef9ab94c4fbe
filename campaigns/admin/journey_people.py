"""People at a step of a journey: who stands there, who is stuck and why, and what staff do with them."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.admin import site
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.journey_parts import SEE_PEOPLE, head, journey_of, version_of
from campaigns.admin.journey_words import KINDS
from campaigns.journeys import managing
from campaigns.journeys.reasons import Reason
from campaigns.models import Journey, JourneyEntry, JourneyVersion
from campaigns.runs.approving import RUNS
from crm.admin.lists import EstimatingPaginator, person_of
from crm.admin.restricted import MAY
from crm.privacy import masked_name

SHOWN, MOST = 25, 20_000  # on a page; people with whom something is done at once
Status = JourneyEntry.Status
Entries = QuerySet[JourneyEntry]

# What each button does; "to" is the step that was chosen beside it.
VERBS: Mapping[str, Callable[[Entries, Any, Any, str], int]] = {
    "skip": lambda entries, by, now, _to: managing.skip(entries, by, now),
    "move": lambda entries, by, now, to: managing.move(entries, to, by, now),
    "retry": lambda entries, by, now, _to: managing.retry(entries, by, now),
    "remove": lambda entries, by, now, _to: managing.remove(entries, by, now),
}


@require_GET
def people_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who stands at a step, or failed there; as a part of the canvas, or as a page of its own."""
    return _shown(request, journey_of(request, pk, *SEE_PEOPLE), request.GET)


@require_POST
def do_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Skip, move, try again or take out those who were chosen, or all who are listed."""
    journey = journey_of(request, pk, *SEE_PEOPLE, RUNS)
    told = request.POST
    version, rows = _rows(request, journey, told)
    chosen = rows if told.get("all") else rows.filter(pk__in=_ids(told.getlist("entry")))
    do = VERBS.get(told.get("verb", ""))
    done = do(chosen.order_by("pk")[:MOST], person_of(request), timezone.now(), told.get("to", "")) if do else 0
    said = ngettext("Done for %(number)s person.", "Done for %(number)s people.", done) % {"number": f"{done:,}"}
    if told.get("part"):
        return _shown(request, journey, told, said=said)
    messages.success(request, said)
    back = reverse("admin:campaigns_journey_people", args=[journey.pk])
    return redirect(
        f"{back}?version={version.pk if version else ''}&step={told.get('step', '')}&status={_status(told)}"
    )


def _ids(told: list[str]) -> list[UUID]:
    """Return the keys among what was posted."""
    found = []
    for one in told[:MOST]:
        with suppress(ValueError):
            found.append(UUID(one))
    return found


def _status(told: Any) -> str:
    return told.get("status", "") if told.get("status") in {Status.WALKING, Status.FAILED} else Status.FAILED.value


def _rows(request: HttpRequest, journey: Journey, told: Any) -> tuple[JourneyVersion | None, Entries]:
    """Return the version that is asked for, if one is, and the people at the step."""
    version = version_of(request, journey) if told.get("version") else None
    rows = JourneyEntry.objects.filter(status=_status(told))
    rows = rows.filter(version=version) if version else rows.filter(version__journey=journey)
    rows = rows if request.user.has_perm(MAY) else rows.filter(profile__restricted_at=None)
    step = told.get("step", "").replace("\0", "")
    return version, rows.filter(step=step) if step else rows


def _shown(request: HttpRequest, journey: Journey, told: Any, said: str = "") -> HttpResponse:
    version, rows = _rows(request, journey, told)
    page = EstimatingPaginator(rows.select_related("profile", "version").order_by("step_at", "pk"), SHOWN)
    one = page.get_page(told.get("p"))
    context: dict[str, Any] = {
        "journey": journey,
        "version": version,
        "step": told.get("step", ""),
        "step_name": steps_of(version or journey.live).get(told.get("step", ""), told.get("step", "")),
        "status": _status(told),
        "page": one,
        "people": [_person(row) for row in one.object_list],
        "said": said,
        "part": bool(told.get("part")),
        "may_run": request.user.has_perm(RUNS),
        "targets": steps_of(version or journey.live, told.get("step", "")),
        "most": MOST,
    }
    if told.get("part"):
        return TemplateResponse(request, "zhiyin/journey/people_part.html", context)
    context |= {
        **site.each_context(request),
        **head(request, journey, "people"),
        "title": str(journey),
        "opts": Journey._meta,
        "reasons": _reasons(journey) if context["status"] == Status.FAILED else [],
    }
    return TemplateResponse(request, "zhiyin/journey/people.html", context)


def _person(row: JourneyEntry) -> dict[str, Any]:
    (name,) = steps_of(row.version, only=row.step).values() or (row.step,)
    return {"entry": row, "name": masked_name(row.profile.name), "step": name, "why": why(row.reason)}


def why(reason: str) -> str:
    """Return the reason of an entry in words."""
    return str(Reason(reason).label) if reason in Reason.values else reason


def steps_of(version: JourneyVersion | None, without: str = "", only: str = "") -> dict[str, str]:
    """Return what the steps of a version are called, by their keys."""
    if version is None:
        return {}
    steps = {key: step for key, step in version.graph.get("steps", {}).items() if not only or key == only}
    return {key: name_of(key, step) for key, step in steps.items() if key != without}


def name_of(key: str, step: Mapping[str, Any]) -> str:
    """Return what a step is called: by its name, or else by its kind."""
    kind = str(step.get("kind", ""))
    return str(step.get("title") or (f"{KINDS[kind][0]} ({key})" if kind in KINDS else key))


def _reasons(journey: Journey) -> list[tuple[str, str, str, int]]:
    """Return why people are stuck, and where, the most first."""
    rows = JourneyEntry.objects.filter(version__journey=journey, status=Status.FAILED)
    found = rows.values_list("step", "reason").annotate(number=Count("pk")).order_by("-number")
    names = steps_of(journey.live)
    return [(step, names.get(step, step), why(reason), number) for step, reason, number in found[:20]]
