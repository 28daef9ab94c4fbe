"""When a request is due: Chinese working days, a clock that stops for the identity only, and its warnings."""

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm import alerts, clocks, identity_checks, rights, working_days
from crm.models import PrivacyRequest
from crm.working_days import DAY, YEARS, Year
from tests import factories
from tests.factories import NOW

DAYS = st.dates(date(2023, 12, 1), date(2027, 2, 1))


@st.composite
def years(draw: st.DrawFn) -> dict[int, Year]:
    """Return made-up tables: any days off, any weekend days worked, and some years without a table."""
    found = {}
    for year in draw(st.sets(st.integers(2024, 2027))):
        days = st.dates(date(year, 1, 1), date(year, 1, 1) + DAY * 364)
        off, work = draw(st.frozensets(days, max_size=40)), draw(st.frozensets(days, max_size=20))
        found[year] = Year(off=off, work=work - off)
    return found


@st.composite
def stops(draw: st.DrawFn) -> list[tuple[date, date | None]]:
    """Return up to three stops, one after the other; the last may still last."""
    ends = sorted(draw(st.lists(DAYS, min_size=0, max_size=6)))
    pairs: list[tuple[date, date | None]] = list(zip(ends[::2], ends[1::2], strict=False))
    if not pairs or not draw(st.booleans()):
        return pairs
    return [*pairs[:-1], (pairs[-1][0], None)]


@pytest.mark.parametrize(("year", "days"), [(2024, 251), (2025, 248), (2026, 248)], ids=str)
def test_a_year_has_the_working_days_that_the_state_council_left_it(year: int, days: int) -> None:
    weekdays = sum(
        (date(year, 1, 1) + DAY * n).weekday() < 5 for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)
    )
    table = YEARS[year]
    off = sum(day.weekday() < 5 for day in table.off)
    assert all(day.weekday() >= 5 for day in table.work)
    assert working_days.between(date(year - 1, 12, 31), date(year, 12, 31)) == weekdays - off + len(table.work) == days


def test_spring_festival_does_not_count_and_the_saturday_worked_for_it_does() -> None:
    # Received on Friday, 2026-02-13: Saturday 14 is worked, 15 to 23 is the festival, Saturday 28 is worked.
    clock = clocks.read(date(2026, 2, 13), (), date(2026, 2, 24), 15)
    assert (clock.used, clock.left, clock.due_on) == (2, 13, date(2026, 3, 12))


def test_a_year_without_a_table_is_counted_by_weekends_and_says_so() -> None:
    clock = clocks.read(date(2026, 12, 28), (), date(2026, 12, 28), 15)
    assert (clock.due_on, clock.holidays_known) == (date(2027, 1, 18), False)
    assert clocks.read(date(2026, 11, 2), (), date(2026, 11, 2), 15).holidays_known


@given(DAYS, st.integers(1, 40), years())
def test_between_is_what_add_added(start: date, count: int, table: dict[int, Year]) -> None:
    end = working_days.add(start, count, table)
    assert working_days.between(start, end, table) == count
    assert working_days.is_working(end, table)
    assert working_days.between(start, end - DAY, table) == count - 1


@given(DAYS, stops(), st.integers(0, 120), st.integers(1, 30), years())
def test_a_clock_counts_every_working_day_once_but_those_it_stood_still(
    received: date, still: list[tuple[date, date | None]], later: int, granted: int, table: dict[int, Year]
) -> None:
    today = received + DAY * later
    clock = clocks.read(received, still, today, granted, table)
    counted = [
        day
        for day in (received + DAY * n for n in range(1, 1500))
        if working_days.is_working(day, table)
        and not any(asked < day <= (today if answered is None else answered) for asked, answered in still)
    ]
    assert clock.due_on == counted[granted - 1]
    assert clock.used == sum(day <= today for day in counted)
    assert clock.left == granted - clock.used
    assert (today > clock.due_on) <= (clock.left <= 0)


@given(DAYS, stops(), st.integers(1, 30), years())
def test_stopping_never_brings_the_due_date_forward(
    received: date, still: list[tuple[date, date | None]], granted: int, table: dict[int, Year]
) -> None:
    today = received + DAY * 60
    free = clocks.read(received, (), today, granted, table)
    stopped = clocks.read(received, still, today, granted, table)
    assert stopped.due_on >= free.due_on
    assert stopped.used <= free.used


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(1, 30))
def test_each_warning_is_reached_in_order_and_the_last_on_the_last_day(passing: list[int], granted: int) -> None:
    received = date(2025, 3, 3)
    levels = [clocks.read(received, (), received + DAY * later, granted).alert for later in sorted(passing)]
    assert levels == sorted(levels)
    due = clocks.read(received, (), received, granted).due_on
    assert clocks.read(received, (), due, granted).alert == 100
    if granted > 1:
        assert clocks.read(received, (), due - DAY, granted).alert < 100


def test_a_calendar_file_adds_a_year_and_a_wrong_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "calendar.json"
    path.write_text(json.dumps({"2027": {"off": ["2027-01-01"], "work": ["2027-02-06"]}}))
    table = YEARS | working_days.load(path)
    assert not working_days.is_working(date(2027, 1, 1), table)
    assert working_days.is_working(date(2027, 2, 6), table)
    for wrong in (
        "",
        "[]",
        '{"2027": {"off": []}}',
        '{"2027": {"off": ["2026-01-01"], "work": []}}',
        '{"2027": {"off": ["2027-01-01"], "work": ["2027-01-01"]}}',
        '{"2027": {"off": ["soon"], "work": []}}',
    ):
        path.write_text(wrong)
        with pytest.raises(working_days.BadCalendar):
            working_days.load(path)


@pytest.mark.django_db
def test_the_clock_stands_still_only_while_the_person_has_to_say_who_she_is() -> None:
    # Monday 2026-03-02 received; asked on Tuesday, answered on Friday: Wednesday to Friday do not count.
    profile = factories.profile("u-1")
    monday = datetime.fromisoformat("2026-03-02T10:00:00+08:00")
    request = rights.open_request("access", profile_id=profile.pk, method="api", now=monday)
    assert request.due_on == date(2026, 3, 23)
    identity_checks.ask(request, now=monday + timedelta(days=1))
    assert clocks.clock(request, monday + timedelta(days=3)).stopped
    assert identity_checks.vouch(request, "account", now=monday + timedelta(days=4))
    clock = clocks.clock(request, monday + timedelta(days=7))
    assert (clock.used, clock.due_on, clock.stopped) == (2, date(2026, 3, 26), False)
    assert request.paused_at is None
    assert PrivacyRequest.objects.get(pk=request.pk).due_on == date(2026, 3, 26)


@pytest.mark.django_db
def test_warnings_are_given_once_at_half_four_fifths_and_the_last_day() -> None:
    profile = factories.profile("u-1")
    request = rights.open_request("copy", profile_id=profile.pk, method="api", now=NOW)  # a Sunday
    given = {days: alerts.warn(NOW + timedelta(days=days)) for days in range(30)}
    assert {days for days, count in given.items() if count} == {10, 16, 19}  # the 8th, 12th and 15th working day
    assert [e.facts["percent"] for e in request.entries.filter(what="alert")] == [50, 80, 100]


@pytest.mark.django_db
def test_who_is_waited_for_is_not_warned_of() -> None:
    profile = factories.profile("u-1")
    request = rights.open_request("copy", profile_id=profile.pk, method="api", now=NOW)
    identity_checks.ask(request, now=NOW)
    assert alerts.warn(NOW + timedelta(days=60)) == 0
