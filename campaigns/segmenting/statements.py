"""Running a segment's statement: with the settings that fit it, and no longer than it may take."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from psycopg2.errorcodes import QUERY_CANCELED

# Hashes of a million people do not go to disk; compiling takes longer than counting does.
ALWAYS: Mapping[str, str] = {"jit": "off", "work_mem": "64MB"}
# A statement on everybody joins whole sets. The planner has no statistics of who is read as whom, takes a set for 200
# people, and would go through another one for each of them, or sort millions of events to join ten thousand merges.
OF_EVERYBODY: Mapping[str, str] = {"enable_nestloop": "off", "enable_mergejoin": "off"}


class OutOfTime(RuntimeError):
    """The statement was given up when its time was over."""


@contextmanager
def limited(budget: timedelta | None, *, everybody: bool) -> Iterator[Any]:
    """Give a cursor whose statements end with the budget, and leave the connection as it was.

    Raises
    ------
    OutOfTime
        A statement in the block took longer.
    """
    milliseconds = max(1, round(budget.total_seconds() * 1000)) if budget else 0
    wanted = {
        **ALWAYS,
        **(OF_EVERYBODY if everybody else {}),
        **({"statement_timeout": str(milliseconds)} if budget else {}),
    }
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            before = {name: _set(cursor, name, value) for name, value in wanted.items()}
            yield cursor
            for name, value in before.items():
                _set(cursor, name, value)
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") == QUERY_CANCELED:
            raise OutOfTime(f"It took longer than {milliseconds} ms.") from error
        raise


@contextmanager
def of_sets(cursor: Any) -> Iterator[None]:
    """Let statements of the block join whole sets, whatever the planner takes their sizes for.

    Where another session analysed the event log while many events were written and not committed yet, or after such
    were given up, the planner takes the log for empty, and would go through all people of a campaign for each event.
    """
    before = _set(cursor, "enable_nestloop", "off")
    yield
    _set(cursor, "enable_nestloop", before)


def _set(cursor: Any, name: str, value: str) -> str:
    cursor.execute("SELECT current_setting(%s), set_config(%s, %s, true)", [name, name, value])
    return str(cursor.fetchone()[0])
