"""UUIDs that sort by time (RFC 9562 §5.7): Python 3.11 and PostgreSQL before 18 have none."""

import os
from datetime import datetime
from uuid import UUID


def uuid7(at: datetime) -> UUID:
    """Return a UUIDv7 for a moment: 48 bits of milliseconds, then 74 random bits.

    >>> from datetime import UTC
    >>> first, second = (uuid7(datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2))
    >>> first < second, first.version
    (True, 7)
    """
    milliseconds = int(at.timestamp() * 1000) & (2**48 - 1)
    noise = int.from_bytes(os.urandom(10))
    value = milliseconds << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)
