"""The canvas of a journey: its steps drawn, looked at by the server with each change, saved as a draft, and counted."""

from typing import Any

import orjson
from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.journey_parts import (
    CHANGE,
    SEE_PEOPLE,
    canvas_data,
    counted,
    head,
    journey_of,
    looked_at,
    token,
    version_of,
)
from campaigns.admin.segment_words import catalogue
from campaigns.journeys import versions
from campaigns.models import Journey, JourneyVersion
from campaigns.rules import RuleError
from crm.admin.lists import person_of

LARGEST = 1_000_000  # bytes of a journey's steps


@require_GET
def canvas_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the steps, to be changed by who may; the newest version if none is named."""
    journey = journey_of(request, pk)
    version = version_of(request, journey)
    may_change = request.user.has_perm(CHANGE)
    data = canvas_data(journey, version, readOnly=not may_change, addresses=_addresses(request, pk))
    context = {
        **site.each_context(request),
        **head(request, journey, "canvas"),
        "title": str(journey),
        "opts": Journey._meta,
        "version": version,
        "versions": journey.versions.order_by("-number"),
        "may_change": may_change,
        "data": data,
        "catalogue": catalogue(),
    }
    return TemplateResponse(request, "zhiyin/journey/canvas.html", context)


def _addresses(request: HttpRequest, pk: int) -> dict[str, str]:
    names = ["check", "save", "counts", *(["people"] if request.user.has_perms(SEE_PEOPLE) else [])]
    found = {name: reverse(f"admin:campaigns_journey_{name}", args=[pk]) for name in names}
    return found | {"preview": reverse("admin:campaigns_segment_preview")}


def posted(request: HttpRequest) -> object:
    """Return the steps that a page sent.

    Raises
    ------
    RuleError
        They are too large, or no JSON.
    """
    said = request.POST.get("graph", "")
    if len(said) > LARGEST:
        raise RuleError("", gettext("the journey is too large"))
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError as error:
        raise RuleError("", gettext("This is no JSON.")) from error


@require_POST
def check_view(request: HttpRequest, pk: int) -> JsonResponse:
    """Answer what is wrong with the steps as they are drawn now, and what their rules say."""
    journey = journey_of(request, pk)
    try:
        found, said = looked_at(journey, posted(request))
    except RuleError as error:
        return JsonResponse({"problem": error.reason}, status=400)
    return JsonResponse({"findings": found, "sentences": said})


@require_POST
def save_view(request: HttpRequest, pk: int) -> JsonResponse:
    """Keep the steps as a draft; what a colleague saved meanwhile is told of first, and is never overwritten."""
    journey = journey_of(request, pk, CHANGE)
    if request.POST.get("base", "") != token(journey) and not request.POST.get("anyway"):
        newest = version_of(request, journey, "newest")
        said = gettext("%(who)s saved version %(number)s meanwhile. Keep yours as a version beside it?")
        facts = {"who": newest.made_by or "–", "number": newest.number}
        return JsonResponse({"problem": said % facts}, status=409)
    tree: object = None
    try:
        tree = posted(request)
        version = versions.save(journey, tree, person_of(request), timezone.now(), request.POST.get("note", "")[:300])
    except RuleError as error:
        said = gettext("It was not saved: %(why)s") % {"why": error.reason}
        return JsonResponse({"problem": said, "findings": looked_at(journey, tree)[0]}, status=400)
    return JsonResponse(_saved(journey, version))


def _saved(journey: Journey, version: JourneyVersion) -> dict[str, Any]:
    return {
        "version": version.pk,
        "newest": token(journey),
        "name": name_of(version),
        "address": f"{reverse('admin:campaigns_journey_canvas', args=[journey.pk])}?version={version.pk}",
    }


def name_of(version: JourneyVersion) -> str:
    """Return what a version is called on pages."""
    return gettext("Version %(number)s, %(status)s") % {
        "number": version.number,
        "status": version.get_status_display(),
    }


@require_GET
def counts_view(request: HttpRequest, pk: int) -> JsonResponse:
    """Answer how many stand where just now."""
    journey = journey_of(request, pk)
    return JsonResponse({"steps": counted(version_of(request, journey), request.user)})
