"""When a privacy request is due: working days that count, the days on which the clock stood still, and the warnings.

The day of arrival is not counted, and the answer is due at the end of the last counted day. While the person has to
say who she is, the clock stands still: the days after the question, up to and with the day of the answer, do not
count. Nothing else stops it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.utils import timezone

from crm.models import PrivacyRequest
from crm.working_days import DAY, YEARS, Year, is_working, known

ALERTS = (50, 80, 100)  # per cent of the time
AT_ONCE = 3  # working days: PIPL 24, 44 and 47 name no number, and putting a stop to something takes no research
Stop = tuple[date, date | None]  # asked on, answered on; None: still waiting


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How a request stands: days granted, used and left, and when it is due."""

    granted: int
    used: int
    due_on: date
    stopped: bool
    holidays_known: bool

    @property
    def left(self) -> int:
        """Working days left; negative when it is late."""
        return self.granted - self.used

    @property
    def late(self) -> int:
        """Working days that it is late."""
        return max(0, -self.left)

    @property
    def percent(self) -> int:
        return self.used * 100 // self.granted

    @property
    def alert(self) -> int:
        """The highest warning that is due: 0, 50, 80 or 100; 100 on the last day, not after it."""
        reached = 100 if self.left <= 0 else self.percent
        return max((level for level in ALERTS if level <= reached), default=0)


def granted_for(kind: str) -> int:
    """Return the working days that a kind of request may take."""
    at_once = kind in {PrivacyRequest.Kind.RESTRICTION, PrivacyRequest.Kind.OBJECTION}
    return AT_ONCE if at_once else settings.PRIVACY_REQUEST_DAYS


def read(
    received_on: date, stops: Sequence[Stop], today: date, granted: int, years: Mapping[int, Year] = YEARS
) -> Clock:
    """Return how the clock stands on a day; a stop that has not ended lasts until that day.

    Pure: the tests turn it over thousands of made-up calendars.
    """
    still = {day for asked, answered in stops for day in _after(asked, answered or today)}
    used = sum(day not in still and is_working(day, years) for day in _after(received_on, today))
    due, missing = received_on, granted
    while missing:
        due += DAY
        missing -= due not in still and is_working(due, years)
    return Clock(
        granted=granted,
        used=used,
        due_on=due,
        stopped=any(answered is None for _, answered in stops),
        holidays_known=known((received_on, due), years),
    )


def clock(request: PrivacyRequest, now: datetime) -> Clock:
    """Return how a request stands now, or stood when it ended."""
    stops = [(day(pause.since), day(pause.until) if pause.until else None) for pause in request.pauses.all()]
    return read(day(request.received_at), stops, day(request.ended_at or now), granted_for(request.kind), calendar())


def calendar() -> dict[int, Year]:
    """Return the years that are known: our own table, and those of ``WORKING_CALENDAR``."""
    return YEARS | settings.WORKING_CALENDAR


def _after(first: date, last: date) -> list[date]:
    return [first + DAY * n for n in range(1, (last - first).days + 1)]


def day(at: datetime) -> date:
    """Return the date of a moment in the organisation's zone."""
    return timezone.localtime(at, timezone.get_default_timezone()).date()
