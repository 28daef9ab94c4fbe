"""What was learned about one person: scores, clusters, recommendations."""

from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.browsers import ForBrowsers
from crm.api.profiles import OfPerson
from crm.models import Item
from mlengine import online
from mlengine.models import ClusterMember, Score
from mlengine.reasons import TEXTS, say


class ReasonOut(serializers.Serializer[Any]):
    """One reason for a score, in numbers and in words."""

    code = serializers.CharField()
    feature = serializers.CharField(help_text="The column that weighs most.")
    contribution = serializers.FloatField(help_text="What it adds to the log-odds; above 0 it raises the score.")
    text = serializers.CharField(help_text="In the language that Accept-Language asks for.")

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        told = {name: instance.get(name) for name in ("code", "feature", "contribution")}
        known = instance["code"] in TEXTS
        text = say(instance["code"], instance.get("values", {}), translation.get_language()) if known else ""
        return told | {"text": text}


class ScoreOut(serializers.ModelSerializer[Score]):
    spec = serializers.CharField(source="run.spec", help_text="Which question was answered, like churn.")
    reasons = ReasonOut(many=True, allow_null=True, help_text="Up to three; null where none are kept.")
    cutoff = serializers.DateTimeField(source="run.cutoff", help_text="What was known by then counted.")

    class Meta:
        model = Score
        fields = ["spec", "value", "reasons", "cutoff"]
        read_only_fields = fields


class MembershipOut(serializers.ModelSerializer[ClusterMember]):
    id = serializers.IntegerField(source="cluster_id")
    spec = serializers.CharField(source="cluster.spec")
    code = serializers.IntegerField(source="cluster.code")
    name = serializers.DictField(source="cluster.name", child=serializers.CharField(), help_text="By language.")
    cutoff = serializers.DateTimeField(source="run.cutoff")

    class Meta:
        model = ClusterMember
        fields = ["id", "spec", "code", "name", "cutoff"]
        read_only_fields = fields


class RecommendedItem(serializers.ModelSerializer[Item]):
    class Meta:
        model = Item
        fields = ["id", "kind", "code", "title", "brand", "price", "currency"]
        read_only_fields = fields


class RecommendationOut(serializers.Serializer[online.Recommended]):
    rank = serializers.IntegerField()
    item = RecommendedItem()
    value = serializers.FloatField(help_text="Comparable within one answer only.")
    reason = serializers.DictField(help_text="A code and its numbers.")


class ScoresOut(serializers.Serializer[Any]):
    results = ScoreOut(many=True)


class MembershipsOut(serializers.Serializer[Any]):
    results = MembershipOut(many=True)


class RecommendationsOut(serializers.Serializer[Any]):
    basis = serializers.ChoiceField(
        ["personal", "popular", "none"],
        help_text="popular: nothing is known of this person yet, or personalisation is off; none: no model serves.",
    )
    spec = serializers.CharField(allow_null=True, help_text="The model that answered.")
    cutoff = serializers.DateTimeField(allow_null=True, help_text="What was known by then counted.")
    results = RecommendationOut(many=True)


class RecommendationQuestion(serializers.Serializer[Any]):
    k = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="How many, at most.")


class AnswerViewSet(ForBrowsers, OfPerson):
    """What was learned about one person, by the latest finished run of each model."""

    scopes = {
        "scores": "scores:read",
        "clusters": "clusters:read",
        "recommendations": "recommendations:read",
    }
    purposes = {"recommendations": "recommendations"}
    pagination_class = None

    @extend_schema(responses=ScoresOut)
    @action(detail=True)
    def scores(self, request: Request, pk: str) -> Response:
        """A person's scores, one for each model that scored them, with reasons where they are kept."""
        return Response({"results": ScoreOut(online.scores_of(self.person().id), many=True).data})

    @extend_schema(responses=MembershipsOut)
    @action(detail=True)
    def clusters(self, request: Request, pk: str) -> Response:
        """The clusters a person is in, one for each way of clustering."""
        return Response({"results": MembershipOut(online.clusters_of(self.person().id), many=True).data})

    @extend_schema(parameters=[RecommendationQuestion], responses=RecommendationsOut)
    @action(detail=True)
    def recommendations(self, request: Request, pk: str) -> Response:
        """What to show a person next, best first: items that are available now, each with its reason."""
        k = self.parameters(RecommendationQuestion)["k"]
        return Response(RecommendationsOut(_recommended(self.person().id, k, timezone.now())).data)


def _recommended(profile_id: int, k: int, now: datetime) -> dict[str, Any]:
    run = online.recommending_run()
    if run is None:
        return {"basis": "none", "spec": None, "cutoff": None, "results": []}
    answered = {"spec": run.spec, "cutoff": run.cutoff}
    if personal := online.recommended_by(run, profile_id, k, now):
        return answered | {"basis": "personal", "results": personal}
    return answered | {"basis": "popular", "results": online.popular(run, k, now)}
