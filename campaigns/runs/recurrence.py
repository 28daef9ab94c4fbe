"""When a campaign runs again: every so many days, weeks or months at an hour on the organisation's wall.

On the night in which clocks go forward an hour may not exist: the run is at the moment that the clock jumps past it. In
the night in which they go back it exists twice: the run is in the first.
"""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import count, takewhile
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

UNITS = ("day", "week", "month")
MOST_EVERY = 366


class TimingError(ValueError):
    """A timing that is not understood; the message names the field."""


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """Every ``every`` days, weeks or months at ``at`` on the wall."""

    every: int
    unit: str
    at: time

    @classmethod
    def parse(cls, told: Mapping[str, object]) -> "Recurrence":
        every, unit, at = told.get("every", 1), told.get("unit"), told.get("at")
        if isinstance(every, bool) or not isinstance(every, int) or not 1 <= every <= MOST_EVERY:
            raise TimingError(gettext("“every” is a whole number from 1 to %(most)d.") % {"most": MOST_EVERY})
        if unit not in UNITS:
            raise TimingError(gettext("“unit” is day, week or month."))
        try:
            hour = time.fromisoformat(str(at))
        except ValueError as error:
            raise TimingError(gettext("“at” is an hour such as 10:00.")) from error
        if hour.tzinfo is not None:
            raise TimingError(gettext("“at” is an hour such as 10:00."))
        return cls(every=every, unit=str(unit), at=hour)


def after(rule: Recurrence, begins: datetime, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the first run later than a moment; days are counted from the one of ``begins``. In UTC."""
    return next(at for at in _near(rule, begins, moment, zone) if at > moment and at >= begins)


def at_or_after(rule: Recurrence, begins: datetime, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the first run at a moment or later; in UTC."""
    return after(rule, begins, moment - timedelta(microseconds=1), zone)


def before_or_at(rule: Recurrence, begins: datetime, moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the last run at a moment or earlier, of which there must be one; in UTC."""
    return [at for at in takewhile(lambda at: at <= moment, _near(rule, begins, moment, zone)) if at >= begins][-1]


def _near(rule: Recurrence, begins: datetime, moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    first = begins.astimezone(zone).date()
    return (on(day, rule.at, zone) for day in _days(rule, first, moment.astimezone(zone).date()))


def on(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return the moment at which the wall says this; in UTC.

    >>> on(date(2026, 3, 29), time(2, 30), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    local = datetime.combine(day, at, zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local.replace(tzinfo=None):
        return moment
    # The hour was skipped: the jump lies between what the two offsets around it make of the wall's time.
    earliest, latest = sorted((moment, local.replace(fold=1).astimezone(UTC)))
    while latest - earliest > timedelta(seconds=1):
        middle = earliest + (latest - earliest) / 2
        if middle.astimezone(zone).replace(tzinfo=None) < local.replace(tzinfo=None):
            earliest = middle
        else:
            latest = middle
    return latest.replace(microsecond=0)


def _days(rule: Recurrence, first: date, near: date) -> Iterator[date]:
    """Yield the days of the runs from a little before ``near`` on, counted from the first, so that none drifts."""
    if rule.unit == "month":
        months = (near.year - first.year) * 12 + near.month - first.month
        steps = max(0, months // rule.every - 2)
        return (_month_later(first, step * rule.every) for step in count(steps))
    length = rule.every * (7 if rule.unit == "week" else 1)
    steps = max(0, (near - first).days // length - 2)
    return (first + timedelta(days=step * length) for step in count(steps))


def _month_later(first: date, months: int) -> date:
    """Return the same day of a later month, or its last one: a run on the 31st is on the 30th in April."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, min(first.day, monthrange(year, month + 1)[1]))
