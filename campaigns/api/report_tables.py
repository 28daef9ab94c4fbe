"""The tables of a report in answers: cohorts, parts of the people, profit by share reached, machines, estimates."""

from typing import Any

from rest_framework import serializers

from campaigns.reporting.journey_steps import JourneyStep
from campaigns.reporting.report_parts import Compared, Observed, Span
from campaigns.reporting.reports import Report

NAMES = ("steps", "machines", "cohorts", "parts", "curves")


class SpanOut(serializers.Serializer[Any]):
    """A number with what it lies between in 95 of 100 reports, at one look."""

    effect = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class MachineOut(serializers.Serializer[Any]):
    """Messages that machines opened or clicked; they are in no rate."""

    kind = serializers.CharField()
    reason = serializers.CharField()
    messages = serializers.IntegerField()


class CohortOut(serializers.Serializer[Any]):
    """Those assigned in one week."""

    week = serializers.DateField()
    held = serializers.BooleanField(help_text="Whether they were held out.")
    people = serializers.IntegerField()
    revenue = serializers.FloatField()
    reached = serializers.ListField(
        child=serializers.FloatField(), help_text="The share that had reached the goal by the end of each week after."
    )


class PartOut(serializers.Serializer[Any]):
    """Some of the people, by what was known before: `before` (whether they bought), `age`, `cluster`."""

    kind = serializers.CharField()
    name = serializers.CharField()
    people = serializers.IntegerField()
    rate = serializers.FloatField()
    people_held_out = serializers.IntegerField()
    rate_held_out = serializers.FloatField()
    caused = SpanOut(allow_null=True, help_text="More of a person's chance; holds for all parts of a kind together.")


class PointOut(serializers.Serializer[Any]):
    share = serializers.FloatField()
    people = serializers.IntegerField()
    profit = SpanOut()


class CurveOut(serializers.Serializer[Any]):
    """Revenue caused less the cost of sending, had only the most promising share been reached."""

    by = serializers.CharField(help_text="`value_before`, or the model whose score orders people.")
    points = PointOut(many=True)


class ComparedOut(serializers.Serializer[Any]):
    raw = SpanOut(help_text="The plain difference, which mixes the campaign with whom it chose.")
    adjusted = SpanOut()
    p = serializers.FloatField()


class ObservedOut(serializers.Serializer[Any]):
    """Of an imported campaign, which drew nobody by lot: estimates a person, adjusted for what was known before."""

    refused = serializers.CharField(allow_blank=True, help_text="Why there is no estimate: a code.")
    value = ComparedOut(allow_null=True)
    visits = ComparedOut(allow_null=True)
    before = ComparedOut(allow_null=True, help_text="Of spending in a time before the campaign: should be nothing.")


class JourneyWayOut(serializers.Serializer[Any]):
    """What came of a step, how many times, and the step to which it leads; none where the journey ends."""

    outcome = serializers.CharField()
    people = serializers.IntegerField()
    to = serializers.CharField(allow_blank=True)


class ReportStepOut(serializers.Serializer[Any]):
    """A step of a version of a journey; people are counted each time that they come by, as of now."""

    version = serializers.IntegerField()
    step = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    kind = serializers.CharField()
    arrived = serializers.IntegerField()
    walking = serializers.IntegerField()
    failed = serializers.IntegerField()
    ways = JourneyWayOut(many=True)


def tables_of(report: Report) -> dict[str, Any]:
    """Return the tables as the API tells them, exactly."""
    return {
        "steps": [_step(one) for one in report.steps],
        "machines": [{"kind": kind, "reason": why, "messages": n} for kind, why, n in report.machines],
        "cohorts": [
            {name: getattr(one, name) for name in ("week", "held", "people", "revenue", "reached")}
            for one in report.cohorts
        ],
        "parts": [
            {
                "kind": one.kind,
                "name": one.name,
                "people": one.treated.people,
                "rate": one.treated.rate,
                "people_held_out": one.held.people if one.held else 0,
                "rate_held_out": one.held.rate if one.held else 0.0,
                "caused": _span((one.rate.effect, one.rate.low, one.rate.high)) if one.rate else None,
            }
            for one in report.parts
        ],
        "curves": [
            {
                "by": curve.by,
                "points": [
                    {"share": one.share, "people": one.people, "profit": _span(one.profit)} for one in curve.points
                ],
            }
            for curve in report.curves
        ],
        "observed": _observed(report.observed),
    }


def nothing() -> dict[str, Any]:
    """Return the same without anything in it, for whoever may not count people."""
    return {name: [] for name in NAMES} | {"observed": None}


def _step(one: JourneyStep) -> dict[str, Any]:
    names = ("version", "title", "kind", "arrived", "walking", "failed")
    ways = [{"outcome": outcome, "people": people, "to": to} for outcome, people, to in one.ways]
    return {name: getattr(one, name) for name in names} | {"step": one.key, "ways": ways}


def _observed(found: Observed | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = {name: _compared(getattr(found, name)) for name in ("value", "visits", "before")}
    return {"refused": found.refused} | told


def _compared(one: Compared | None) -> dict[str, Any] | None:
    return {"raw": _span(one.raw), "adjusted": _span(one.effect), "p": one.p} if one else None


def _span(one: Span) -> dict[str, float]:
    return dict(zip(("effect", "low", "high"), one, strict=True))
