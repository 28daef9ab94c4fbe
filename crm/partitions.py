"""Monthly partitions of the event log."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from django.db import connection

PARTITION_LOCK = 7305198  # an arbitrary number that nothing else in the database locks


def month_of(at: datetime) -> date:
    """Return the first day of the month (UTC) that a moment belongs to."""
    return at.astimezone(UTC).date().replace(day=1)


def next_month(month: date) -> date:
    """Return the first day of the following month.

    >>> next_month(date(2026, 12, 1))
    datetime.date(2027, 1, 1)
    """
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def existing() -> set[date]:
    """Return the months that have a partition."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(inhrelid::regclass::text, 6) FROM pg_inherits WHERE inhparent = 'crm_event'::regclass"
        )
        return {date(int(name[:4]), int(name[4:]), 1) for (name,) in cursor.fetchall()}


def ensure(months: Iterable[date]) -> None:
    """Create the partitions that are missing; call it outside the transaction that writes the events."""
    missing = set(months) - existing()
    for month in sorted(missing):
        _create(month)


def _create(month: date) -> None:
    name = f"crm_event_{month:%Y%m}"
    with connection.cursor() as cursor:
        # Two writers that meet the first event of a month would deadlock on the parent table.
        cursor.execute("SELECT pg_advisory_lock(%s)", [PARTITION_LOCK])
        try:
            cursor.execute(
                f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF crm_event FOR VALUES FROM (%s) TO (%s)",
                [f"{month}T00:00:00Z", f"{next_month(month)}T00:00:00Z"],
            )
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [PARTITION_LOCK])
