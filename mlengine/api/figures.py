"""Counts of people: exact for a client that may read the people, with noise and from a budget for every other."""

from datetime import datetime, time
from math import ceil
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.resources import Resource
from crm.models import PrivacyBudget
from mlengine import figures, releases
from mlengine.figures import Figure, NothingYet, Told
from mlengine.releases import Audience, BudgetSpent

ROWS = "profiles:read"
NAME = "[a-z0-9_-]{1,64}"
named = OpenApiParameter("id", OpenApiTypes.STR, OpenApiParameter.PATH, pattern=f"^{NAME}$", description="Its name.")


class BudgetOut(serializers.ModelSerializer[PrivacyBudget]):
    """What the client may still learn this month; of no use to one that reads exact counts."""

    left = serializers.FloatField(help_text="Epsilon.")

    class Meta:
        model = PrivacyBudget
        fields = ["epsilon", "delta", "spent", "left", "ends_on"]
        read_only_fields = fields


class FigureQuestion(serializers.Serializer[Any]):
    begins = serializers.RegexField(
        f"^{NAME}$", required=False, max_length=64, help_text="What names begin with, like people."
    )


class FigureOut(serializers.Serializer[Figure]):
    name = serializers.CharField()
    title = serializers.CharField(help_text="In English.")


class FiguresOut(serializers.Serializer[Any]):
    budget = BudgetOut()
    results = FigureOut(many=True)


class CellOut(serializers.Serializer[Any]):
    key = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()


class ToldOut(serializers.Serializer[Any]):
    """One figure; ``small`` names the groups of fewer than ten, whose people are in ``rest``."""

    name = serializers.CharField()
    exact = serializers.BooleanField()
    margin = serializers.IntegerField(help_text="The truth is this near in 95 of 100 answers; 0 if exact.")
    as_of = serializers.DateTimeField()
    cells = CellOut(many=True)
    small = serializers.ListField(child=serializers.CharField())
    rest = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True, help_text="Null where a person may be in several cells.")
    budget = BudgetOut(allow_null=True)


class FigureViewSet(Resource):
    """Counts of people. The same question within a week gets the same answer and costs nothing."""

    scopes = {"list": "figures:read", "retrieve": "figures:read"}
    pagination_class = None
    lookup_value_regex = NAME

    @extend_schema(
        parameters=[FigureQuestion],
        responses=forced_singular_serializer(FiguresOut),  # type: ignore[no-untyped-call]  # drf-spectacular's own
    )
    def list(self, request: Request) -> Response:
        """What may be asked, and how much of this month's privacy budget is left."""
        begins = self.parameters(FigureQuestion).get("begins", "")
        asked = {name: figure for name, figure in figures.figures().items() if name.startswith(begins)}
        known = [{"name": name, "title": _title(figure)} for name, figure in asked.items()]
        return Response({"budget": BudgetOut(self._budget()).data, "results": known})

    @extend_schema(parameters=[named], responses=ToldOut)
    def retrieve(self, request: Request, pk: str) -> Response:
        """One figure; 429 when the month's budget is spent, with ``Retry-After`` until it is renewed."""
        figure = figures.figures().get(pk)
        if figure is None:
            raise NotFound
        now = timezone.now()
        exact = ROWS in self.caller.scopes
        try:
            told = figures.tell(figure, None if exact else self._audience(), now)
        except NothingYet as error:
            raise NotFound(_("There is nothing to count yet.")) from error
        except BudgetSpent as error:
            renewed = timezone.make_aware(datetime.combine(error.renewed_on, time()), timezone.get_default_timezone())
            raise Throttled(ceil((renewed - now).total_seconds()), detail=str(error)) from error
        budget = None if exact else BudgetOut(self._budget()).data
        return Response(_told(told) | {"budget": budget})

    def _audience(self) -> Audience:
        return Audience.client(self.caller.client_id, f"api client {self.caller.client_id}")

    def _budget(self) -> PrivacyBudget:
        return releases.budget_of(self._audience().scope, timezone.now())


def _title(figure: Figure) -> str:
    return str(figure.title) % figure.name.partition("-")[2] if "%s" in str(figure.title) else str(figure.title)


def _told(told: Told) -> dict[str, Any]:
    return {
        "name": told.figure.name,
        "exact": told.exact,
        "margin": told.margin,
        "as_of": told.data_at.isoformat(),
        "cells": [{"key": key, "count": count} for key, count in told.cells.told.items()],
        "small": list(told.cells.small),
        "rest": told.cells.rest,
        "total": told.cells.total if told.figure.is_partition else None,
    }
