"""Journeys: what they are, who is in them; and another system lets people in and out."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns.api.journey_shapes import (
    EnterIn,
    EntryOut,
    EntryQuestion,
    JourneyLeftOut,
    JourneyOut,
    JourneyPersonOut,
    JourneyQuestion,
    JourneyWhole,
    PersonIn,
)
from campaigns.journeys import figures, paths, triggering
from campaigns.models import Journey, JourneyEntry
from crm import merged
from crm.api.profiles import known_by, usable
from crm.api.resources import ID, Conflict, Resource

ROWS = "profiles:read"  # whoever may read people may count them exactly
SHOWN = 20  # times that one person was in it
THERE = OpenApiParameter("profile", int, OpenApiParameter.PATH)


class JourneyViewSet(Resource):
    """Journeys. They are made in the admin, and run, paused and cancelled as the campaigns of the same numbers."""

    scopes = {
        "list": "journeys:read",
        "retrieve": "journeys:read",
        "entries": "journeys:people",
        "person": "journeys:people",
        "enter": "journeys:enter",
        "leave": "journeys:enter",
    }
    queryset = Journey.objects.select_related("campaign", "live")
    serializer_class = JourneyOut

    @property
    def ordering(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("id",) if self.action == "entries" else ("-campaign_id",)

    @extend_schema(parameters=[JourneyQuestion])
    def list(self, request: Request) -> Response:
        """All journeys that match, newest first."""
        asked = self.parameters(JourneyQuestion)
        rows = self.get_queryset().filter(**{f"campaign__{name}": value for name, value in asked.items()})
        return self.get_paginated_response(JourneyOut(self.paginate_queryset(rows), many=True).data)

    @extend_schema(responses=JourneyWhole)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One journey: the steps that newcomers walk, its versions, and how many stand at and left each step."""
        one = self._journey(pk)
        exact = ROWS in self.caller.scopes and one.live is not None
        counts = figures.counts(one.live, timezone.now()) if exact and one.live else None
        return Response(JourneyWhole(one, context={"counts": counts}).data)

    @extend_schema(parameters=[EntryQuestion], responses=EntryOut(many=True))
    @action(detail=True)
    def entries(self, request: Request, pk: str) -> Response:
        """Who is and was in a journey, by people's numbers; people whose data may only be stored are left out."""
        asked = self.parameters(EntryQuestion)
        names = {"version": "version__number"}
        rows = JourneyEntry.objects.filter(run__campaign=self._journey(pk).pk, profile__restricted_at=None)
        rows = rows.filter(**{names.get(name, name): value for name, value in asked.items()})
        page = self.paginate_queryset(rows.select_related("version"))
        return self.get_paginated_response(EntryOut(page, many=True).data)

    @extend_schema(parameters=[THERE], responses=JourneyPersonOut)
    @action(detail=True, url_path=f"people/(?P<profile>{ID})")
    def person(self, request: Request, pk: str, profile: str) -> Response:
        """Where a person is in a journey, and the path that brought her there."""
        found = merged.person(int(profile))
        if found is None:
            raise NotFound
        rows = JourneyEntry.objects.filter(run__campaign=self._journey(pk).pk, profile__in=usable(found).profile_ids)
        entries = list(rows.select_related("version").order_by("-entered_at", "-id")[:SHOWN])
        path = list(paths.of(entries[0])) if entries else []
        return Response(JourneyPersonOut({"profile_id": found.id, "entries": entries, "path": path}).data)

    @extend_schema(request=EnterIn, responses={201: EntryOut})
    @action(detail=True, methods=["post"])
    def enter(self, request: Request, pk: str) -> Response:
        """Let a person into a running journey that is begun by a call.

        The same `key` lets her in once and gets the same entry again. Who may not enter is refused with 409; `code`
        says why: `not_running`, `not_by_call`, `draining`, `not_meant`, `on_the_way`, `been_before` or `too_soon`.
        """
        one, asked = self._journey(pk), self.body(EnterIn)
        entry = triggering.call(one, _person(asked).id, asked["key"], timezone.now())
        if not isinstance(entry, JourneyEntry):
            raise Conflict(str(entry.label), code=entry.value)
        return Response(EntryOut(entry).data, status=201)

    @extend_schema(request=PersonIn, responses=JourneyLeftOut)
    @action(detail=True, methods=["post"])
    def leave(self, request: Request, pk: str) -> Response:
        """Take a person out of a journey; what it has not sent to her yet is not sent."""
        one, asked = self._journey(pk), self.body(PersonIn)
        return Response({"left": triggering.leave(one, _person(asked).id, None, timezone.now())})

    def _journey(self, pk: str) -> Journey:
        found: Journey = get_object_or_404(self.get_queryset(), pk=pk)
        return found


def _person(asked: dict[str, Any]) -> merged.Person:
    by = "identifier" if "identifier" in asked else "profile_id"
    told = asked[by]
    found = known_by(told["type"], told["value"]) if by == "identifier" else merged.person(told)
    if found is None:
        raise serializers.ValidationError({by: _("Nobody is known by this.")})
    return found
