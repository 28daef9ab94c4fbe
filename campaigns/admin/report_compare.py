"""Campaigns beside one another: what each caused, on one scale; imported ones apart, for theirs are estimates."""

from collections.abc import Sequence
from typing import Any

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from campaigns.admin.report_page import written
from campaigns.reporting.intervals import holm
from campaigns.reporting.report_parts import Span
from campaigns.reporting.reports import Report
from crm import whiskers
from crm.charts import Chart, Series, rounded
from crm.whiskers import Row, Whisker


def about(reports: Sequence[Report]) -> dict[str, Any]:
    """Return what the page shows: our own campaigns with a holdout, and what other systems sent."""
    ours = [report for report in reports if report.observed is None]
    imported = [report for report in reports if report.observed is not None]
    return {
        "ours": whiskers.drawn([_our_row(report) for report in ours]),
        "imported": _pairs(imported),
        "imported_rows": [_facts(report) for report in imported],
        "response": _response(imported),
        "sure": len(_sure(imported)),
        "estimated": len([1 for report in imported if report.observed and report.observed.value]),
        "failed": len([1 for report in imported if "placebo" in report.caveats]),
        "currency": imported[0].currency if imported else "",
    }


def _our_row(report: Report) -> Row:
    found = report.lift
    span: Span | None = None
    if found is not None:
        span = found.rate.effect * 1000, found.rate.low * 1000, found.rate.high * 1000
    return Row(
        label=report.campaign.name,
        note=_people(report),
        text=written(span, 1) if span else _("cannot be said"),
        span=span,
        address=_address(report),
    )


def _pairs(reports: Sequence[Report]) -> list[Whisker]:
    """Return the plain and the adjusted difference in spending of each campaign that has them, on one scale."""
    rows = []
    for report in reports:
        found = report.observed.value if report.observed else None
        if found is None:
            continue
        name, address = report.campaign.name.removeprefix("Complete Journey "), _address(report)
        told = written(found.raw, 0)
        rows.append(Row(label=name, note=_("plain"), text=told, span=found.raw, pale=True, address=address))
        rows.append(Row(label="", note=_("adjusted"), text=written(found.effect, 0), span=found.effect))
    return whiskers.drawn(rows)


def _facts(report: Report) -> dict[str, Any]:
    group = report.groups[0] if report.groups else None
    found = report.observed
    begins = report.campaign.starts_at
    return {
        "name": report.campaign.name,
        "address": _address(report),
        "begins": date_format(localtime(begins), "DATE_FORMAT") if begins else "–",
        "days": rounded(report.campaign.attribution_window.total_seconds() / 86400, 0),
        "people": report.assigned,
        "redeemed": group.converted if group else 0,
        "rate": group.rate if group else 0.0,
        "raw": written(found.value.raw, 0) if found and found.value else "–",
        "adjusted": written(found.value.effect, 0) if found and found.value else "–",
        "visits": written(found.visits.effect, 1) if found and found.visits else "–",
        "before": written(found.before.effect, 0) if found and found.before else "–",
        "sure": bool(found and found.value and found.value.sure),
    }


def _sure(reports: Sequence[Report]) -> list[Report]:
    """Return those whose adjusted difference is told from nothing even among so many looked at together (Holm)."""
    found = [(report, report.observed.value.p) for report in reports if report.observed and report.observed.value]
    corrected = holm([p for _report, p in found])
    return [report for (report, _p), p in zip(found, corrected, strict=True) if p < 0.05]


def _response(reports: Sequence[Report]) -> Chart | None:
    if not reports:
        return None
    groups = [(report, report.groups[0]) for report in reports if report.groups]
    return Chart(
        id="response",
        title=_("Who redeemed a coupon, of those reached"),
        labels=[report.campaign.name.removeprefix("Complete Journey ") for report, _group in groups],
        label_title=_("Campaign"),
        series=[
            Series(label=_("Redeemed"), values=[group.rate for _report, group in groups], kind="bar", unit="percent")
        ],
        horizontal=True,
        legend=False,
        height=60 + 24 * len(groups),
    )


def _address(report: Report) -> str:
    return reverse("admin:campaigns_figures_change", args=[report.campaign.pk])


def _people(report: Report) -> str:
    return _("%(people)s people") % {"people": rounded(report.assigned, 0)}
