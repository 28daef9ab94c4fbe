"""How reports look in answers."""

from typing import Any

from rest_framework import serializers

from campaigns.api.report_tables import (
    CohortOut,
    CurveOut,
    MachineOut,
    ObservedOut,
    PartOut,
    ReportStepOut,
    tables_of,
)
from campaigns.models import Campaign, Delivery
from campaigns.reporting import findings
from campaigns.reporting.lift import Interval
from campaigns.reporting.reports import Lift, Report


class ReportRow(serializers.ModelSerializer[Campaign]):
    made_at = serializers.DateTimeField(source="figures.made_at", allow_null=True, default=None)

    class Meta:
        model = Campaign
        fields = ["id", "name", "status", "made_at"]
        read_only_fields = fields


class IntervalOut(serializers.Serializer[Any]):
    """The truth lies between ``low`` and ``high`` in 95 of 100 reports, however often one looks."""

    effect = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class LiftOut(serializers.Serializer[Any]):
    people = serializers.IntegerField(help_text="Who was to get a message.")
    rate = IntervalOut(help_text="More of a person's chance to reach the goal.")
    value = IntervalOut(allow_null=True, help_text="More revenue from a person; null while too few have paid.")
    conversions = IntervalOut(help_text="People who reached the goal because of it.")
    revenue = IntervalOut(allow_null=True)
    p = serializers.FloatField()


class VariantLift(LiftOut):
    variant = serializers.IntegerField()


class GroupOut(serializers.Serializer[Any]):
    """A group of people; ``variant`` is null of those held out."""

    variant = serializers.IntegerField(allow_null=True)
    name = serializers.CharField(allow_blank=True)
    people = serializers.IntegerField()
    converted = serializers.IntegerField()
    rate = serializers.FloatField()
    revenue = serializers.FloatField(allow_null=True, help_text="Null where noise was added.")


class StepOut(serializers.Serializer[Any]):
    variant = serializers.IntegerField()
    channel = serializers.CharField()
    assigned = serializers.IntegerField()
    accepted = serializers.IntegerField()
    delivered = serializers.IntegerField()
    bounced = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    clicked = serializers.IntegerField()
    converted = serializers.IntegerField()
    cost = serializers.FloatField()


class LeftOut(serializers.Serializer[Any]):
    status = serializers.ChoiceField(Delivery.Status.choices)
    reason = serializers.CharField()
    people = serializers.IntegerField()


class CountedOut(serializers.Serializer[Any]):
    name = serializers.CharField(allow_blank=True)
    people = serializers.IntegerField()


class ReportOut(serializers.Serializer[Any]):
    """A report; an open is never a success and is not counted."""

    campaign = serializers.IntegerField()
    name = serializers.CharField()
    made_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField(help_text="When the attribution window of the last run is over.")
    currency = serializers.CharField()
    private = serializers.BooleanField(help_text="Whether noise was added; then only the groups are told.")
    margin = serializers.IntegerField(help_text="The truth of each count is this near in 95 of 100 answers; 0: exact.")
    headline = serializers.CharField(allow_blank=True)
    caveats = serializers.ListField(child=serializers.CharField(), help_text="Codes.")
    sample_ratio = serializers.FloatField(
        allow_null=True, help_text="p-value of groups being so unequal by chance alone."
    )
    cost = serializers.FloatField(allow_null=True)
    groups = GroupOut(many=True)
    lift = LiftOut(allow_null=True)
    variants = VariantLift(many=True)
    funnel = StepOut(many=True)
    reasons = LeftOut(many=True)
    links = CountedOut(many=True)
    devices = CountedOut(many=True)
    steps = ReportStepOut(many=True, help_text="Of a journey.")
    machines = MachineOut(many=True)
    cohorts = CohortOut(many=True)
    parts = PartOut(many=True)
    curves = CurveOut(many=True)
    observed = ObservedOut(allow_null=True)


def report_of(report: Report) -> dict[str, Any]:
    """Return a report as the API tells it, exactly."""
    groups = ("variant", "name", "people", "converted", "rate", "revenue")
    steps = list(StepOut().fields)
    return {
        "campaign": report.campaign.pk,
        "name": report.campaign.name,
        "made_at": report.made_at,
        "closes_at": report.closes_at,
        "currency": report.currency,
        "private": False,
        "margin": 0,
        "headline": findings.headline(report),
        "caveats": list(report.caveats),
        "sample_ratio": report.sample_ratio,
        "cost": report.cost,
        "groups": [{name: getattr(one, name) for name in groups} for one in report.groups],
        "lift": _lift(report.lift) if report.lift else None,
        "variants": [{"variant": variant, **_lift(one)} for variant, one in report.variants.items()],
        "funnel": [{name: getattr(one, name) for name in steps} for one in report.funnel],
        "reasons": [{"status": status, "reason": reason, "people": n} for status, reason, n in report.reasons],
        "links": [{"name": name, "people": people} for name, people in report.links],
        "devices": [{"name": name, "people": people} for name, people in report.devices],
        **tables_of(report),
    }


def _lift(one: Lift) -> dict[str, Any]:
    return {
        "people": one.people,
        "rate": _interval(one.rate),
        "value": _interval(one.value) if one.value else None,
        "conversions": dict(zip(("effect", "low", "high"), one.conversions, strict=True)),
        "revenue": dict(zip(("effect", "low", "high"), one.revenue, strict=True)) if one.revenue else None,
        "p": one.p,
    }


def _interval(one: Interval) -> dict[str, float]:
    return {"effect": one.effect, "low": one.low, "high": one.high}
