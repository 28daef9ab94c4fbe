"""By whose days and months the platforms count: those of Shanghai, where no clock is ever put forward."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON = time(12)


def day_of(moment: datetime) -> date:
    """Return the platforms' day of a moment."""
    return moment.astimezone(SHANGHAI).date()


def day_begins(moment: datetime) -> datetime:
    """Return the midnight before a moment."""
    return datetime.combine(day_of(moment), time(), SHANGHAI)


def midnight_after(moment: datetime) -> datetime:
    """Return when the platforms' next day begins.

    >>> from datetime import UTC
    >>> midnight_after(datetime(2026, 3, 31, 15, 59, tzinfo=UTC)).astimezone(UTC).isoformat()
    '2026-03-31T16:00:00+00:00'
    """
    return datetime.combine(day_of(moment) + timedelta(days=1), time(), SHANGHAI)


def month_begins(moment: datetime) -> datetime:
    """Return the first midnight of the month."""
    return datetime.combine(day_of(moment).replace(day=1), time(), SHANGHAI)


def month_after(moment: datetime) -> datetime:
    """Return when the next month begins."""
    return month_begins(month_begins(moment) + timedelta(days=32))
