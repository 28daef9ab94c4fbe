"""One at a time, across processes and machines: locks that PostgreSQL frees when their holder dies."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from time import monotonic, sleep

from django.db import DatabaseError, InterfaceError, connection


class Busy(RuntimeError):
    """Somebody else is doing this just now."""


@contextmanager
def only_one(what: str, *, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock named ``what`` for the block, after waiting at most ``patience`` seconds for it.

    Raises
    ------
    Busy
        Another session still holds it.
    """
    key = int.from_bytes(sha256(what.encode()).digest()[:8], signed=True)
    patient_until = monotonic() + patience
    while not _taken(key):
        if monotonic() >= patient_until:
            raise Busy(f"Another process is busy with {what}; try again when it has finished.")
        sleep(0.1)
    try:
        yield
    finally:
        # A lost connection has freed the lock already, and its error would hide the one that matters.
        with suppress(DatabaseError, InterfaceError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def _taken(key: int) -> bool:
    # Asked again and again rather than waited for in the database: a waiting statement would hold back its snapshot.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        return bool(cursor.fetchone()[0])
