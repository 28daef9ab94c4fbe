"""What a segment was: its versions with what each changed, and its snapshots with who came and who left."""

from dataclasses import dataclass
from typing import Any

import orjson
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from campaigns import rules
from campaigns.admin.segment_preview import PEOPLE
from campaigns.models import Segment, SegmentMember, SegmentSnapshot, SegmentVersion
from campaigns.rules import Rule, RuleError, changes, sentences
from campaigns.rules.changes import Changes
from campaigns.segmenting import snapshots
from crm.charts import Chart, Series
from crm.models import Profile
from crm.privacy import masked_name

SHOWN, DRAWN, MOST_PEOPLE = 10, 60, 60


@dataclass(frozen=True, kw_only=True)
class Told:
    """A version, what it says, what it changed, and its rule to be taken up again (not the present one's)."""

    version: SegmentVersion
    said: str
    changes: Changes | None
    taken_up: str


def about(segment: Segment) -> dict[str, Any]:
    """Return what a segment's page shows of its past."""
    taken = list(segment.snapshots.select_related("version").order_by("-taken_at")[:DRAWN])
    return {"versions": versions(segment), "snapshots": taken[:SHOWN], "sizes": _chart(taken[::-1])}


def versions(segment: Segment) -> list[Told]:
    """Return the last versions, the newest first, each beside the one before it."""
    rows = list(segment.versions.select_related("made_by").order_by("-number")[: SHOWN + 1])
    parsed = [_parsed(row.rule) for row in rows]
    found = []
    for row, rule, before in zip(rows, parsed, [*parsed[1:], None], strict=True):
        differs = changes.between(before, rule) if isinstance(rule, Rule) and isinstance(before, Rule) else None
        said = sentences.sentence(rule) if isinstance(rule, Rule) else str(rule)
        again = "" if row.pk == segment.current_id else orjson.dumps(row.rule).decode()
        found.append(Told(version=row, said=said, changes=differs, taken_up=again))
    return found[:SHOWN]


def _parsed(rule: object) -> Rule | RuleError | None:
    try:
        return rules.parse(rule)
    except RuleError as error:  # written by an earlier release
        return error


def _chart(taken: list[SegmentSnapshot]) -> Chart:
    return Chart(
        id="sizes",
        title=_("People in the segment"),
        labels=[date_format(localtime(one.taken_at), "SHORT_DATE_FORMAT") for one in taken],
        series=[Series(label=_("People"), values=[one.size for one in taken], fill=True)],
        label_title=_("Taken"),
        legend=False,
        height=200,
    )


@require_GET
def snapshot_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show who came and who left between a snapshot and the one before, masked."""
    if not request.user.has_perms(("campaigns.view_segmentsnapshot", PEOPLE)):
        raise PermissionDenied
    one = get_object_or_404(SegmentSnapshot.objects.select_related("segment", "version"), pk=pk)
    members = SegmentMember.objects.filter(segment=one.segment)
    context = {
        **admin.site.each_context(request),
        "title": _("Snapshot of %(segment)s") % {"segment": one.segment},
        "opts": Segment._meta,
        "snapshot": one,
        "sides": [
            (_("Came"), one.joined, _people(members.filter(joined_at=one.taken_at))),
            (_("Left"), one.left, _people(members.filter(left_at=one.taken_at))),
        ],
    }
    return TemplateResponse(request, "zhiyin/segment/snapshot.html", context)


def _people(members: QuerySet[SegmentMember]) -> list[tuple[Profile, str]]:
    ids = members.order_by("profile_id").values_list("profile_id", flat=True)[:MOST_PEOPLE]
    return [(one, masked_name(one.name)) for one in Profile.objects.filter(pk__in=list(ids)).order_by("pk")]


@require_POST
def take_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a snapshot now."""
    if not request.user.has_perms(("campaigns.change_segment", PEOPLE)):
        raise PermissionDenied
    one = get_object_or_404(Segment.objects.select_related("current"), pk=pk)
    try:
        taken = snapshots.take(one, timezone.now())
    except RuleError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("%(size)s people: %(came)s came, %(left)s left.") % {
            "size": taken.size, "came": taken.joined, "left": taken.left,
        })  # fmt: skip
    return redirect("admin:campaigns_segment_change", pk)
