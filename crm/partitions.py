"""Monthly partitions of the event log."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime

from django.db import IntegrityError, OperationalError, connection
from psycopg2.errorcodes import LOCK_NOT_AVAILABLE

# Months that this process has seen. Another may drop one of them: whoever writes does it in :func:`expected`.
_seen: set[date] = set()


class Dropped(RuntimeError):
    """The month that was written to is gone: retention dropped it after it was looked for. Write again."""


def month_of(at: datetime) -> date:
    """Return the first day of the month (UTC) that a moment belongs to."""
    return at.astimezone(UTC).date().replace(day=1)


def months_of(moments: Iterable[datetime]) -> set[date]:
    """Return :func:`month_of` of many moments, which mostly lie in one or two months."""
    utc = (at if at.tzinfo is UTC else at.astimezone(UTC) for at in moments)
    return {date(year, month, 1) for year, month in {(at.year, at.month) for at in utc}}


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
    wanted = set(months) - _seen
    if not wanted:
        return
    for month in sorted(wanted - existing()):
        _create(month)
    if not connection.in_atomic_block:  # what an outer transaction rolls back must not be remembered
        _seen.update(wanted)


@contextmanager
def expected() -> Iterator[None]:
    """Let events be written in the block, into months that were seen before; ``Dropped`` where one is gone.

    Nothing is asked beforehand: a month may be dropped in any moment up to the write itself, and it hardly ever is.
    """
    try:
        yield
    except IntegrityError as error:
        if "no partition of relation" not in str(error):
            raise
        _seen.clear()
        raise Dropped("A month of the log was dropped while it was about to be written to.") from error


def drop(month: date) -> bool:
    """Drop the partition of a month with every event in it; False if there is none."""
    _seen.discard(month)
    with connection.cursor() as cursor:
        cursor.execute("SELECT crm_drop_event_month(%s)", [month])
        return bool(cursor.fetchone()[0])


def drop_empty(month: date) -> bool:
    """Drop the partition of a month if no event is in it; False if one is, or if others were too busy with the log.

    It looks and drops under one lock: an event that is written meanwhile is not lost.
    """
    with connection.cursor() as cursor:
        try:
            cursor.execute("SELECT crm_drop_empty_event_month(%s)", [month])
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", "") != LOCK_NOT_AVAILABLE:
                raise
            return False
        gone = bool(cursor.fetchone()[0])
    if gone:
        _seen.discard(month)
    return gone


def _create(month: date) -> None:
    # By a function of the owner's: the application's role may not make tables. It locks: two writers may meet here.
    with connection.cursor() as cursor:
        cursor.execute("SELECT crm_add_event_month(%s)", [month])
