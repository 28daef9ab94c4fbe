"""What was learned about one person: scores, segments, recommendations."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.profiles import OfPerson
from crm.models import Item
from mlengine.models import ClusterMember, PredictionRun, Recommendation, Score

RECOMMENDED_BY = "recommendations"


class ScoreOut(serializers.ModelSerializer[Score]):
    spec = serializers.CharField(source="run.spec", help_text="Which question was answered, like churn.")
    reasons = serializers.ListField(child=serializers.DictField(), allow_null=True, help_text="Up to three.")
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


class RecommendationOut(serializers.ModelSerializer[Recommendation]):
    item = RecommendedItem(read_only=True)
    reason = serializers.DictField(read_only=True, help_text="A code and its numbers.")

    class Meta:
        model = Recommendation
        fields = ["rank", "item", "value", "reason"]
        read_only_fields = fields


class ScoresOut(serializers.Serializer[Any]):
    results = ScoreOut(many=True)


class MembershipsOut(serializers.Serializer[Any]):
    results = MembershipOut(many=True)


class RecommendationsOut(serializers.Serializer[Any]):
    results = RecommendationOut(many=True)


class RecommendationQuestion(serializers.Serializer[Any]):
    k = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="How many, at most.")


class AnswerViewSet(OfPerson):
    """What was learned about one person, by the latest finished run of each model."""

    scopes = {
        "scores": "scores:read",
        "segments": "segments:read",
        "recommendations": "recommendations:read",
    }
    purposes = {"recommendations": "recommendations"}
    pagination_class = None

    @extend_schema(responses=ScoresOut)
    @action(detail=True)
    def scores(self, request: Request, pk: str) -> Response:
        """A person's scores, one for each model that scored them, with reasons where they are kept."""
        found = _latest(Score.objects.filter(profile=self.person().id)).select_related("run")
        return Response({"results": ScoreOut(found, many=True).data})

    @extend_schema(responses=MembershipsOut)
    @action(detail=True)
    def segments(self, request: Request, pk: str) -> Response:
        """The segments a person is in, one for each way of segmenting."""
        found = _latest(ClusterMember.objects.filter(profile=self.person().id)).select_related("run", "cluster")
        return Response({"results": MembershipOut(found, many=True).data})

    @extend_schema(parameters=[RecommendationQuestion], responses=RecommendationsOut)
    @action(detail=True)
    def recommendations(self, request: Request, pk: str) -> Response:
        """What to show a person next, best first: available items only, each with its reason."""
        most = self.parameters(RecommendationQuestion)["k"]
        found = _latest(Recommendation.objects.filter(profile=self.person().id)).select_related("item")
        found = found.filter(item__in=Item.objects.available(timezone.now())).order_by("rank")
        return Response({"results": RecommendationOut(found[:most], many=True).data})


def _latest(answers: QuerySet[Any]) -> QuerySet[Any]:
    runs = PredictionRun.objects.finished().order_by("spec", "-cutoff", "-pk").distinct("spec")
    return answers.filter(run__in=runs.values("pk")).order_by("run__spec")
