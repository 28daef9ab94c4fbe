"""When a campaign runs again, by the clock on the wall."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from campaigns.runs.recurrence import Recurrence, TimingError, after, at_or_after, before_or_at, on

BERLIN, SHANGHAI = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Shanghai")


def runs(rule: Recurrence, begins: datetime, zone: ZoneInfo, number: int) -> list[str]:
    found = [at_or_after(rule, begins, begins, zone)]
    while len(found) < number:
        found.append(after(rule, begins, found[-1], zone))
    return [at.astimezone(zone).strftime("%m-%d %H:%M") for at in found]


def test_each_day_at_the_hour_on_the_wall_whatever_the_clocks_do() -> None:
    rule = Recurrence(every=1, unit="day", at=time(10))
    assert runs(rule, datetime(2026, 3, 27, 12, tzinfo=UTC), BERLIN, 3) == ["03-28 10:00", "03-29 10:00", "03-30 10:00"]
    assert runs(rule, datetime(2026, 3, 27, 2, tzinfo=UTC), SHANGHAI, 2) == ["03-27 10:00", "03-28 10:00"]


def test_an_hour_that_does_not_exist_is_when_the_clock_jumps_past_it_and_one_that_is_twice_is_the_first() -> None:
    assert on(date(2026, 3, 29), time(2, 30), BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert on(date(2026, 10, 25), time(2, 30), BERLIN) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    rule = Recurrence(every=1, unit="day", at=time(2, 30))
    begins = datetime(2026, 10, 24, 0, tzinfo=UTC)
    assert runs(rule, begins, BERLIN, 3) == ["10-24 02:30", "10-25 02:30", "10-26 02:30"]
    assert runs(rule, datetime(2026, 3, 28, 0, tzinfo=UTC), BERLIN, 3) == ["03-28 02:30", "03-29 03:00", "03-30 02:30"]


def test_a_month_that_is_too_short_runs_on_its_last_day_and_none_drifts() -> None:
    rule = Recurrence(every=1, unit="month", at=time(9))
    begins = datetime(2026, 1, 31, 0, tzinfo=UTC)
    assert runs(rule, begins, SHANGHAI, 5) == [
        "01-31 09:00",
        "02-28 09:00",
        "03-31 09:00",
        "04-30 09:00",
        "05-31 09:00",
    ]


def test_every_second_week_keeps_its_weekday_and_its_week() -> None:
    rule = Recurrence(every=2, unit="week", at=time(9))
    begins = datetime(2026, 3, 2, 4, tzinfo=UTC)
    assert runs(rule, begins, SHANGHAI, 3) == ["03-16 09:00", "03-30 09:00", "04-13 09:00"]


def test_years_later_the_next_one_is_found_at_once() -> None:
    rule = Recurrence(every=3, unit="day", at=time(9))
    begins, later = datetime(1990, 1, 1, tzinfo=UTC), datetime(2026, 3, 2, 4, tzinfo=UTC)
    last, following = before_or_at(rule, begins, later, SHANGHAI), after(rule, begins, later, SHANGHAI)
    assert last <= later < following
    assert (following - last).days == 3
    assert (last.date() - date(1990, 1, 1)).days % 3 == 0


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"unit": "hour", "at": "10:00"},
        {"unit": "day"},
        {"unit": "day", "at": "25:00"},
        {"unit": "day", "at": "10:00+02:00"},
        {"unit": "day", "at": "10:00", "every": 0},
        {"unit": "day", "at": "10:00", "every": True},
        {"unit": "day", "at": "10:00", "every": "2"},
        {"unit": "day", "at": "10:00", "every": 10**9},
    ],
)
def test_what_says_no_moment_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(TimingError):
        Recurrence.parse(told)
