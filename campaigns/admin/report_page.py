"""What the page of a report shows, in the reader's words."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.admin import report_charts, report_steps
from campaigns.admin.deliveries import REASONS as UNKNOWN
from campaigns.admin.reason_words import OF_MANY
from campaigns.bulk import figures
from campaigns.models import Campaign, Delivery, Link
from campaigns.reach.audience import Reason
from campaigns.reporting import findings
from campaigns.reporting.report_parts import Cohort, Compared, Part, Span
from campaigns.reporting.reports import Report
from crm import consent, whiskers
from crm.charts import rounded
from crm.models import Channel, Event
from crm.whiskers import Row, Whisker
from mlengine.models import Cluster

SHOWN_LINKS = 20
SHOWN_WEEKS = 8
LEAST = 0.001  # a p-value below is shown as that
REASONS = {**OF_MANY, **UNKNOWN, **dict((*consent.Reason.choices, *Reason.choices))}
WHY_MACHINES = {
    "head": gettext_lazy("asked for the head of the page only"),
    "prefetch": gettext_lazy("fetched beforehand by a program"),
    "machine": gettext_lazy("said to be a program"),
    "mail_proxy": gettext_lazy("a mail program's privacy proxy"),
    "too_soon": gettext_lazy("within two seconds of the hand-off"),
    "burst": gettext_lazy("many links of one message within a second"),
}
DEVICES = {
    "mobile": gettext_lazy("mobile phone"),
    "tablet": gettext_lazy("tablet"),
    "desktop": gettext_lazy("computer"),
}
KINDS = {
    "before": gettext_lazy("Bought in the weeks before"),
    "age": gettext_lazy("Age band"),
    "cluster": gettext_lazy("Group found by a model"),
}
Tile = tuple[str, str, str]


def about(report: Report) -> dict[str, Any]:
    """Return what the page of a report shows."""
    observed = report.observed
    return {
        "report": report,
        "subtitle": report.campaign.name,
        "headline": findings.headline(report),
        "caveats": findings.caveats(report),
        "method": findings.method(report),
        "goal": findings.goal_of(report),
        "window": findings.window(report),
        "campaign_page": _page(report.campaign),
        "groups": [(group, report.variants.get(group.variant or 0)) for group in report.groups],
        "least": LEAST,
        "steps": [(step, Channel(step.channel).label) for step in report.funnel],
        "tiles": list(_observed_tiles(report) if observed else _tiles(report)),
        "days": report_charts.days(report),
        "journey_steps": report_steps.by_version(report),
        "variants": _variants(report),
        "funnel": report_charts.funnel(report),
        "profit": report_charts.profit(report),
        "cohorts": _cohorts(report.cohorts),
        "weeks": _weeks(report.cohorts),
        "parts": _parts(report.parts) if not observed else [],
        "adjusted": _adjusted(report),
        "overlap": observed.overlap if observed else None,
        "reasons": [(_reason(status, reason), people) for status, reason, people in report.reasons],
        "machines": [
            (Event.Kind(kind).label, WHY_MACHINES.get(why, why), messages) for kind, why, messages in report.machines
        ],
        "links": _links(report.links),
        "many": figures.of(report.campaign),
        "devices": [(DEVICES.get(name, name) or _("unknown"), people) for name, people in report.devices],
    }


def _page(campaign: Campaign) -> str:
    name = "journey_canvas" if campaign.kind == Campaign.Kind.JOURNEY else "campaign_change"
    return reverse(f"admin:campaigns_{name}", args=[campaign.pk])


def _tiles(report: Report) -> Iterator[Tile]:
    """Yield figures to be seen at once: a title, the number, and what it lies between."""
    found, money = report.lift, report.currency
    yield _("People assigned"), rounded(report.assigned, 0), _held(report)
    if found is None:
        yield _("Cost"), f"{rounded(report.cost, 2)} {money}", ""
        return
    yield _("Conversions caused"), rounded(found.conversions[0], 0), between(found.conversions, 0)
    if found.revenue:
        yield _("Revenue caused"), f"{rounded(found.revenue[0], 0)} {money}", between(found.revenue, 0)
    each = f"{rounded(report.cost_each, 2)} {money}" if report.cost_each is not None else "–"
    yield _("Cost of one caused"), each, _("of %(cost)s in all") % {"cost": f"{rounded(report.cost, 2)} {money}"}


def _observed_tiles(report: Report) -> Iterator[Tile]:
    found, money = report.observed, report.currency
    group = report.groups[0] if report.groups else None
    yield _("People reached"), rounded(report.assigned, 0), _("chosen by another system")
    if group is not None:
        yield _("Redeemed a coupon"), f"{rounded(100 * group.rate, 1)} %", _people(group.converted)
    if found is not None and found.value is not None:
        yield (
            _("Adjusted difference, each"),
            f"{rounded(found.value.effect[0], 2)} {money}",
            between(found.value.effect),
        )
        yield _("Plain difference, each"), f"{rounded(found.value.raw[0], 2)} {money}", _("misleading: see below")


def _people(number: int) -> str:
    return _("%(people)s people") % {"people": rounded(number, 0)}


def _held(report: Report) -> str:
    if report.held is None:
        return _("nobody held out")
    return _("%(people)s of them held out") % {"people": rounded(report.held.people, 0)}


def between(span: Span, digits: int = 2) -> str:
    return _("between %(low)s and %(high)s") % {"low": rounded(span[1], digits), "high": rounded(span[2], digits)}


def written(span: Span, digits: int) -> str:
    """Return an interval as a table has it."""
    effect, low, high = (rounded(number, digits) for number in span)
    return f"{effect} [{low}, {high}]"


def _variants(report: Report) -> list[Whisker]:
    found = [
        (group, report.variants[group.variant])
        for group in report.groups
        if group.variant is not None and group.variant in report.variants
    ]
    spans = [(group.name, _thousand((one.rate.effect, one.rate.low, one.rate.high))) for group, one in found]
    return whiskers.drawn([Row(label=name, note="", text=written(span, 1), span=span) for name, span in spans])


def _thousand(span: Span) -> Span:
    return span[0] * 1000, span[1] * 1000, span[2] * 1000


def _adjusted(report: Report) -> list[Whisker]:
    """Return the plain and the adjusted difference in spending, and the adjusted one of the time before."""
    found = report.observed
    if found is None or found.value is None:
        return []
    rows: list[tuple[str, str, Span, bool]] = [
        (_("Plain difference"), _("mixes the campaign with whom it chose"), found.value.raw, True),
        (_("Adjusted"), _("beside others like them"), found.value.effect, False),
    ]
    if found.before is not None:
        rows.append((_("Test: the time before"), _("should be nothing"), found.before.effect, False))
    return whiskers.drawn(
        [Row(label=label, note=note, text=written(span, 2), span=span, pale=pale) for label, note, span, pale in rows]
    )


def _weeks(cohorts: Sequence[Cohort]) -> list[int]:
    return list(range(1, min(SHOWN_WEEKS, max((len(one.reached) for one in cohorts), default=0)) + 1))


def _cohorts(cohorts: Sequence[Cohort]) -> list[dict[str, Any]]:
    """Return the cohorts as rows; a cell is the share reached by the end of a week and its depth of colour (0 to 9)."""
    most = max((share for one in cohorts for share in one.reached[:SHOWN_WEEKS]), default=0.0) or 1.0
    weeks = len(_weeks(cohorts))
    return [
        {
            "week": date_format(one.week, "DATE_FORMAT"),
            "held": one.held,
            "people": one.people,
            "each": one.revenue / one.people if one.people else 0.0,
            "cells": [(share, round(9 * share / most)) for share in _padded(one, weeks)],
        }
        for one in cohorts
    ]


def _padded(one: Cohort, weeks: int) -> list[float]:
    """Return a share for each week: after the last week in which anybody reached the goal it stays as it was."""
    reached = list(one.reached[:weeks])
    return reached + [reached[-1] if reached else 0.0] * (weeks - len(reached))


def _parts(parts: Sequence[Part]) -> list[tuple[str, list[Whisker]]]:
    """Return, by kind, the parts in which a comparison is possible; kinds with one part only say nothing new."""
    found = []
    for kind, title in KINDS.items():
        among = sorted((part for part in parts if part.kind == kind), key=lambda part: part.name != "yes")
        if len(among) > 1 and any(part.rate for part in among):
            found.append((str(title), whiskers.drawn([_part(part) for part in among])))
    return found


def _part(part: Part) -> Row:
    span = _thousand((part.rate.effect, part.rate.low, part.rate.high)) if part.rate else None
    people = part.treated.people + (part.held.people if part.held else 0)
    return Row(label=part_name(part), note=_people(people), text=written(span, 1) if span else _("too few"), span=span)


def part_name(part: Part) -> str:
    match part.kind:
        case "before":
            return _("Yes") if part.name == "yes" else _("No")
        case "cluster":
            found = Cluster.objects.filter(spec="rfm", code=part.name).first()
            return str(found) if found else part.name
    return part.name


def _reason(status: str, reason: str) -> str:
    words = str(REASONS.get(reason, reason.replace("_", " ")))
    return f"{Delivery.Status(status).label}: {words}"


def _links(links: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    shown = list(links)[:SHOWN_LINKS]
    rows = Link.objects.filter(pk__in=[name for name, _people in shown if name.isdecimal()])
    named = {str(row.pk): row.label or row.url for row in rows}
    return [(named.get(name, name) or _("another link"), people) for name, people in shown]


def observed_text(found: Compared | None) -> str:
    return written(found.effect, 2) if found else "–"
