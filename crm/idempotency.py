"""A request that is sent again is answered again, and done once.

Work, answer and key are written in one transaction: after a crash either all of them are there or none, so a request
never hangs "in flight" longer than the process that works on it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID, uuid5

from django.db import connection, transaction

from crm.keys import NAMESPACE
from crm.models import AnsweredRequest

KEPT = timedelta(days=7)
LONGEST_KEY = 200


class Answer(NamedTuple):
    """Status and body; ``again`` if it was given before."""

    status: int
    body: Any
    again: bool = False


class InFlight(RuntimeError):
    """The same key is being worked on just now."""


class KeyReused(ValueError):
    """The key was used for a request that said something else."""


def key_of(*parts: object) -> UUID:
    """Return the key of a client's key at an address: two clients do not meet."""
    return uuid5(NAMESPACE, "\x1f".join(map(str, parts)))


def once(key: UUID, request: bytes, work: Callable[[], Answer], *, now: datetime) -> Answer:
    """Do the work and keep its answer, or return the answer that was given before to the same request.

    What ``work`` raises is kept by nobody: the request may be corrected and sent again with its key.

    Raises
    ------
    InFlight, KeyReused
    """
    digest = sha256(request).digest()
    with transaction.atomic():
        if not _locked(key):
            raise InFlight
        before = AnsweredRequest.objects.filter(pk=key).first()
        if before is not None:
            if before.request != digest:
                raise KeyReused
            return Answer(before.status, before.answer, again=True)
        done = work()
        AnsweredRequest.objects.create(key=key, request=digest, status=done.status, answer=done.body, answered_at=now)
    return done


def forget(now: datetime) -> int:
    """Delete the answers older than a week; what they did stays idempotent by keys of its own."""
    return AnsweredRequest.objects.filter(answered_at__lt=now - KEPT).delete()[0]


def _locked(key: UUID) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(key.bytes[:8], signed=True)])
        return bool(cursor.fetchone()[0])
