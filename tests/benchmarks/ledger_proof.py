"""How long the proof takes that a record is among ten million leaves, from the database to the verified root."""

import time
from hashlib import sha256
from random import Random
from typing import Any
from uuid import UUID

LEAVES, PROOFS = 10_000_000, 2000
MOST_MILLISECONDS = 50.0

FILL = """
INSERT INTO crm_leaf (sequence, record, kind, hash)
SELECT n, lpad(to_hex(n), 32, '0')::uuid, 'consent', sha256(int8send(n)) FROM generate_series(0, {last}) AS n
"""


def run(leaves: int = LEAVES, proofs: int = PROOFS) -> list[dict[str, Any]]:
    """Return the 99th percentile of making and verifying one proof, and its median."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        fill(leaves)
        from crm.checkpoints import inclusion
        from crm.ledger import verify_inclusion

        random, times = Random(10), []
        for _ in range(proofs):
            place = random.randrange(leaves)
            begun = time.perf_counter()
            found = inclusion(UUID(int=place))
            verify_inclusion(place, leaves, leaf(place), found.checkpoint.root, found.proof)
            times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    name = f"ledger, proof of inclusion among {leaves:,} leaves, made and verified"
    return [
        {
            "name": f"{name}: {what}",
            "value": round(value, 2),
            "unit": "ms",
            "yardstick": MOST_MILLISECONDS,
            "ratio": round(value / MOST_MILLISECONDS, 3),
        }
        for what, value in (("p99", times[proofs * 99 // 100]), ("median", times[proofs // 2]))
    ]


def leaf(place: int) -> bytes:
    """Return the hash of a leaf; the table is filled with the same by SQL."""
    return sha256(place.to_bytes(8)).digest()


def fill(leaves: int) -> None:
    """Fill the ledger as the sequencer would have, without the evidence."""
    from django.db import connection
    from django.utils import timezone

    from crm.checkpoints import signer
    from crm.ledger import Fold
    from crm.models import Checkpoint
    from crm.sequencer import copy_rows
    from crm.tree import TILE_LEVELS

    tiles: list[tuple[int, int, bytes]] = []

    def keep(level: int, index: int, hash_: bytes) -> None:
        if level % TILE_LEVELS == 0:
            tiles.append((level, index, hash_))

    fold = Fold(keep)
    for place in range(leaves):
        fold.add(leaf(place))
    with connection.cursor() as cursor:
        cursor.execute(FILL.format(last=leaves - 1))
        copy_rows(cursor, "crm_tile (level, index, hash)", tiles)
    root, now = fold.root(), timezone.now()
    note = signer().sign(leaves, root)
    Checkpoint.objects.create(size=leaves, root=root, note=note, leaves=leaves, waited_ms=0, created_at=now)


if __name__ == "__main__":
    for row in run():
        print(row)
