"""A report as a file for spreadsheets."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext

from campaigns.reporting import findings
from campaigns.reporting.intervals import Interval
from campaigns.reporting.reports import Report
from crm import spreadsheets

STEPS = ("assigned", "accepted", "delivered", "bounced", "failed", "unknown", "clicked", "converted", "cost")
HEADS = ("group", "people", "converted", "rate", "revenue", "lift", "lift_low", "lift_high", "p")


def lines(report: Report) -> Iterator[str]:
    """Yield the report table by table, with an empty line between two."""
    moment = findings.moment_of(report)
    yield spreadsheets.MARK + spreadsheets.line([report.campaign.name, moment, findings.headline(report)])
    for caveat in findings.caveats(report):
        yield spreadsheets.line([caveat])
    for table in (_groups, _observed, _steps, _funnel, _reasons, _machines, _cohorts, _parts, _curves):
        rows = list(table(report))
        if len(rows) > 1:
            yield spreadsheets.line([])
            yield from map(spreadsheets.line, rows)


def _groups(report: Report) -> Iterator[list[object]]:
    yield [*HEADS, "revenue_each_lift", "revenue_each_low", "revenue_each_high", "currency"]
    for group in report.groups:
        one = report.variants.get(group.variant or 0)
        told: list[object] = [group.name or gettext("held out"), group.people, group.converted, group.rate]
        told += [group.revenue, *_cells(one.rate if one else None), one.p if one else ""]
        yield [*told, *_cells(one.value if one else None), report.currency]


def _observed(report: Report) -> Iterator[list[object]]:
    yield ["outcome", "difference", "low", "high", "adjusted", "low", "high", "p"]
    found = report.observed
    named = {"spent": found.value, "visits": found.visits, "spent, before": found.before} if found else {}
    for name, one in named.items():
        if one is not None:
            yield [name, *one.raw, *one.effect, one.p]


def _steps(report: Report) -> Iterator[list[object]]:
    yield ["version", "step", "title", "kind", "arrived", "walking", "failed", "outcome", "people", "to"]
    for step in report.steps:
        told = [step.version, step.key, step.title, step.kind, step.arrived, step.walking, step.failed]
        yield from ([*told, outcome, people, to] for outcome, people, to in step.ways or [("", 0, "")])


def _funnel(report: Report) -> Iterator[list[object]]:
    yield ["variant", "channel", *STEPS]
    for step in report.funnel:
        yield [step.name, step.channel, *(getattr(step, name) for name in STEPS)]


def _reasons(report: Report) -> Iterator[list[object]]:
    yield ["status", "reason", "people"]
    for row in report.reasons:
        yield list(row)


def _machines(report: Report) -> Iterator[list[object]]:
    yield ["left out", "because", "messages"]
    for row in report.machines:
        yield list(row)


def _cohorts(report: Report) -> Iterator[list[object]]:
    yield ["week", "held out", "people", "revenue", "reached by week 1, 2, …"]
    for one in report.cohorts:
        yield [one.week.isoformat(), int(one.held), one.people, one.revenue, *one.reached]


def _parts(report: Report) -> Iterator[list[object]]:
    yield ["by", "part", "people", "rate", "people held out", "rate held out", "lift", "low", "high"]
    for one in report.parts:
        held: list[object] = [one.held.people, one.held.rate] if one.held else ["", ""]
        yield [one.kind, one.name, one.treated.people, one.treated.rate, *held, *_cells(one.rate)]


def _curves(report: Report) -> Iterator[list[object]]:
    yield ["most promising first by", "share", "people", "profit", "low", "high"]
    for curve in report.curves:
        for point in curve.points:
            yield [curve.by, point.share, point.people, *point.profit]


def _cells(one: Interval | None) -> list[Any]:
    return [one.effect, one.low, one.high] if one else ["", "", ""]
