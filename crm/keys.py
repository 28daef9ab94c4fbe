"""Keys that make a message idempotent, and ids for many events at once."""

import os
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha1
from uuid import UUID, uuid5

import numpy as np

from crm.copying import Keys, keys_of

NAMESPACE = UUID("6f1d3a0e-8c1b-5f4e-9d52-1a7b3c5d7e90")  # ours: a key means the same in every deployment


def message_key(source_id: int, message_id: str) -> UUID:
    """Return the key of a message: the same for the same source and message id, wherever it comes in."""
    return uuid5(NAMESPACE, f"{source_id}:{message_id}")


def message_keys(source_id: int, message_ids: Iterable[str]) -> Keys:
    """Return :func:`message_key` of many messages.

    >>> key = message_keys(7, ["a"])[0]
    >>> UUID(int=(int(key[0]) << 64) + int(key[1])) == message_key(7, "a")
    True
    """
    head = NAMESPACE.bytes + f"{source_id}:".encode()
    # sha1 as RFC 9562 §5.5 wants it: it names, it protects nothing.
    digests = [sha1(head + text.encode(), usedforsecurity=False).digest()[:16] for text in message_ids]
    keys = keys_of(digests)
    keys[:, 0] = keys[:, 0] & np.uint64(0xFFFFFFFFFFFF0FFF) | np.uint64(0x5000)
    keys[:, 1] = keys[:, 1] & np.uint64(0x3FFFFFFFFFFFFFFF) | np.uint64(0x8000000000000000)
    return keys


def ascending_ids(now: datetime, count: int) -> Keys:
    """Return ``count`` new UUIDv7 of this moment in ascending order: an index takes them at its right end.

    >>> ids = ascending_ids(datetime.fromisoformat("2026-01-01T00:00:00+00:00"), 100)
    >>> UUID(int=(int(ids[0, 0]) << 64) + int(ids[0, 1])).version, bool((ids[1:, 1] >= ids[:-1, 1]).all())
    (7, True)
    """
    noise = np.frombuffer(os.urandom(8 * count), np.uint64) & np.uint64(0x3FFFFFFFFFFFFFFF)
    start = int.from_bytes(os.urandom(2)) & 0xFFF  # tells processes apart that write in the same millisecond
    high = (int(now.timestamp() * 1000) & (2**48 - 1)) << 16 | 0x7000 | start
    return np.column_stack([np.full(count, high, np.uint64), np.sort(noise) | np.uint64(0x8000000000000000)])
