"""How journeys look in requests and answers."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.api.shapes import BIGGEST
from campaigns.journeys import graph
from campaigns.journeys.figures import Counts
from campaigns.models import Campaign, Journey, JourneyEntry, JourneyVersion
from campaigns.reporting import journey_steps
from crm.api.consent_shapes import WhoIn

KEY = 200


class PersonIn(WhoIn):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        told = super().validate(attrs)
        if not told.keys() & {"profile_id", "identifier"}:
            raise serializers.ValidationError({"profile_id": "Give either profile_id or identifier."})
        return told


class EnterIn(PersonIn):
    """``key`` names what lets her in, like an order's number: the same key lets her in once."""

    key = serializers.CharField(max_length=KEY)


class JourneyQuestion(serializers.Serializer[Any]):
    status = serializers.ChoiceField(Campaign.Status.choices, required=False)


class EntryQuestion(serializers.Serializer[Any]):
    profile_id = serializers.IntegerField(required=False, min_value=1, max_value=BIGGEST)
    status = serializers.ChoiceField(JourneyEntry.Status.choices, required=False)
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1, help_text="Its number.")
    step = serializers.CharField(required=False, max_length=40)


class JourneyOut(serializers.ModelSerializer[Journey]):
    """A journey; its purpose, segment, goal and holdout are told by the campaign of the same number."""

    id = serializers.IntegerField(source="campaign_id")
    name = serializers.CharField(source="campaign.name")
    status = serializers.ChoiceField(Campaign.Status.choices, source="campaign.status")
    live = serializers.IntegerField(
        source="live.number", allow_null=True, default=None, help_text="The version that newcomers begin."
    )
    again = serializers.ChoiceField(Journey.Again.choices)
    again_after_minutes = serializers.SerializerMethodField()

    class Meta:
        model = Journey
        fields = ["id", "name", "status", "live", "draining", "again", "again_after_minutes", "leave_at_goal"]
        read_only_fields = fields

    def get_again_after_minutes(self, one: Journey) -> int:
        return int(one.again_after.total_seconds() // 60)


class VersionOut(serializers.ModelSerializer[JourneyVersion]):
    status = serializers.ChoiceField(JourneyVersion.Status.choices)

    class Meta:
        model = JourneyVersion
        fields = ["number", "status", "note", "made_at", "approved_at"]
        read_only_fields = fields


class WayOut(serializers.Serializer[Any]):
    outcome = serializers.CharField()
    passed = serializers.IntegerField()


class StepCountOut(serializers.Serializer[Any]):
    """People at a step of the live version, and how many times somebody left it which way."""

    step = serializers.CharField()
    kind = serializers.CharField()
    walking = serializers.IntegerField()
    failed = serializers.IntegerField()
    ways = WayOut(many=True)


class JourneyWhole(JourneyOut):
    """A journey with the steps of its live version; counts stand there for clients that may read profiles."""

    graph = serializers.DictField(source="live.graph", allow_null=True, default=None)
    versions = VersionOut(many=True)
    steps = serializers.SerializerMethodField()

    class Meta(JourneyOut.Meta):
        fields = [*JourneyOut.Meta.fields, "graph", "versions", "steps"]
        read_only_fields = fields

    @extend_schema_field(StepCountOut(many=True, allow_null=True))
    def get_steps(self, one: Journey) -> list[dict[str, Any]] | None:
        counts: dict[str, Counts] | None = self.context["counts"]
        if counts is None or one.live is None:
            return None
        steps = graph.parse(one.live.graph)
        return [_step(key, steps.steps[key].kind, counts) for key in journey_steps.in_order(steps)]


def _step(key: str, kind: str, counts: dict[str, Counts]) -> dict[str, Any]:
    told = counts.get(key, Counts())
    ways = [{"outcome": outcome, "passed": number} for outcome, number in sorted(told.passed.items())]
    return {"step": key, "kind": kind, "walking": told.walking, "failed": told.failed, "ways": ways}


class EntryOut(serializers.ModelSerializer[JourneyEntry]):
    """One time that a person walks through a journey, or is held out of it; ``reason`` is a code."""

    journey = serializers.IntegerField(source="version.journey_id")
    version = serializers.IntegerField(source="version.number")
    profile_id = serializers.IntegerField()
    status = serializers.ChoiceField(JourneyEntry.Status.choices)

    class Meta:
        model = JourneyEntry
        fields = [
            *("id", "journey", "version", "profile_id", "status", "reason", "step", "moves"),
            *("entered_at", "step_at", "due_at", "ended_at"),
        ]
        read_only_fields = fields


class JourneyStepOut(serializers.Serializer[Any]):
    """A step that she left; ``to`` is empty where the journey ended."""

    at = serializers.DateTimeField()
    step = serializers.CharField()
    outcome = serializers.CharField()
    to = serializers.CharField(allow_blank=True)


class JourneyPersonOut(serializers.Serializer[Any]):
    """A person's state in a journey: her last time first, and the path of that one."""

    profile_id = serializers.IntegerField()
    entries = EntryOut(many=True)
    path = JourneyStepOut(many=True)


class JourneyLeftOut(serializers.Serializer[Any]):
    left = serializers.BooleanField(help_text="False: she was not on the way.")
