"""Versions of a journey: which one newcomers begin, how many still walk each, and a copy to edit."""

from django.contrib import messages
from django.contrib.admin import site
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from campaigns.admin.journey_parts import CHANGE, VERSION_TONES, head, journey_of, version_of
from campaigns.journeys import versions
from campaigns.models import Journey, JourneyEntry, JourneyVersion
from crm.admin.lists import person_of
from mlengine.admin.private import sees_people


@require_GET
def versions_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show all versions, the newest first, each with who made, asked and approved, and how many walk it."""
    journey = journey_of(request, pk)
    walking = Count("entries", filter=Q(entries__status=JourneyEntry.Status.WALKING))
    rows = journey.versions.annotate(of_walking=walking).select_related("made_by", "submitted_by", "approved_by")
    found = list(rows.order_by("-number"))
    context = {
        **site.each_context(request),
        **head(request, journey, "versions"),
        "title": str(journey),
        "opts": Journey._meta,
        "rows": [_row(one) for one in found],
        "newest": found[0] if found else None,
        "exact": sees_people(request.user),
        "may_change": request.user.has_perm(CHANGE),
    }
    return TemplateResponse(request, "zhiyin/journey/versions.html", context)


def _row(version: JourneyVersion) -> tuple[JourneyVersion, str, int]:
    """Return a version, the colour of its status, and how many steps it has."""
    return version, VERSION_TONES[JourneyVersion.Status(version.status)], len(version.graph.get("steps", {}))


@require_POST
def copy_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a draft with the steps of a version, and open it."""
    journey = journey_of(request, pk, CHANGE)
    made = versions.copy(version_of(request, journey), person_of(request), timezone.now())
    messages.success(request, gettext("A copy to edit: version %(number)s.") % {"number": made.number})
    return redirect(f"{reverse('admin:campaigns_journey_canvas', args=[pk])}?version={made.pk}")
