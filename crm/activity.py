"""What people did lately: the figures of the dashboard, in two passes over the partitions they need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from crm import partitions
from crm.models import Event

# What was done *to* people; it does not make them active.
PASSIVE_KINDS = [
    kind.value
    for kind in (
        *(Event.Kind.ASSIGNED, Event.Kind.SENT, Event.Kind.DELIVERED, Event.Kind.BOUNCED, Event.Kind.FAILED),
        Event.Kind.JOURNEY_STEP,
    )
]
LAST_HOUR = 23

# width_bucket finds the day in a list of midnights: a third of the cost of "AT TIME ZONE" for each row, and right on
# days that have 23 or 25 hours.
BY_DAY = """
SELECT day, sum(events)::bigint, coalesce(sum(revenue), 0), count(*) FILTER (WHERE active) FROM (
    SELECT width_bucket(occurred_at, %(midnights)s::timestamptz[]) - 1 AS day,
           profile_id,
           count(*) AS events,
           sum(CASE kind WHEN 'purchase' THEN value WHEN 'refund' THEN -value END) AS revenue,
           bool_or(kind <> ALL(%(passive)s)) AS active
    FROM crm_event
    WHERE occurred_at >= %(begin)s AND occurred_at < %(end)s
    GROUP BY 1, 2
) AS person_days
GROUP BY day
"""
# A merged profile counts as the one that was kept in the end.
ALIASES = """
WITH RECURSIVE chain (profile, canonical) AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias WHERE undone_at IS NULL
    UNION
    SELECT chain.profile, next.canonical_id
    FROM chain JOIN crm_profilealias AS next ON next.duplicate_id = chain.canonical AND next.undone_at IS NULL
), alias AS (
    SELECT profile, canonical FROM chain WHERE canonical NOT IN (SELECT profile FROM chain)
)
"""
PEOPLE = (
    ALIASES  # noqa: S608 (no part of it comes from outside)
    + """
SELECT {counts} FROM (
    SELECT {flags} FROM (
        SELECT profile_id, {flags}
        FROM crm_event
        WHERE occurred_at >= %(begin)s AND occurred_at < %(end)s AND kind <> ALL(%(passive)s)
        GROUP BY profile_id
    ) AS seen
    LEFT JOIN alias ON alias.profile = profile_id
    GROUP BY coalesce(alias.canonical, profile_id)
) AS people
"""
)


WEEKS = 13  # a quarter
MOST_EVENTS = 100  # that one person adds to a week's bounded sum; what is beyond is cut off
BY_WEEK = (
    ALIASES  # noqa: S608 (no part of it comes from outside)
    + """
SELECT week, count(*) FILTER (WHERE active), sum(least(events, %(most_events)s))::bigint,
       sum(greatest(-%(most_revenue)s, least(revenue, %(most_revenue)s)))::bigint
FROM (
    SELECT week, sum(events) AS events, round(coalesce(sum(revenue), 0)) AS revenue, bool_or(active) AS active
    FROM (
        SELECT width_bucket(occurred_at, %(midnights)s::timestamptz[]) - 1 AS week,
               profile_id,
               count(*) AS events,
               sum(CASE kind WHEN 'purchase' THEN value WHEN 'refund' THEN -value END) AS revenue,
               bool_or(kind <> ALL(%(passive)s)) AS active
        FROM crm_event
        WHERE occurred_at >= %(begin)s AND occurred_at < %(end)s
        GROUP BY 1, 2
    ) AS profile_weeks LEFT JOIN alias ON alias.profile = profile_id
    GROUP BY week, coalesce(alias.canonical, profile_id)
) AS person_weeks
GROUP BY week
"""
)


@dataclass(frozen=True, kw_only=True)
class Week:
    """Seven days of the organisation's calendar; of each person the sums hold at most a fixed part."""

    begins: date
    people: int = 0
    events: int = 0
    revenue: int = 0


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day of the organisation's calendar; ``people`` were active on it."""

    day: date
    events: int = 0
    revenue: Decimal = Decimal(0)
    people: int = 0


def latest() -> datetime | None:
    """Return when the latest event happened, from the newest partition that has any; ``None`` in an empty house."""
    for month in sorted(partitions.existing(), reverse=True):
        bounds = [f"{first}T00:00:00Z" for first in (month, partitions.next_month(month))]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT max(occurred_at) FROM crm_event WHERE occurred_at >= %s AND occurred_at < %s", bounds
            )
            (found,) = cursor.fetchone()
        if found is not None:
            return datetime.fromtimestamp(found.timestamp(), tz=UTC)
    return None


def last_whole_day(latest: datetime) -> datetime:
    """Return the moment up to which whole days are known: today's half day would look like a fall.

    A log whose last event is after 23 o'clock of the organisation's clock is taken to be whole.
    """
    local = latest.astimezone(timezone.get_default_timezone())
    return latest if local.hour == LAST_HOUR else midnight(latest, days_ago=0) - timedelta(seconds=1)


def by_day(now: datetime, *, days: int) -> list[Day]:
    """Return the ``days`` up to and including the day of ``now``, in order and without gaps."""
    midnights = [midnight(now, days_ago=n) for n in range(days - 1, -2, -1)]
    facts: dict[str, Any] = {
        "midnights": midnights[:-1],
        "begin": midnights[0],
        "end": midnights[-1],
        "passive": PASSIVE_KINDS,
    }
    with connection.cursor() as cursor:
        cursor.execute(BY_DAY, facts | {"passive": PASSIVE_KINDS})
        rows = cursor.fetchall()
    calendar = [begin.date() for begin in midnights[:-1]]
    found = {row[0]: Day(day=calendar[row[0]], events=row[1], revenue=row[2], people=row[3]) for row in rows}
    return [found.get(index, Day(day=day)) for index, day in enumerate(calendar)]


def by_week(now: datetime) -> list[Week]:
    """Return the :data:`WEEKS` up to and including the day of ``now``, to be told with noise.

    A person adds at most :data:`MOST_EVENTS` events and ``PRIVATE_FIGURES_WEEKLY_VALUE`` of revenue to a week, however
    many profiles they were merged from: the noise hides that much, so no more may count.
    """
    midnights = [midnight(now, days_ago=7 * n - 1) for n in range(WEEKS, -1, -1)]
    facts = {
        "midnights": midnights[:-1],
        "begin": midnights[0],
        "end": midnights[-1],
        "passive": PASSIVE_KINDS,
        "most_events": MOST_EVENTS,
        "most_revenue": settings.PRIVATE_FIGURES_WEEKLY_VALUE,
    }
    with connection.cursor() as cursor:
        cursor.execute(BY_WEEK, facts)
        found = {week: (people, events, revenue) for week, people, events, revenue in cursor.fetchall()}
    weeks = []
    for index, begins in enumerate(midnights[:-1]):
        people, events, revenue = found.get(index, (0, 0, 0))
        weeks.append(Week(begins=begins.date(), people=people, events=events, revenue=revenue))
    return weeks


def currencies(now: datetime, *, days: int) -> list[str]:
    """Return the currencies that purchases of the last days were in."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT currency FROM crm_event WHERE occurred_at >= %s AND occurred_at < %s AND currency <> ''",
            [midnight(now, days_ago=days - 1), midnight(now, days_ago=-1)],
        )
        return sorted(currency for (currency,) in cursor.fetchall())


def active_people(now: datetime, windows: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return how many people did something in each window of days.

    A window ``(30, 0)`` is the last 30 days with the day of ``now``, ``(60, 30)`` the 30 days before.
    """
    edges = {f"begin{i}": midnight(now, days_ago=window[0] - 1) for i, window in enumerate(windows)}
    edges |= {f"end{i}": midnight(now, days_ago=window[1] - 1) for i, window in enumerate(windows)}
    inner = [f"bool_or(occurred_at >= %(begin{i})s AND occurred_at < %(end{i})s) AS w{i}" for i in range(len(windows))]
    outer = [f"bool_or(w{i}) AS w{i}" for i in range(len(windows))]
    counts = [f"count(*) FILTER (WHERE w{i})" for i in range(len(windows))]
    query = PEOPLE.replace("{flags}", ", ".join(outer), 1).replace("{flags}", ", ".join(inner), 1)
    facts: dict[str, Any] = {
        "begin": min(edges.values()),
        "end": max(edges.values()),
        "passive": PASSIVE_KINDS,
        **edges,
    }
    with connection.cursor() as cursor:
        cursor.execute(query.replace("{counts}", ", ".join(counts)), facts | edges)
        return dict(zip(windows, cursor.fetchone(), strict=True))


def midnight(now: datetime, *, days_ago: int) -> datetime:
    """Return when a day of the organisation's calendar began: 0 is the day of ``now``, -1 the day after."""
    zone = timezone.get_default_timezone()
    day = now.astimezone(zone).date() - timedelta(days=days_ago)
    return datetime.combine(day, time.min, zone)
