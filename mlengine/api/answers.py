"""What was learned about one person: scores, clusters, recommendations."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from django.utils import timezone, translation
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.browsers import ForBrowsers
from crm.api.profiles import OfPerson
from crm.models import Channel, Item
from mlengine import online, recommending, standing
from mlengine.because import coarse, to_her
from mlengine.clicks import Reached
from mlengine.models import ClusterMember, Repurchase, Score
from mlengine.reasons import TEXTS, say
from mlengine.specs import SPECS


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
    unit = serializers.SerializerMethodField(help_text="probability, money, days, count or effect.")
    facts = serializers.DictField(
        child=serializers.FloatField(allow_null=True), allow_null=True, help_text="Numbers beside the score, by name."
    )
    reasons = ReasonOut(many=True, allow_null=True, help_text="Up to three; null where none are kept.")
    cutoff = serializers.DateTimeField(source="run.cutoff", help_text="What was known by then counted.")
    version = serializers.IntegerField(source="run.version_id", help_text="The model version; see its lineage.")

    class Meta:
        model = Score
        fields = ["spec", "value", "unit", "low", "high", "facts", "reasons", "cutoff", "version"]
        read_only_fields = fields

    def get_unit(self, score: Score) -> str:
        return SPECS[score.run.spec].unit if score.run.spec in SPECS else "probability"


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

    def to_representation(self, instance: Item) -> dict[str, Any]:
        """Say what the fields describe; they themselves take ten times as long."""
        price = None if instance.price is None else f"{instance.price:.2f}"  # money is text, or a reader would round it
        return {name: getattr(instance, name) for name in self.Meta.fields} | {"price": price}


class RecommendationOut(serializers.Serializer[Any]):
    rank = serializers.IntegerField()
    item = RecommendedItem()
    value = serializers.FloatField(help_text="Comparable within one answer only.")
    origin = serializers.ChoiceField(
        ["model", "session", "popular", "new"],
        help_text="session: what the person does right now leads to it; new: too young for the models.",
    )
    reason = serializers.DictField(help_text="A code and its numbers; people: at least so many.")
    because = serializers.CharField(
        allow_blank=True, help_text="For the person to read, like “Because you bought …”, as Accept-Language asks."
    )


class RepurchaseOut(serializers.ModelSerializer[Repurchase]):
    item = RecommendedItem(allow_null=True, help_text="Null: anything of the category.")

    class Meta:
        model = Repurchase
        fields = [
            *("rank", "item", "category", "probability", "times", "every_days", "last_on"),
            *("due_on", "due_from", "due_until"),
        ]
        read_only_fields = fields


class RepurchasesOut(serializers.Serializer[Any]):
    cutoff = serializers.DateTimeField(allow_null=True, help_text="What was known by then counted.")
    results = RepurchaseOut(many=True)


class ChanceOut(serializers.Serializer[Any]):
    probability = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval; null where it is not known.")
    high = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval; null where it is not known.")


class ChanceAtHour(ChanceOut):
    hour = serializers.IntegerField(help_text="0 to 23, on the organisation's wall.")


class ReachedOut(ChanceOut):
    """The probability at the hour asked for, or else at the best one."""

    channel = serializers.CharField()
    best_hours = serializers.ListField(child=serializers.IntegerField(), help_text="Up to three by day, best first.")
    hours = ChanceAtHour(many=True)


class ResponseOut(serializers.Serializer[Any]):
    cutoff = serializers.DateTimeField(allow_null=True, help_text="What was known by then counted.")
    run = serializers.IntegerField(allow_null=True, help_text="The batch of answers.")
    version = serializers.IntegerField(allow_null=True, help_text="The model version; see its lineage.")
    results = ReachedOut(many=True)


class ResponseQuestion(serializers.Serializer[Any]):
    spec = serializers.ChoiceField(
        ["response", "conversion", "redemption"],
        default="response",
        help_text="Of what: of a click, of an order after a message, or of a coupon of it that is used.",
    )
    channel = serializers.ChoiceField(Channel.values, required=False, help_text="This one only.")
    hour = serializers.IntegerField(
        min_value=0, max_value=23, required=False, help_text="On the organisation's wall; left out, all by day."
    )
    message = serializers.IntegerField(
        min_value=1,
        max_value=2**63 - 1,
        required=False,
        help_text="The number of a campaign's variant; left out, or not seen by the model: a new message.",
    )


class ScoresOut(serializers.Serializer[Any]):
    results = ScoreOut(many=True)


class MembershipsOut(serializers.Serializer[Any]):
    results = MembershipOut(many=True)


class RecommendationsOut(serializers.Serializer[Any]):
    basis = serializers.ChoiceField(
        ["personal", "session", "popular", "none"],
        help_text=(
            "session: only what the person does right now is known; popular: nothing is known of this person yet, or"
            " personalisation is off; none: no model serves."
        ),
    )
    spec = serializers.CharField(allow_null=True, help_text="The model that answered.")
    cutoff = serializers.DateTimeField(allow_null=True, help_text="What was known by then counted.")
    session_items = serializers.IntegerField(help_text="How many items of the present session count.")
    results = RecommendationOut(many=True)

    def to_representation(self, instance: recommending.Answer) -> dict[str, Any]:
        """Say what the fields describe: they themselves would take longer to say it than it took to find."""
        language, item = translation.get_language() or "en", RecommendedItem()
        because = to_her([one.reason for one in instance.shown], instance.titles, language)
        results = [
            {"rank": rank, "item": item.to_representation(one.item), "value": one.value, "origin": one.source}
            | {"reason": coarse(one.reason), "because": why}
            for rank, (one, why) in enumerate(zip(instance.shown, because, strict=True), start=1)
        ]
        return {
            "basis": instance.basis,
            "spec": instance.run.spec if instance.run else None,
            "cutoff": timezone.localtime(instance.run.cutoff) if instance.run else None,
            "session_items": len(instance.session.items),
            "results": results,
        }


class RecommendationQuestion(serializers.Serializer[Any]):
    k = serializers.IntegerField(min_value=1, max_value=100, default=10, help_text="How many, at most.")
    spec = serializers.ChoiceField(
        standing.MODELS, required=False, help_text="Which model; discovery has new items only."
    )


class AnswerViewSet(ForBrowsers, OfPerson):
    """What was learned about one person, by the latest finished run of each model."""

    scopes = {
        "scores": "scores:read",
        "clusters": "clusters:read",
        "recommendations": "recommendations:read",
        "repurchases": "events:read",  # it tells when a person last bought, as her events do
        "clicks": "scores:read",
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
        """What to show a person next, best first: items that are available now, each with its reason.

        What the person did in the last minutes counts at once; the rules that marketing made are kept.
        """
        asked, person = _checked(tuple(request.query_params.dict().items())), self.person()
        found = recommending.answer(person.profile_ids, person.id, asked["k"], timezone.now(), asked.get("spec"))
        return Response(RecommendationsOut(found).data)

    @extend_schema(responses=RepurchasesOut)
    @action(detail=True)
    def repurchases(self, request: Request, pk: str) -> Response:
        """What a person will likely want again, and when, the likeliest first."""
        found = online.repurchases_of(self.person().id)
        cutoff = found[0].run.cutoff if found else None
        return Response(RepurchasesOut({"cutoff": cutoff, "results": found}).data)

    @extend_schema(parameters=[ResponseQuestion], responses=ResponseOut)
    @action(detail=True, url_path="response")
    def clicks(self, request: Request, pk: str) -> Response:
        """How likely a person clicks what is sent to her, orders after it or uses its coupon, the likeliest first.

        It is told by channel and, but of coupons and letters, by hour. Only channels on which she was written to lately
        are answered for; the results are empty where nothing is known of her, and where she has switched
        personalisation off. Who was sent what was not drawn by lot, so this tells who will, and not what a message
        changes: for that there is the score ``uplift``.
        """
        asked = self.parameters(ResponseQuestion)
        score, found = online.response_of(self.person().id, asked.get("hour"), asked.get("message"), asked["spec"])
        results = [_reached(one) for one in found if asked.get("channel", one.channel) == one.channel]
        about = (score.run.cutoff, score.run_id, score.run.version_id) if score else (None, None, None)
        told = dict(zip(("cutoff", "run", "version"), about, strict=True))
        return Response(ResponseOut(told | {"results": results}).data)


@lru_cache(maxsize=1_000)
def _checked(asked: tuple[tuple[str, str], ...]) -> Mapping[str, Any]:
    """Return what is asked for, checked, as `Resource.parameters` does: most ask for the same, and only that counts."""
    question = RecommendationQuestion(data=dict(asked))
    question.is_valid(raise_exception=True)
    return MappingProxyType(question.validated_data)


def _reached(found: Reached) -> dict[str, Any]:
    hours = [{"hour": hour, **asdict(chance)} for hour, chance in found.hours.items()]
    return {"channel": found.channel, "best_hours": found.best_hours, "hours": hours, **asdict(found.chance)}
