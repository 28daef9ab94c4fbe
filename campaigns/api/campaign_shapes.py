"""How campaigns look in requests and answers."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from campaigns.api.shapes import BIGGEST, Table
from campaigns.models import Campaign, Run, Segment, Template, TemplateVersion, Variant
from campaigns.runs import approving
from campaigns.runs.drafting import Message
from crm.models import Channel, Event, Purpose

COLUMNS = (
    *("id", "name", "kind", "status", "status_reason", "purpose", "segment", "channels", "priority", "holdout"),
    *("goal", "goal_name", "attribution_days", "expires_hours", "send_rate", "timing", "starts_at", "ends_at"),
    *("variants", "created_at", "submitted_at", "approved_at", "next_run_at"),
)


KINDS = [choice for choice in Campaign.Kind.choices if choice[0] != Campaign.Kind.IMPORTED]  # that can be drafted


class VariantIn(serializers.Serializer[Any]):
    """A message; of the template the current version, unless one is named."""

    name = serializers.CharField(max_length=60)
    template = serializers.IntegerField(min_value=1, max_value=BIGGEST)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False)
    weight = serializers.IntegerField(min_value=1, max_value=1000, default=1)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in {"name", "template"} - set(attrs):  # in a change, whatever is left out would be let through
            raise serializers.ValidationError({name: "This is needed."})
        attrs.setdefault("weight", 1)
        attrs["found"] = found = _version(attrs["template"], attrs.get("version"))
        if found is None:
            raise serializers.ValidationError({"template": "There is no such template, or no such version of it."})
        return attrs


class CampaignIn(serializers.Serializer[Any]):
    """A draft. ``timing`` of a recurring campaign is ``{"every": 1, "unit": "week", "at": "10:00"}``, of a triggered
    one ``{"event": "purchase", "name": "", "after_minutes": 60, "unless": ""}``.
    """

    name = serializers.CharField(max_length=120)
    purpose = serializers.SlugRelatedField("code", queryset=Purpose.objects.all(), help_text="Its code.")
    segment = serializers.PrimaryKeyRelatedField(queryset=Segment.objects.offered())
    channels = serializers.ListField(child=serializers.ChoiceField(Channel.choices), min_length=1, max_length=3)
    kind = serializers.ChoiceField(KINDS, default=Campaign.Kind.ONCE.value)
    timing = Table(default=dict, most=2000)
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)
    holdout = serializers.DecimalField(
        max_digits=4, decimal_places=3, min_value=0, max_value=Decimal("0.9"), default=Decimal("0.100")
    )
    goal = serializers.ChoiceField(Event.Kind.choices, default=Event.Kind.PURCHASE.value)
    goal_name = serializers.CharField(max_length=200, allow_blank=True, default="")
    attribution_days = serializers.IntegerField(min_value=1, max_value=365, default=14)
    expires_hours = serializers.IntegerField(min_value=1, max_value=720, default=24)
    priority = serializers.IntegerField(min_value=0, max_value=100, default=50)
    send_rate = serializers.IntegerField(min_value=1, max_value=2**31 - 1, required=False, allow_null=True)
    variants = VariantIn(many=True, required=False, max_length=20)  # type: ignore[call-arg]  # of the list


class CampaignChange(CampaignIn):
    """What is left out stays as it is; variants that are told replace those that were."""


def facts_of(asked: dict[str, Any]) -> tuple[dict[str, Any], Sequence[Message] | None]:
    """Return what was asked in the model's words: its facts, and its variants if they were told."""
    told = dict(asked)
    variants = told.pop("variants", None)
    if "attribution_days" in told:
        told["attribution_window"] = timedelta(days=told.pop("attribution_days"))
    if "expires_hours" in told:
        told["message_expires_after"] = timedelta(hours=told.pop("expires_hours"))
    if variants is None:
        return told, None
    return told, [Message(name=one["name"], template=one["found"], weight=one["weight"]) for one in variants]


class VariantOut(serializers.ModelSerializer[Variant]):
    template = serializers.IntegerField(source="template.template_id")
    version = serializers.IntegerField(source="template.number")

    class Meta:
        model = Variant
        fields = ["id", "name", "template", "version", "weight"]
        read_only_fields = fields


class CampaignOut(serializers.ModelSerializer[Campaign]):
    kind = serializers.ChoiceField(Campaign.Kind.choices)
    purpose = serializers.CharField(source="purpose.code")
    segment = serializers.IntegerField(source="segment_id")
    channels = serializers.ListField(child=serializers.ChoiceField(Channel.choices))
    timing = serializers.DictField()
    variants = VariantOut(many=True)
    attribution_days = serializers.SerializerMethodField()
    expires_hours = serializers.SerializerMethodField()

    class Meta:
        model = Campaign
        fields = list(COLUMNS)
        read_only_fields = fields

    def get_attribution_days(self, one: Campaign) -> int:
        return one.attribution_window.days

    def get_expires_hours(self, one: Campaign) -> int:
        return int(one.message_expires_after.total_seconds() // 3600)


class RunOut(serializers.ModelSerializer[Run]):
    """A run; how many people it meant stands there for clients that may read profiles."""

    counts = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = ["id", "key", "status", "counts", "starts_at", "planned_at", "finished_at"]
        read_only_fields = fields

    def get_counts(self, one: Run) -> dict[str, Any] | None:
        return one.counts if self.context.get("exact") else None


class CampaignWhole(CampaignOut):
    """A campaign with its last twenty runs; ``digest`` names exactly what an approval would cover."""

    digest = serializers.SerializerMethodField()
    runs = serializers.SerializerMethodField()

    class Meta(CampaignOut.Meta):
        fields = [*COLUMNS, "digest", "runs"]
        read_only_fields = fields

    def get_digest(self, one: Campaign) -> str:
        return approving.digest(one)

    @extend_schema_field(RunOut(many=True))
    def get_runs(self, one: Campaign) -> Any:
        rows = one.runs.order_by("-starts_at", "pk")[:20]
        return RunOut(rows, many=True, context=self.context).data


def _version(template: int, number: int | None) -> TemplateVersion | None:
    if number is not None:
        return TemplateVersion.objects.filter(template=template, number=number).first()
    found = Template.objects.filter(pk=template).select_related("current").first()
    return found.current if found else None
