"""What a rule means while it is built: its count and sentence, who they are, how they can be reached, what they share.

Whoever may ask any rule for an exact count can find single people by asking twice; so counts are for those who may see
people. Analysts, who may not, read the sentence here, and ask for counts with noise elsewhere (``campaigns.api``).
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from campaigns import rules
from campaigns.models import Segment
from campaigns.reach import reachable
from campaigns.reach.reachable import Reachable
from campaigns.rules import Rule, RuleError, sentences
from campaigns.runs import planner
from campaigns.segmenting import counting, overlaps, segments
from campaigns.segmenting.counting import Count
from campaigns.segmenting.statements import OutOfTime
from crm.addresses import ADDRESSES
from crm.admin.bells import ring
from crm.admin.lists import person_of
from crm.models import Channel, JobRun, Profile, Purpose
from crm.privacy import masked_name

LARGEST_RULE = 200_000  # bytes
SHOWN = 12
PATIENCE = timedelta(seconds=3)  # of somebody who asks who they are
VIEW, PEOPLE = "campaigns.view_segment", "crm.view_profile"
Answer = Callable[[HttpRequest, Rule], dict[str, Any]]


def asked(template: str, *permissions: str) -> Callable[[Answer], Callable[[HttpRequest], HttpResponse]]:
    """Make a view of a question about the rule that is posted; what is wrong with the rule is its answer."""

    def wrap(answer: Answer) -> Callable[[HttpRequest], HttpResponse]:
        @require_POST
        def view(request: HttpRequest) -> HttpResponse:
            if not request.user.has_perms(permissions):
                raise PermissionDenied
            return TemplateResponse(request, template, _answered(request, answer))

        return view

    return wrap


def _answered(request: HttpRequest, answer: Answer) -> dict[str, Any]:
    try:
        return answer(request, posted(request))
    except RuleError as error:
        return {"problem": error.reason, "path": error.path}
    except OutOfTime:
        return {"problem": gettext("It took too long to count. Try again later."), "path": ""}


def posted(request: HttpRequest) -> Rule:
    """Return the rule that a page sent.

    Raises
    ------
    RuleError
        It is too large, no JSON, or not understood.
    """
    told = request.POST.get("rule", "")
    if len(told) > LARGEST_RULE:
        raise RuleError("", gettext("the rule is too large"))
    try:
        return rules.parse(orjson.loads(told))
    except orjson.JSONDecodeError as error:
        raise RuleError("", gettext("This is no JSON.")) from error


@asked("zhiyin/segment/preview.html", VIEW)
def preview_view(request: HttpRequest, rule: Rule) -> dict[str, Any]:
    """Answer how many there are, within a second, and what the rule says in both languages."""
    told: dict[str, Any] = {"sentences": in_all_languages(rule)}
    if request.user.has_perm(PEOPLE):
        told |= {"count": counting.count(rule, timezone.now())}
    else:
        segments.compile(rule, timezone.now())  # what cannot be asked is said all the same
    return told


@asked("zhiyin/segment/people.html", VIEW, PEOPLE)
def people_view(_request: HttpRequest, rule: Rule) -> dict[str, Any]:
    """Answer with a few members, masked."""
    ids = counting.some(rule, timezone.now(), SHOWN, PATIENCE)
    people = Profile.objects.filter(pk__in=ids).order_by("pk")
    return {"people": [(one, masked_name(one.name)) for one in people]}


@asked("zhiyin/segment/reachable.html", VIEW, PEOPLE)
def reachable_view(request: HttpRequest, rule: Rule) -> dict[str, Any]:
    """Answer how many each channel would reach now for a purpose, and why not the others."""
    purpose = Purpose.objects.filter(code=request.POST.get("purpose", "")).first()
    if purpose is None:
        raise RuleError("", gettext("There is no such purpose."))
    ways = reachable.reachable(rule, list(ADDRESSES), purpose, timezone.now())
    whole = counting.count(rule, timezone.now())
    return {"purpose": purpose, "ways": [_way(one, whole) for one in ways]}


def _way(one: Reachable, whole: Count) -> tuple[Any, ...]:
    name = str(Channel(one.channel).label) if one.channel else gettext("Any of them")
    share = min(1.0, one.people.value / max(whole.value, 1))
    return name, one.people, share, f"{100 * share:.1f}", planner.words_of(one.reasons)


@asked("zhiyin/segment/overlap.html", VIEW, PEOPLE)
def overlap_view(request: HttpRequest, rule: Rule) -> dict[str, Any]:
    """Answer how many belong to another segment too, and how alike the two are."""
    other = request.POST.get("other", "")
    segment = get_object_or_404(Segment, pk=int(other) if other.isdecimal() and len(other) < 10 else 0)
    found = counting.overlap(rule, segments.rule_of(segment), timezone.now())
    return {"other": segment, "overlap": found, "alike": overlaps.alike(found), "circles": overlaps.circles(found)}


@require_POST
def exact_view(request: HttpRequest) -> JsonResponse:
    """Have the rule counted exactly in the background, and answer where its count will stand."""
    if not request.user.has_perms((VIEW, PEOPLE)):
        raise PermissionDenied
    try:
        posted(request)
    except RuleError as error:
        return JsonResponse({"problem": error.reason}, status=400)
    job = counting.later(orjson.loads(request.POST["rule"]), person_of(request), timezone.now())
    ring(job)
    return JsonResponse({"address": reverse("admin:campaigns_segment_counted", args=[job.pk])})


@require_GET
def counted_view(request: HttpRequest, pk: int) -> JsonResponse:
    """Answer with the count of a job that this person asked for, as soon as it is there."""
    if not request.user.has_perms((VIEW, PEOPLE)):
        raise PermissionDenied
    job = get_object_or_404(JobRun, pk=pk, kind=counting.KIND, requested_by=person_of(request))
    if job.status == JobRun.Status.SUCCEEDED:
        count = counting.exactly(job.result["value"])
        return JsonResponse({"html": render_to_string("zhiyin/segment/count.html", {"count": count}, request)})
    return JsonResponse({"over": job.finished_at is not None})


def in_all_languages(rule: Rule) -> list[tuple[str, str]]:
    """Return the rule as a sentence in each language, that of the reader first."""
    own = translation.get_language() or settings.LANGUAGE_CODE
    codes = sorted((code for code, _name in settings.LANGUAGES), key=lambda code: code != own)
    told = []
    for code in codes:
        with translation.override(code):
            told.append((code, sentences.sentence(rule)))
    return told
