"""One at a time, across processes and machines: locks that PostgreSQL frees when their holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256

from django.db import DatabaseError, InterfaceError, connection


class Busy(RuntimeError):
    """Somebody else is doing this just now."""


@contextmanager
def only_one(what: str) -> Iterator[None]:
    """Hold the lock named ``what`` for the block.

    Raises
    ------
    Busy
        Another session holds it; nothing waits.
    """
    key = int.from_bytes(sha256(what.encode()).digest()[:8], signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        if not cursor.fetchone()[0]:
            raise Busy(f"Another process is busy with {what}; try again when it has finished.")
    try:
        yield
    finally:
        # A lost connection has freed the lock already, and its error would hide the one that matters.
        with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
