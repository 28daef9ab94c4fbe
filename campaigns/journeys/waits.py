"""How long somebody who has come to a step stays there, by the clock on her wall."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.journeys.graph import Step, Wait, WaitForEvent, WaitForTime


def until(step: Step, since: datetime, zone: ZoneInfo) -> datetime:
    """Return when somebody goes on who came to a step at a moment: that moment where the step is no wait.

    >>> friday = datetime(2026, 3, 6, 20, tzinfo=UTC)
    >>> office = WaitForTime(key="a", begins=time(9), ends=time(17), weekdays=(0, 1, 2, 3, 4))
    >>> until(office, friday, ZoneInfo("UTC")).isoformat()
    '2026-03-09T09:00:00+00:00'
    """
    match step:
        case Wait():
            return since + step.length
        case WaitForEvent():
            return since + step.longest
        case WaitForTime():
            return _within(step, since, zone)
    return since


def until_hour(hour: int | None, since: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock shows an hour next: the moment itself within that hour, and where no hour is asked for.

    >>> friday = datetime(2026, 3, 6, 20, 30, tzinfo=UTC)
    >>> [until_hour(hour, friday, ZoneInfo("UTC")).isoformat()[5:16] for hour in (20, 22, 8, None)]
    ['03-06T20:30', '03-06T22:00', '03-07T08:00', '03-06T20:30']
    """
    here = since.astimezone(zone)
    if hour is None or here.hour == hour:
        return since
    on = here.date() if here.hour < hour else here.date() + timedelta(days=1)
    return _moment(on, time(hour), zone)


def _within(step: WaitForTime, since: datetime, zone: ZoneInfo) -> datetime:
    day = since.astimezone(zone).date()
    for later in range(9):  # of eight days one is the right weekday, whatever was over when it began
        on = day + timedelta(days=later)
        begins, ends = _moment(on, step.begins, zone), _moment(on, step.ends, zone)
        if ends > since and (not step.weekdays or on.weekday() in step.weekdays):
            return max(begins, since)
    raise AssertionError(step)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """Return when a clock shows a time: the first time that it does, or as soon as it has been set over it."""
    return datetime.combine(day, at, zone).astimezone(UTC)
