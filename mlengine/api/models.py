"""Model versions and how they were judged."""

from math import isfinite
from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.resources import Resource
from mlengine import fairness, lineage
from mlengine.models import Metric, ModelVersion
from mlengine.specs import SPECS


class FiniteFloat(serializers.FloatField):
    """A number, or null where it could not be told: JSON knows no NaN."""

    def to_representation(self, value: float) -> float | None:  # type: ignore[override]
        return value if isfinite(value) else None


class MetricOut(serializers.ModelSerializer[Metric]):
    value = FiniteFloat(read_only=True, allow_null=True)
    low = FiniteFloat(read_only=True, allow_null=True)
    high = FiniteFloat(read_only=True, allow_null=True)

    class Meta:
        model = Metric
        fields = ["kind", "subject", "name", "value", "low", "high", "cutoff"]
        read_only_fields = fields


class GroupVerdictOut(serializers.Serializer[Any]):
    attribute = serializers.CharField(help_text="What people are told apart by, like age_band.")
    group = serializers.CharField()
    measure = serializers.CharField(help_text="selection_rate, equal_opportunity, calibration_gap or ndcg_at_10.")
    kind = serializers.ChoiceField(
        ["ratio", "difference", "bias"], help_text="How the limit is meant: to the best group, or off zero."
    )
    limit = serializers.FloatField(allow_null=True, help_text="That held when it was trained; null: told only.")
    verdict = serializers.ChoiceField(["best", "fair", "unclear", "unfair", "told"])


class FairnessOut(serializers.Serializer[Any]):
    """How groups of people came off at the last cutoff of the backtest; what they did exactly is not told here."""

    limits = serializers.DictField(
        child=serializers.FloatField(allow_null=True), help_text="Of the model today, by measure; null blocks nothing."
    )
    verdicts = GroupVerdictOut(many=True)
    blocked = serializers.BooleanField(help_text="It does not serve by itself.")
    why = serializers.CharField(allow_blank=True, help_text="Which groups are unequal, or that nobody could tell.")
    overridden = serializers.BooleanField(help_text="It was blocked, and a person with the right let it serve.")


class ModelVersionOut(serializers.ModelSerializer[ModelVersion]):
    metrics = MetricOut(many=True, read_only=True)
    fairness = serializers.SerializerMethodField()
    recommender = serializers.SerializerMethodField(help_text="What it recommends by, like blend; null for others.")

    class Meta:
        model = ModelVersion
        fields = [
            *("id", "spec", "number", "stage", "decision", "cutoff", "trained_at", "promoted_at", "metrics"),
            *("fairness", "recommender"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_recommender(self, version: ModelVersion) -> str | None:
        parameters: dict[str, Any] = version.card.get("recipe", {}).get("parameters", {})
        return parameters.get("recommender")

    @extend_schema_field(FairnessOut)
    def get_fairness(self, version: ModelVersion) -> dict[str, Any]:
        return FairnessOut(_fairness(version)).data


def _fairness(version: ModelVersion) -> dict[str, Any]:
    found, spec = fairness.of(version), SPECS.get(version.spec)
    why = fairness.refusal(found)
    return {
        "limits": spec.fair.limits if spec else {},
        "verdicts": [
            {"attribute": attribute["name"], "measure": measure["name"], "kind": measure["kind"]}
            | {"limit": measure["limit"], "group": one["group"], "verdict": one["verdict"]}
            for attribute in found.get("attributes", [])
            for measure in attribute["measures"]
            for one in measure["groups"]
        ],
        "blocked": bool(why),
        "why": why,
        "overridden": bool(why and version.promoted_at),  # only who has the right can have promoted it
    }


class LineageOut(serializers.Serializer[Any]):
    """The way back from a score: what its model was made of; empty where an older version did not keep it."""

    spec = serializers.CharField()
    version = serializers.IntegerField()
    sha256 = serializers.CharField(help_text="Of the model's files.")
    stage = serializers.ChoiceField(ModelVersion.Stage.choices)
    decision = serializers.CharField(allow_blank=True)
    data_from = serializers.CharField(allow_null=True, help_text="The first day learned from.")
    data_until = serializers.CharField(allow_null=True, help_text="What was known at the beginning of this day.")
    learned_from = serializers.DictField(help_text="Digest of the events' files; release, commit and digest of code.")
    features = serializers.ListField(child=serializers.CharField())
    recipe = serializers.DictField()
    libraries = serializers.DictField(child=serializers.CharField())
    trained_because = serializers.DictField(help_text="A code and its values.")
    tuned = serializers.DictField(help_text="What a search changed in the recipe; empty where none did.")


class ModelQuestion(serializers.Serializer[Any]):
    spec = serializers.CharField(required=False, max_length=64, help_text="Like churn.")
    stage = serializers.ChoiceField(ModelVersion.Stage.choices, required=False)


class ModelVersionViewSet(Resource):
    """Trained models: what they learned from, how they did beside the baselines, and which one serves."""

    scopes = {"list": "models:read", "retrieve": "models:read", "lineage": "models:read"}
    ordering = ("-id",)
    queryset = ModelVersion.objects.prefetch_related(Prefetch("metrics", Metric.objects.order_by("pk")))
    serializer_class = ModelVersionOut

    @extend_schema(parameters=[ModelQuestion])
    def list(self, request: Request) -> Response:
        """All model versions that match, newest first."""
        page = self.paginate_queryset(self.get_queryset().filter(**self.parameters(ModelQuestion)))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, pk: str) -> Response:
        """One model version."""
        return Response(self.get_serializer(get_object_or_404(self.get_queryset(), pk=pk)).data)

    @extend_schema(responses=LineageOut)
    @action(detail=True)
    def lineage(self, request: Request, pk: str) -> Response:
        """What a model version was made of: data window, events, features, code, recipe, decision."""
        version: ModelVersion = get_object_or_404(ModelVersion, pk=pk)
        return Response(LineageOut(lineage.of_version(version)).data)
