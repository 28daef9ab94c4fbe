"""The first page of somebody who may not see people: the same questions, told with noise, by week."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import ceil, sqrt
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.charts import Chart, Series, written
from mlengine.admin import private
from mlengine.admin.private import Answered

NAMES = ("active-people", "weekly-people", "weekly-events", "weekly-revenue")
MONTH = 4  # weeks


@dataclass(frozen=True, kw_only=True)
class Card:
    """One private figure, how far the truth may be, and the weeks that it is of."""

    label: str
    value: str
    note: str
    spark: Chart


def page(user: Any, now: datetime) -> dict[str, Any]:
    """Return the cards and the chart, or why there are none."""
    found = private.all_of(NAMES, user, now)
    refused = next((part.refused for part in found.values() if part.refused), "")
    context: dict[str, Any] = {"budget": private.budget(user, now), "private_refused": refused, "private": True}
    if refused:
        return context
    weeks = {name.removeprefix("weekly-"): found[name] for name in NAMES[1:]}
    told = found["active-people"].told
    assert told is not None  # noqa: S101 (nothing was refused)
    return context | {
        "private_now": told.data_at,
        "private_cards": [*_people(found["active-people"], weeks["people"]), *_sums(weeks)],
        "private_activity": activity_chart(weeks["events"], weeks["revenue"]),
    }


def _people(active: Answered, weekly: Answered) -> list[Card]:
    assert active.told is not None  # noqa: S101
    cells, margin = active.told.cells.told, active.told.margin
    return [
        Card(
            label=_("Active people, last %(days)d days") % {"days": days},
            value=private.about(cells[f"{days}-0"], margin),
            note=_("%(days)d days before: %(value)s")
            % {"days": days, "value": private.about(cells[f"{2 * days}-{days}"], margin)},
            spark=_spark(f"people{days}", weekly),
        )
        for days in (30, 90)
    ]


def _sums(weeks: dict[str, Answered]) -> list[Card]:
    """Return sums over the last four weeks: of what was told already, so they cost nothing."""
    labels = {"revenue": _("Revenue, last 4 weeks"), "events": _("Events, last 4 weeks")}
    cards = []
    for name, label in labels.items():
        values = _values(weeks[name])
        told = weeks[name].told
        margin = ceil(told.margin * sqrt(MONTH)) if told else 0
        before = private.about(sum(values[-2 * MONTH : -MONTH]), margin)
        cards.append(
            Card(
                label=label,
                value=private.about(sum(values[-MONTH:]), margin),
                note=_("4 weeks before: %s") % before,
                spark=_spark(name, weeks[name]),
            )
        )
    return cards


def activity_chart(events: Answered, revenue: Answered) -> Chart:
    """Return events and revenue by week, each on its own axis."""
    return Chart(
        id="activity",
        title=_("Events and revenue by week"),
        labels=_labels(events),
        label_title=_("Week from"),
        series=[
            Series(label=_("Revenue"), values=_values(revenue), fill=True),
            Series(label=_("Events"), values=_values(events), colour="amber", axis="y2"),
        ],
        height=260,
        note=_("Private: revenue ± %(revenue)s, events ± %(events)s a week.")
        % {"revenue": revenue.margin, "events": events.margin},
    )


def _values(part: Answered) -> Sequence[int]:
    return list(part.told.cells.told.values()) if part.told else []


def _labels(part: Answered) -> list[str]:
    days = list(part.told.cells.told) if part.told else []
    return [date_format(date.fromisoformat(day), "MONTH_DAY_FORMAT") for day in days]


def _spark(name: str, part: Answered) -> Chart:
    label = written(None, "integer") if part.told is None else part.title
    series = [Series(label=label, values=_values(part), fill=True)]
    return Chart(id=f"spark-{name}", title=name, labels=_labels(part), series=series)
