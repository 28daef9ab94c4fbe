"""The one sequencer: gives numbers to what was appended, keeps the tree, and signs a checkpoint for each batch.

Writers append without a lock, so numbers cannot follow their ids or clocks: what was committed is taken from a queue.
A batch is one transaction: rows leave the queue, become leaves with the next numbers, and are signed for, or none of it
happens. Of two sequencers one waits for the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import StringIO
from typing import Any, NamedTuple
from uuid import UUID

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg2.errors import LockNotAvailable

from crm import bell, checkpoints, copying
from crm.ledger import EMPTY_ROOT, Fold
from crm.models import Checkpoint
from crm.tree import TILE_LEVELS, StoredTree

LOCK = 7305201  # an arbitrary number that nothing else in the database locks
PATIENCE = "10s"
BATCH = 5000
PROMISE, ALARM = timedelta(seconds=5), timedelta(seconds=60)  # from commit to signature: 99 of 100, and any

TAKE = """
WITH taken AS (DELETE FROM crm_pendingleaf WHERE record IN (SELECT record FROM crm_pendingleaf ORDER BY record LIMIT %s)
    RETURNING record, kind, hash, queued_at)
SELECT record, kind, hash, extract(epoch FROM clock_timestamp() - queued_at) * 1000 FROM taken ORDER BY record
"""
# What was signed may be published at once, so it must survive a crash whatever the server's setting is. Its flush takes
# all earlier commits with it.
DURABLY = """
SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'
"""


class Fork(RuntimeError):
    """The tree in the database is not the one that we signed; nothing is added to it, so nothing more is signed."""


class Taken(NamedTuple):
    record: UUID
    kind: str
    hash: bytes
    waited_ms: float


def sequence(now: datetime) -> int:
    """Number everything that was committed before, and return how many there were.

    Raises
    ------
    Fork
        Rows of the tree were changed after they were signed.
    KeyMissing
        There is no key to sign with.
    """
    bell.answer()
    total = count = _number_a_batch(now)
    while count == BATCH:  # a smaller batch took all there was; what came since has rung the bell again
        total += (count := _number_a_batch(now))
    return total


def _number_a_batch(now: datetime) -> int:
    try:
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            _wait_for_our_turn(cursor)
            taken = _take(cursor)
            if taken:
                _add(cursor, taken, now)
            return len(taken)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            return 0  # another sequencer is at work, and will find what we would have found
        raise


def _wait_for_our_turn(cursor: Any) -> None:
    """Take the lock, which goes with the transaction, however that ends.

    Waiting matters: the other sequencer may have looked into the queue just before the commit that rang our bell.
    """
    cursor.execute(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    cursor.execute(DURABLY)
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _take(cursor: Any) -> list[Taken]:
    cursor.execute(TAKE, [BATCH])
    return [Taken(record, kind, bytes(hash_), float(waited)) for record, kind, hash_, waited in cursor.fetchall()]


def _add(cursor: Any, taken: Sequence[Taken], now: datetime) -> None:
    tiles: list[tuple[int, int, bytes]] = []
    fold = _trusted_tree(tiles)
    leaves = []
    for leaf in taken:
        leaves.append((fold.size, leaf.record, leaf.kind, leaf.hash))
        fold.add(leaf.hash)
    try:
        copy_rows(cursor, "crm_leaf (sequence, record, kind, hash)", leaves)
        copy_rows(cursor, "crm_tile (level, index, hash)", tiles)
    except IntegrityError as error:
        raise Fork(f"Rows that nobody signed stand where the next leaves belong: {error}".strip()) from error
    root = fold.root()
    Checkpoint.objects.create(
        size=fold.size,
        root=root,
        note=checkpoints.signer().sign(fold.size, root),
        leaves=len(taken),
        waited_ms=max(leaf.waited_ms for leaf in taken),
        created_at=now,
    )


def copy_rows(cursor: Any, target: str, rows: Iterable[tuple[object, ...]]) -> None:
    """Append rows of numbers, ids, codes and bytes to a table by COPY."""
    lines = ("\t".join(rf"\\x{cell.hex()}" if isinstance(cell, bytes) else str(cell) for cell in row) for row in rows)
    copying.copy(cursor, f"COPY {target} FROM STDIN", StringIO("".join(f"{line}\n" for line in lines)))


def _trusted_tree(tiles: list[tuple[int, int, bytes]]) -> Fold:
    """Return the tree as signed last, which collects the tiles that become complete.

    Raises
    ------
    Fork
        The rows of its right edge do not lead to the root that was signed.
    """
    last = checkpoints.latest()
    size, root = (last.size, last.root) if last else (0, EMPTY_ROOT)

    def keep(level: int, index: int, hash_: bytes) -> None:
        if level % TILE_LEVELS == 0:
            tiles.append((level, index, hash_))

    try:
        fold = StoredTree().fold(size, keep)
    except LookupError as error:
        raise Fork(str(error)) from error
    if fold.root() != root:
        raise Fork(f"The first {size} leaves do not lead to the root that was signed. Run `manage.py ledger fsck`.")
    return fold


@dataclass(frozen=True, kw_only=True)
class Health:
    """How the sequencer keeps its promise: what is appended is signed for within seconds."""

    leaves: int
    signed_at: datetime | None  # when the newest checkpoint was signed
    waiting: int  # evidence without a number
    waits: timedelta  # how long the first of it has waited, by the database's clock
    p99: timedelta | None  # of the last hour; an upper bound, since a batch counts as slow as its slowest

    @property
    def late(self) -> bool:
        """Whether somebody should look after the sequencer."""
        return self.waits > ALARM

    @property
    def keeps_promise(self) -> bool:
        return not self.late and (self.p99 is None or self.p99 <= PROMISE)


def health(now: datetime) -> Health:
    """Return how many wait for a number and how long that takes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), coalesce(clock_timestamp() - min(queued_at), '0') FROM crm_pendingleaf")
        waiting, waits = cursor.fetchone()
    last = checkpoints.latest()
    return Health(
        leaves=last.size if last else 0,
        signed_at=last.created_at if last else None,
        waiting=waiting,
        waits=max(waits, timedelta()),
        p99=p99(Checkpoint.objects.filter(created_at__gt=now - timedelta(hours=1))),
    )


def p99(batches: Iterable[Checkpoint]) -> timedelta | None:
    """Return the time within which 99 of 100 leaves were signed for, at most."""
    waits = sorted((batch.waited_ms, batch.leaves) for batch in batches)
    total, seen = sum(leaves for _, leaves in waits), 0
    for waited_ms, leaves in waits:
        seen += leaves
        if seen * 100 >= total * 99:
            return timedelta(milliseconds=waited_ms)
    return None
