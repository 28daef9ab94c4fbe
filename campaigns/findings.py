"""What a report says, in words, in the reader's language; and as lines of a file."""

from collections.abc import Iterator
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.lift import Interval
from campaigns.reports import UNLIKELY, Report
from crm import spreadsheets
from crm.charts import rounded
from crm.models import Event

CAVEATS = {
    "nobody": _("Nobody has been assigned yet."),
    "no_holdout": _("Nobody was held out, so nobody can say what would have happened without the campaign."),
    "too_few": _("Too few people have reached the goal so far, or too few were held out, to say what was caused."),
    "sample_ratio": _(
        "The groups are not of the sizes that they were drawn with: something took people out of one of them, and what"
        " is said of the effect cannot be trusted until it is found."
    ),
    "window_open": _("The attribution window is still open: the figures are of what has happened so far."),
    "currencies": _("Purchases were paid in several currencies; only those in the commonest are counted as revenue."),
}


def headline(report: Report) -> str:
    """Return in one sentence what the campaign caused, or that it cannot be said."""
    if report.lift is None:
        return gettext("What the campaign caused cannot be said.")
    found = report.lift.rate
    facts = {"low": per_thousand(found.low), "high": per_thousand(found.high), "goal": goal_of(report)}
    if found.low > 0:
        return gettext(
            "The campaign caused between %(low)s and %(high)s more people per 1,000 to reach the goal: %(goal)s."
        ) % (facts)
    if found.high < 0:
        facts |= {"low": per_thousand(-found.high), "high": per_thousand(-found.low)}
        return gettext(
            "The campaign kept between %(low)s and %(high)s people per 1,000 from reaching the goal: %(goal)s."
        ) % (facts)
    facts["low"] = per_thousand(-found.low)
    return gettext(
        "An effect cannot be told from chance: between %(low)s people fewer and %(high)s more per 1,000 reached the"
        " goal (%(goal)s) because of the campaign."
    ) % (facts)


def goal_of(report: Report) -> str:
    name = str(Event.Kind(report.campaign.goal).label)
    return f"{name} “{report.campaign.goal_name}”" if report.campaign.goal_name else name


def per_thousand(share: float) -> str:
    return rounded(share * 1000, 1)


def caveats(report: Report) -> list[str]:
    return [str(CAVEATS[code]) for code in report.caveats]


def method(report: Report) -> str:
    """Return in a few sentences how the effect was measured."""
    days = report.campaign.attribution_window.total_seconds() / 86400
    told = [
        gettext(
            "Everybody who was assigned counts, reached or not, with what happened within %(days)s days from then;"
            " refunds take away from revenue. The intervals hold at 95 %% however often one looks."
        )
        % {"days": rounded(days, 0 if days == int(days) else 1)}
    ]
    if report.lift and max(report.lift.spared_rate, report.lift.spared_value) > 0.01:
        told.append(
            gettext("Knowing what the same people did before made the interval of revenue %(share)s %% narrower.")
            % {"share": rounded(100 * (1 - (1 - report.lift.spared_value) ** 0.5), 0)}
        )
    if len(report.variants) > 1:
        told.append(gettext("Intervals and p-values of variants are corrected for there being several."))
    if report.sample_ratio >= UNLIKELY:
        told.append(gettext("The groups are of the sizes that were planned (p = %(p)s).") % {"p": p(report)})
    return " ".join(told)


def p(report: Report) -> str:
    return rounded(report.sample_ratio, 3)


def lines(report: Report) -> Iterator[str]:
    """Yield the report as a file for spreadsheets: a line for each group and each channel's step."""
    yield spreadsheets.MARK + spreadsheets.line([report.campaign.name, moment_of(report), headline(report)])
    yield spreadsheets.line([])
    heads = ("group", "people", "converted", "rate", "revenue", "lift", "lift_low", "lift_high", "p")
    yield spreadsheets.line([*heads, "revenue_each_lift", "revenue_each_low", "revenue_each_high", "currency"])
    for group in report.groups:
        one = report.variants.get(group.variant or 0)
        told: list[object] = [group.name or gettext("held out"), group.people, group.converted, group.rate]
        told += [group.revenue, *(_cells(one.rate) if one else ["", "", ""]), one.p if one else ""]
        yield spreadsheets.line([*told, *(_cells(one.value) if one else ["", "", ""]), report.currency])
    yield spreadsheets.line([])
    steps = ("assigned", "accepted", "delivered", "bounced", "failed", "unknown", "clicked", "converted", "cost")
    yield spreadsheets.line(["variant", "channel", *steps])
    for step in report.funnel:
        yield spreadsheets.line([step.name, step.channel, *(getattr(step, name) for name in steps)])
    yield spreadsheets.line([])
    yield spreadsheets.line(["status", "reason", "people"])
    for row in report.reasons:
        yield spreadsheets.line(row)


def _cells(one: Interval) -> list[Any]:
    return [one.effect, one.low, one.high]


def moment_of(report: Report) -> str:
    return date_format(localtime(report.made_at), "DATETIME_FORMAT")
