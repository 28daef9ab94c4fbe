"""What a report says, in words, in the reader's language."""

from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.reporting.intervals import FEWEST, FEWEST_PAID
from campaigns.reporting.report_parts import Compared
from campaigns.reporting.reports import UNLIKELY, Report
from crm.charts import rounded
from crm.models import Event

CAVEATS = {
    "nobody": _("Nobody has been assigned yet."),
    "no_holdout": _("Nobody was held out, so nobody can say what would have happened without the campaign."),
    "too_few": _("Too few people have reached the goal so far, or too few were held out, to say what was caused."),
    "too_few_paid": _("Too few people have paid so far in one of the groups to say how much revenue was caused."),
    "sample_ratio": _(
        "The groups are not of the sizes that they were drawn with: something took people out of one of them, and what"
        " is said of the effect cannot be trusted until it is found."
    ),
    "window_open": _("The attribution window is still open: the figures are of what has happened so far."),
    "currencies": _("Purchases were paid in several currencies; only those in the commonest are counted as revenue."),
    "not_drawn": _(
        "Another system chose whom to reach; nobody was drawn by lot and nobody held out. What is said of an effect is"
        " an estimate after adjusting for what the record knows, not a proof."
    ),
    "no_history": _("The record begins too shortly before this campaign to adjust for what people did before."),
    "no_placebo": _("The record begins too shortly before this campaign to test the adjustment on an earlier time."),
    "placebo": _(
        "The adjustment failed its test: in the weeks before, when the campaign could do nothing, it found a difference"
        " too. Do not read the estimate as an effect."
    ),
    "unlike": _("Even after weighting, those reached and the others differ in what they did before."),
    "cut": _("The record ends before the campaign did; only the time until then is counted."),
}


def headline(report: Report) -> str:
    """Return in one sentence what the campaign caused, or that it cannot be said."""
    if report.observed is not None:
        return _observed(report.observed.value, report.currency)
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


def _observed(found: Compared | None, currency: str) -> str:
    if found is None:
        return gettext("What the campaign caused cannot be said.")
    effect, low, high = (rounded(number, 2) for number in found.effect)
    facts = {"effect": effect, "low": low, "high": high, "currency": currency}
    if found.sure:
        return gettext(
            "Those reached spent %(effect)s %(currency)s each more than others like them (between %(low)s and"
            " %(high)s), as far as the record can tell."
        ) % (facts)
    return gettext(
        "Beside others like them, those reached spent no clearly different amount: %(effect)s %(currency)s each"
        " (between %(low)s and %(high)s)."
    ) % (facts)


def goal_of(report: Report) -> str:
    name = str(Event.Kind(report.campaign.goal).label)
    return f"{name} “{report.campaign.goal_name}”" if report.campaign.goal_name else name


def per_thousand(share: float) -> str:
    return rounded(share * 1000, 1)


def caveats(report: Report) -> list[str]:
    return [str(CAVEATS[code]) for code in report.caveats]


def window(report: Report) -> str:
    """Return the attribution window in days."""
    days = report.campaign.attribution_window.total_seconds() / 86400
    return rounded(days, 0 if days == int(days) else 1)


def method(report: Report) -> str:
    """Return in a few sentences how the effect was measured."""
    told = list(_observing(report) if report.observed is not None else _experimenting(report))
    return " ".join(told)


def _observing(report: Report) -> Any:
    yield gettext(
        "A success is a coupon redeemed within %(days)s days. The estimate compares those reached with people who"
        " bought in the same twelve weeks before and were not reached, made alike by what both spent, visited,"
        " redeemed and were sent (doubly robust, cross-fitted); its interval is of 95 %%, for one look."
    ) % {"days": window(report)}
    if report.observed and report.observed.before:
        yield gettext("As a test the same was estimated for a time as long just before the campaign.")


def _experimenting(report: Report) -> Any:
    yield gettext(
        "Everybody who was assigned counts, reached or not, with what happened within %(days)s days from then; refunds"
        " take away from revenue."
    ) % {"days": window(report)}
    if report.steps:
        yield gettext("Those who entered a version stand beside those who were held out of the same one.")
    yield gettext(
        "The intervals hold at 95 %% however often one looks, from the first look on at which %(few)s people in each"
        " group had reached the goal and %(few)s had not (for revenue: %(paid)s who paid). They rest on a normal"
        " approximation, which so many people justify in simulations."
    ) % {"few": FEWEST, "paid": FEWEST_PAID}
    if report.lift and report.lift.value and report.lift.spared_value > 0.01:
        yield gettext("Knowing what the same people did before made the interval of revenue %(share)s %% narrower.") % {
            "share": rounded(100 * (1 - (1 - report.lift.spared_value) ** 0.5), 0)
        }
    if len(report.variants) > 1:
        yield gettext("Intervals and p-values of variants are corrected for there being several.")
    if report.sample_ratio >= UNLIKELY:
        yield gettext("The groups are of the sizes that were planned (p = %(p)s).") % {"p": p(report)}


def p(report: Report) -> str:
    return rounded(report.sample_ratio, 3)


def moment_of(report: Report) -> str:
    return date_format(localtime(report.made_at), "DATETIME_FORMAT")
