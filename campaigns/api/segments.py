"""Segments: rules with their versions, lists, how many there are, and who."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import rules
from campaigns.api import segment_counts
from campaigns.api.segment_members import Members, sample
from campaigns.api.segment_shapes import (
    CountIn,
    CountOut,
    CountQuestion,
    MembersQuestion,
    PeopleIn,
    RuleIn,
    SampleOut,
    SegmentChange,
    SegmentIn,
    SegmentMemberOut,
    SegmentOut,
    SegmentQuestion,
    SegmentVersionOut,
    SegmentWhole,
    TakenOut,
)
from campaigns.models import Segment, SegmentVersion
from campaigns.rules import RuleError
from campaigns.rules.nodes import Rule
from campaigns.segmenting import lists, segments
from crm.api.acting import Acting
from crm.api.repeats import KEY, Repeatable, plain
from crm.api.resources import Conflict
from crm.idempotency import Answer

LONGEST_WALK = timedelta(days=1)  # through the pages of one listing
ADDS, CHANGES = "campaigns.add_segment", "campaigns.change_segment"


class SegmentViewSet(Acting, Repeatable):
    """Groups of people, by a rule or by a list. A rule is never changed: it gets a next version."""

    scopes = {
        "list": "segments:read",
        "retrieve": "segments:read",
        "versions": "segments:read",
        "count": "segments:read",
        "count_rule": "segments:read",
        "members": "segments:members",
        "preview": "segments:members",
        "create": "segments:write",
        "partial_update": "segments:write",
        "archive": "segments:write",
        "restore": "segments:write",
        "put": "segments:write",
        "take": "segments:write",
    }
    permissions = {
        "create": ADDS,
        "partial_update": CHANGES,
        "archive": CHANGES,
        "restore": CHANGES,
        "put": CHANGES,
        "take": CHANGES,
    }
    http_method_names = ["get", "head", "post", "patch"]
    queryset = Segment.objects.select_related("current")
    serializer_class = SegmentOut

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("-number",) if self.action == "versions" else ("id",)

    @extend_schema(parameters=[SegmentQuestion])
    def list(self, request: Request) -> Response:
        """All segments that match, oldest first."""
        asked = self.parameters(SegmentQuestion)
        rows: QuerySet[Segment] = self.get_queryset()
        if "archived" in asked:
            rows = rows.filter(archived_at__isnull=not asked.pop("archived"))
        page = self.paginate_queryset(rows.filter(**asked))
        return self.get_paginated_response(SegmentOut(page, many=True).data)

    @extend_schema(responses=SegmentWhole)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One segment, with its rule, what that says in words, and what depends on it."""
        return Response(SegmentWhole(self._segment(pk)).data)

    @extend_schema(request=SegmentIn, responses={201: SegmentWhole}, parameters=[KEY])
    def create(self, request: Request) -> Response:
        """Make a segment: of a rule, or an empty list."""
        asked, now = self.body(SegmentIn), timezone.now()

        def work() -> Answer:
            made = self._named(lambda: _create(asked, self.staff, now))
            self.log(made, "create")
            return Answer(201, plain(SegmentWhole(self._segment(str(made.pk))).data))

        return self.once(self.key("segments"), work, now)

    @extend_schema(request=SegmentChange, responses=SegmentWhole)
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change name or description, or give a rule its next version; campaigns need an approval again then."""
        asked = SegmentChange(data=request.data, partial=True)
        asked.is_valid(raise_exception=True)
        one, told, now = self._segment(pk), dict(asked.validated_data), timezone.now()
        with transaction.atomic():
            if "rule" in told:
                _read(lambda: segments.save(one, told.pop("rule"), self.staff, now))
            if told:
                self._named(lambda: _rename(one, told))
            self.log(one, "change")
        return Response(SegmentWhole(self._segment(pk)).data)

    @extend_schema(request=None, responses=SegmentWhole)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        """Offer it for no new campaign any more."""
        return self._archived(pk, timezone.now())

    @extend_schema(request=None, responses=SegmentWhole)
    @action(detail=True, methods=["post"])
    def restore(self, request: Request, pk: str) -> Response:
        """Offer it again."""
        return self._archived(pk, None)

    @extend_schema(responses=SegmentVersionOut(many=True))
    @action(detail=True)
    def versions(self, request: Request, pk: str) -> Response:
        """The versions of its rule, the newest first."""
        page = self.paginate_queryset(SegmentVersion.objects.filter(segment=self._segment(pk)))
        return self.get_paginated_response(SegmentVersionOut(page, many=True).data)

    @extend_schema(parameters=[CountQuestion], responses=CountOut)
    @action(detail=True)
    def count(self, request: Request, pk: str) -> Response:
        """How many belong to it now: within a budget of time, exactly or estimated with an interval.

        A client that may not read profiles is told with noise, paid from its privacy budget; the same question within a
        week gets the same answer and costs nothing.
        """
        budget = timedelta(milliseconds=self.parameters(CountQuestion)["budget_ms"])
        rule = self._rule(self._segment(pk))
        return Response(_read(lambda: segment_counts.told(rule, self.caller, budget, timezone.now())))

    @extend_schema(request=CountIn, responses=CountOut)
    @action(detail=False, methods=["post"], url_path="count")
    def count_rule(self, request: Request) -> Response:
        """How many a rule describes that is not saved; as for a segment."""
        asked = self.body(CountIn)
        rule = _read(lambda: rules.parse(asked["rule"]))
        budget = timedelta(milliseconds=asked["budget_ms"])
        return Response(_read(lambda: segment_counts.told(rule, self.caller, budget, timezone.now())))

    @extend_schema(request=RuleIn, responses=SampleOut)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What a rule says in words, and up to ten people whom it describes, masked."""
        rule = _read(lambda: rules.parse(self.body(RuleIn)["rule"]))
        return Response(_read(lambda: sample(rule, timezone.now())))

    @extend_schema(parameters=[MembersQuestion], responses=SegmentMemberOut(many=True))
    @action(detail=True)
    def members(self, request: Request, pk: str) -> Response:
        """Who belongs to it, by number; following pages stay with the version and the moment of the first."""
        asked, one = self.parameters(MembersQuestion), self._segment(pk)
        now = timezone.now()
        at = asked.get("at", now)
        if not now - LONGEST_WALK <= at <= now:
            raise serializers.ValidationError({"at": _("Within the last day.")})
        version = asked.get("version") or (one.current.number if one.current else 0)
        found = get_object_or_404(SegmentVersion, segment=one, number=version)
        page = self.paginate_queryset(_read(lambda: Members.of(found, at)))
        pinned = {"version": version, "at": at.isoformat()}
        return self.paginator.get_paginated_response(SegmentMemberOut(page, many=True).data, pinned=pinned)  # type: ignore[union-attr,call-arg]

    @extend_schema(request=PeopleIn, responses=TakenOut)
    @action(detail=True, methods=["post"], url_path="members/add")
    def put(self, request: Request, pk: str) -> Response:
        """Put people into a list; who stands in it, or is not known, changes nothing."""
        asked = self.body(PeopleIn)
        return self._listed(pk, "add", lambda one: lists.add(one, asked["profile_ids"], timezone.now()))

    @extend_schema(request=PeopleIn, responses=TakenOut)
    @action(detail=True, methods=["post"], url_path="members/remove")
    def take(self, request: Request, pk: str) -> Response:
        """Take people out of a list."""
        asked = self.body(PeopleIn)
        return self._listed(pk, "remove", lambda one: lists.remove(one, asked["profile_ids"]))

    def _listed(self, pk: str, what: str, verb: Callable[[Segment], int]) -> Response:
        one = self._segment(pk)
        try:
            with transaction.atomic():
                changed = verb(one)
                self.log(one, f"{what} {changed}")
        except lists.NoList as error:
            raise Conflict(_("Nobody is put into a segment by hand that a rule describes.")) from error
        return Response({"changed": changed})

    def _archived(self, pk: str, at: datetime | None) -> Response:
        one = self._segment(pk)
        with transaction.atomic():
            Segment.objects.filter(pk=one.pk, archived_at__isnull=at is not None).update(archived_at=at)
            self.log(one, "archive" if at else "restore")
        return Response(SegmentWhole(self._segment(pk)).data)

    def _named(self, work: Callable[[], Segment]) -> Segment:
        try:
            with transaction.atomic():
                made: Segment = _read(work)
                return made
        except IntegrityError as error:
            raise serializers.ValidationError({"name": _("There is a segment of this name already.")}) from error

    def _rule(self, one: Segment) -> Rule:
        try:
            return segments.rule_of(one)
        except RuleError as error:
            raise Conflict(str(error)) from error

    def _segment(self, pk: str) -> Segment:
        found: Segment = get_object_or_404(self.get_queryset(), pk=pk)
        return found


def _create(asked: dict[str, Any], by: Any, now: datetime) -> Segment:
    if asked["kind"] == Segment.Kind.LIST:
        return lists.create(asked["name"], by, now, asked["description"])
    made = Segment.objects.create(name=asked["name"], description=asked["description"], created_by=by, created_at=now)
    segments.save(made, asked.get("rule", {"all": []}), by, now)
    return made


def _rename(one: Segment, told: dict[str, Any]) -> Segment:
    Segment.objects.filter(pk=one.pk).update(**told)
    return one


def _read(work: Callable[[], Any]) -> Any:
    """Do what reads a rule; one that is not understood is the sender's mistake, at its place."""
    try:
        return work()
    except RuleError as error:
        path = f"rule.{error.path}" if error.path else "rule"
        raise serializers.ValidationError({path: error.reason}) from error
