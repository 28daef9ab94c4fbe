"""Working days in mainland China: weekends, the State Council's holidays, and the weekends worked in exchange.

The State Council announces a year's table in the November before it, so no rule can give the years to come. A year
without a table is counted by weekends alone; whoever asks is told so by :func:`known`. ``WORKING_CALENDAR`` names a
JSON file ``{"2027": {"off": ["2027-01-01", ...], "work": ["2027-02-06", ...]}}`` that adds or replaces years.

All functions speak of calendar dates in the organisation's zone; no clock is asked.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Year:
    """One year's table: days off beside weekends, and weekend days that are worked."""

    off: frozenset[date]
    work: frozenset[date]


def _days(year: int, text: str) -> frozenset[date]:
    """Return the days of ``0101-0103 0404``: single days and spans, month and day."""
    found: set[date] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        at, end = (date(year, int(end[:2]), int(end[2:])) for end in (first, last or first))
        while at <= end:
            found.add(at)
            at += DAY
    return frozenset(found)


# 国务院办公厅关于部分节假日安排的通知, one a year; each in the order of the year, from New Year to National Day.
ANNOUNCED = {
    2024: ("0101 0210-0217 0404-0406 0501-0505 0610 0915-0917 1001-1007", "0204 0218 0407 0428 0511 0914 0929 1012"),
    2025: ("0101 0128-0204 0404-0406 0501-0505 0531-0602 1001-1008", "0126 0208 0427 0928 1011"),
    2026: ("0101-0103 0215-0223 0404-0406 0501-0505 0619-0621 0925-0927 1001-1007", "0104 0214 0228 0509 0920 1010"),
}
YEARS: dict[int, Year] = {
    year: Year(off=_days(year, off), work=_days(year, work)) for year, (off, work) in ANNOUNCED.items()
}


class BadCalendar(ValueError):
    """The file of further years cannot be read; the message says where."""


def load(path: Path) -> dict[int, Year]:
    """Return the years that a file adds.

    Raises
    ------
    BadCalendar
        It is not the JSON described above, or a day lies in another year than its heading.
    """
    try:
        told: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(path.read_text())
        years = {int(year): _year(lists) for year, lists in told.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise BadCalendar(f"{path} is not a calendar: {error}") from error
    for year, table in years.items():
        if wrong := sorted(day for day in table.off | table.work if day.year != year):
            raise BadCalendar(f"{path} lists {wrong[0]} under {year}.")
        if both := sorted(table.off & table.work):
            raise BadCalendar(f"{path} says of {both[0]} that it is off and worked.")
    return years


def _year(lists: Mapping[str, Sequence[str]]) -> Year:
    off, work = (frozenset(date.fromisoformat(day) for day in lists[name]) for name in ("off", "work"))
    return Year(off=off, work=work)


def known(days: Iterable[date], years: Mapping[int, Year] = YEARS) -> bool:
    """Return whether the tables of all the days' years are known; if not, weekends alone were counted."""
    return {day.year for day in days} <= years.keys()


def is_working(day: date, years: Mapping[int, Year] = YEARS) -> bool:
    """Return whether a day is worked.

    >>> is_working(date(2026, 2, 14)), is_working(date(2026, 2, 16)), is_working(date(2026, 2, 24))
    (True, False, True)
    """
    table = years.get(day.year)
    if table is not None and day in table.off:
        return False
    return day.weekday() < 5 or (table is not None and day in table.work)


def between(after: date, until: date, years: Mapping[int, Year] = YEARS) -> int:
    """Return how many working days lie in ``(after, until]``; 0 where ``until`` is not later.

    >>> between(date(2026, 9, 30), date(2026, 10, 10))
    3
    """
    return sum(is_working(after + DAY * n, years) for n in range(1, (until - after).days + 1))


def add(after: date, count: int, years: Mapping[int, Year] = YEARS) -> date:
    """Return the ``count``-th working day after a day; the day itself is not counted.

    >>> add(date(2026, 9, 30), 1), add(date(2026, 2, 13), 15)
    (datetime.date(2026, 10, 8), datetime.date(2026, 3, 12))
    """
    if count < 0:
        raise ValueError(f"{count} working days cannot be added.")
    day = after
    while count:
        day += DAY
        count -= is_working(day, years)
    return day
