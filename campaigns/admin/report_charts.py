"""The drawings of a report."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from campaigns.reporting.report_parts import Curve
from campaigns.reporting.reports import Report
from crm.charts import Chart, Series
from crm.models import Channel

COLOURS = ("primary", "amber", "blue", "red", "grey")


def days(report: Report) -> Chart | None:
    """Return who had reached the goal by the end of which day."""
    if not report.days:
        return None
    names = {False: (_("Assigned a message"), "primary"), True: (_("Held out"), "grey")}
    if report.observed is not None:
        names[False] = _("Reached"), "primary"
    values = {held: list(shares) for held, shares in report.days.items()}
    longest = max(map(len, values.values()))
    return Chart(
        id="days",
        title=_("Who had reached the goal by which day"),
        labels=[str(day + 1) for day in range(longest)],
        label_title=_("Day"),
        series=[
            Series(
                label=names[held][0],
                values=[*shares, *[None] * (longest - len(shares))],  # of two groups one may have been watched longer
                unit="percent",
                colour=names[held][1],
                dashed=held,
            )
            for held, shares in sorted(values.items())
        ],
        x_title=_("Days since the assignment"),
        y_title=_("Share of people"),
        height=240,
    )


def funnel(report: Report) -> Chart | None:
    """Return how many messages came how far, of our own campaigns."""
    if not report.funnel or report.observed is not None:
        return None
    names = {
        "assigned": _("Assigned"),
        "accepted": _("Accepted"),
        "delivered": _("Delivered"),
        "clicked": _("Clicked"),
        "converted": _("Reached the goal"),
    }
    return Chart(
        id="funnel",
        title=_("Funnel"),
        labels=list(names.values()),
        label_title=_("Step"),
        series=[
            Series(
                label=f"{step.name}, {Channel(step.channel).label}",
                values=[getattr(step, name) for name in names],
                kind="bar",
                colour=COLOURS[place % len(COLOURS)],
            )
            for place, step in enumerate(report.funnel)
        ],
        height=260,
    )


def order_of(curve: Curve) -> str:
    """Return by what the most promising came first."""
    if curve.by == "value_before":
        return _("by what they bought before")
    return _("by the score “%(model)s”") % {"model": curve.by}


def profit(report: Report) -> Chart | None:
    """Return what would have been left of revenue after the cost, had only a share been reached."""
    curves = [curve for curve in report.curves if curve.points]
    if not curves:
        return None
    # Of few people one order may have fewer steps than another: what it says nothing of is a gap.
    shares = sorted({point.share for curve in curves for point in curve.points})
    series = [
        Series(label=order_of(curve), values=_at(curve, shares, 0), unit="money", colour=COLOURS[place])
        for place, curve in enumerate(curves)
    ]
    for place, label in ((1, _("at least")), (2, _("at most"))):
        values = _at(curves[0], shares, place)
        series.append(Series(label=label, values=values, unit="money", colour="soft", dashed=True))
    return Chart(
        id="profit",
        title=_("Profit by the share of people reached"),
        labels=[f"{share:.0%}" for share in shares],
        label_title=_("Share reached"),
        series=series,
        x_title=_("Share of people reached, the most promising first"),
        y_title=report.currency,
        from_zero=False,
        height=280,
    )


def _at(curve: Curve, shares: Sequence[float], place: int) -> list[float | None]:
    found = {point.share: point.profit[place] for point in curve.points}
    return [found.get(share) for share in shares]
