"""The first page: what people did lately, what the models say of them, whether the models can be trusted, what runs.

"Lately" ends with the data, not with the clock: an imported history of 2017 is shown as it was at its end.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.conf import settings
from django.core.cache import BaseCache
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from config import next_steps, private_dashboard, questions
from crm import activity
from crm.activity import Day
from crm.audit import figures
from crm.charts import Chart, Series, written
from crm.models import JobRun
from mlengine.admin import overview, private
from mlengine.figures import end_of_data

KEPT_SECONDS = 60
DAYS_READ = 90
WINDOWS = ((30, 0), (60, 30), (90, 0), (180, 90))

Kept = TypeVar("Kept")


@dataclass(frozen=True, kw_only=True)
class Card:
    """One figure, how it compares with the period before, and its recent course."""

    label: str
    value: str
    change: float | None
    against: str
    spark: Chart
    private: bool = False

    @property
    def direction(self) -> str:
        if self.change is None or abs(self.change) < 0.0005:
            return "flat"
        return "up" if self.change > 0 else "down"

    @property
    def change_text(self) -> str:
        return "–" if self.change is None else f"{'+' if self.change > 0 else ''}{written(self.change, 'percent')}"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is counted of the log, and kept for a minute; it holds no words, so it serves every language."""

    now: datetime
    days: Sequence[Day]
    active: dict[tuple[int, int], int]
    currencies: Sequence[str]

    @property
    def currency(self) -> str:
        """The currency of the revenue; all of them where there are several, for they are added as they are."""
        return " + ".join(self.currencies) or str(settings.CURRENCY)


def page(user: Any, *, days: int, now: datetime, cache: BaseCache) -> dict[str, Any]:
    """Return what the dashboard shows this person; a part that the group may not see is not even counted."""
    context: dict[str, Any] = {
        "days": days,
        "sees_jobs": user.has_perm("crm.view_jobrun"),
        "steps": next_steps.steps(user, now),
        "actions": next_steps.actions(user),
        "now": now,
    }
    if is_officer(user):
        return context | {"compliance": figures.facts(now, cache), "sees_jobs": False}
    if not private.sees_people(user):
        context |= private_dashboard.page(user, now) if user.has_perm("crm.view_release") else {}
    elif user.has_perm("crm.view_event"):
        # Named after its fields: what an earlier release kept is not read as ours.
        record = _kept(cache, "-".join(["dashboard", *Record.__dataclass_fields__]), read)
        context |= {"record": record, "empty": record is None}
        if record is not None:
            context |= {"cards": cards(record), "activity": activity_chart(record, days), "now": record.now}
    if user.has_perm("mlengine.view_predictionrun"):
        context |= overview.people(user, now) | {"questions": questions.answerable(user)}
    if user.has_perm("mlengine.view_modelversion"):
        context |= {"health": overview.health(now=now)}
    if context["sees_jobs"]:
        jobs = JobRun.objects.select_related("requested_by")
        context |= {"jobs": jobs.active().order_by("-created_at")[:8], "ended_jobs": _ended(jobs)}
    return context


def is_officer(user: Any) -> bool:
    """Return whether somebody's day begins with requests and proofs instead of sales; a superuser sees everything."""
    return user.has_perm("crm.handle_privacyrequest") and not user.is_superuser


def read() -> Record | None:
    """Count the log up to the last whole day that it knows; ``None`` if it is empty."""
    end = end_of_data()
    if end is None:
        return None
    found = _up_to(end)
    if any(day.events for day in found.days):
        return found
    # On the first day of all there is no whole day yet: half of one is better than nothing.
    return _up_to(activity.latest() or end)


def _up_to(now: datetime) -> Record:
    days = activity.by_day(now, days=DAYS_READ)
    return Record(
        now=now,
        days=days,
        active=activity.active_people(now, WINDOWS),
        currencies=activity.currencies(now, days=7),
    )


def cards(record: Record) -> list[Card]:
    days = record.days
    last, before = days[-30:], days[-60:-30]
    currency = record.currency
    revenue, revenue_before = _sum(day.revenue for day in last), _sum(day.revenue for day in before)
    events, events_before = sum(day.events for day in last) / 30, sum(day.events for day in before) / 30
    return [
        _people_card(record, 30),
        _people_card(record, 90),
        Card(
            label=_("Revenue, last 30 days (%(currency)s)") % {"currency": currency},
            value=written(float(revenue), "integer"),
            change=_change(revenue, revenue_before),
            against=_("30 days before: %s") % written(float(revenue_before), "integer"),
            spark=_spark("revenue", [float(day.revenue) for day in last], last),
        ),
        Card(
            label=_("Events per day, last 30 days"),
            value=written(events, "integer"),
            change=_change(events, events_before),
            against=_("30 days before: %s") % written(events_before, "integer"),
            spark=_spark("events", [day.events for day in last], last),
        ),
    ]


def _people_card(record: Record, days: int) -> Card:
    now, before = record.active[days, 0], record.active[2 * days, days]
    window = record.days[-days:]
    return Card(
        label=_("Active people, last %(days)d days") % {"days": days},
        value=written(now, "integer"),
        change=_change(now, before),
        against=_("%(days)d days before: %(value)s") % {"days": days, "value": written(before, "integer")},
        spark=_spark(f"people{days}", [day.people for day in window], window),
    )


def activity_chart(record: Record, days: int) -> Chart:
    """Return events and revenue by day, each on its own axis."""
    shown = record.days[-days:]
    revenue = Series(
        label=_("Revenue"),
        values=[float(day.revenue) for day in shown],
        unit="money",
        fill=True,
    )
    events = Series(label=_("Events"), values=[day.events for day in shown], colour="amber", axis="y2")
    return Chart(
        id="activity",
        title=_("Events and revenue by day"),
        labels=[date_format(day.day, "MONTH_DAY_FORMAT") for day in shown],
        label_title=_("Day"),
        series=[revenue, events],
        y_title=_("Revenue (%(currency)s)") % {"currency": record.currency},
        height=260,
    )


def _spark(name: str, values: Sequence[float], days: Sequence[Day]) -> Chart:
    labels = [date_format(day.day, "MONTH_DAY_FORMAT") for day in days]
    return Chart(id=f"spark-{name}", title=name, labels=labels, series=[Series(label=name, values=values, fill=True)])


def _ended(jobs: Any) -> Any:
    return jobs.exclude(finished_at=None).order_by("-finished_at")[:5]


def _sum(values: Any) -> Decimal:
    return sum(values, Decimal(0))


def _change(now: float | Decimal, before: float | Decimal) -> float | None:
    return float(now) / float(before) - 1 if before else None


def _kept(cache: BaseCache, key: str, count: Callable[[], Kept]) -> Kept:
    found = cache.get(key)
    if found is not None:
        kept: Kept = found
        return kept
    made = count()
    if made is not None:  # an empty house is asked again at once, so that the first import shows
        cache.set(key, made, KEPT_SECONDS)
    return made
