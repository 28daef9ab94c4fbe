"""Values that occur nowhere else, one for each place that personal data may reach, and the search for them.

A search finds a value as it is, in small letters, as hexadecimal (how PostgreSQL writes bytes), inside base64 (how
Celery's messages travel) and inside Parquet, where pages are compressed.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from secrets import choice, randbelow, token_hex
from typing import Any
from urllib.parse import quote

import polars as pl
from celery import current_app
from django.core.cache import cache
from django.db import connection

from crm.database_roles import as_owner

# Values with a meaning of their own, so that they pass the checks of their columns.
MADE = {
    "phone": lambda: f"139{randbelow(10**8):08}",
    "email": lambda: f"canary{token_hex(6)}@example.com",
    "name": lambda: choice("王李张刘") + "".join(chr(0x4E00 + randbelow(20_000)) for _ in range(2)),
    "ip": lambda: f"203.0.113.{randbelow(254) + 1}",
}


TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"


class Canaries:
    """One unique value for each place, made when the place is first asked for."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, place: str, kind: str = "") -> str:
        return self.values.setdefault(place, MADE[kind]() if kind else f"canary{token_hex(8)}")

    def seen_in(self, data: bytes) -> set[str]:
        """Return the places whose value occurs in the bytes."""
        small = data.lower()
        return {place for place, value in self.values.items() if any(needle in small for needle in _forms(value))}


def _forms(value: str) -> Iterator[bytes]:
    yield value.lower().encode()
    yield value.lower().encode().hex().encode()
    yield value.lower().encode("gb18030")
    if not value.isascii():
        yield value.encode("unicode_escape")
        yield quote(value).lower().encode()


def tables() -> Iterator[tuple[str, bytes]]:
    """Yield every table of the database as text, as a logical dump would have it; the owner sees them all."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        names = [name for (name,) in cursor.fetchall()]
        for name in names:
            sink = _Sink()
            cursor.copy_expert(f'COPY (SELECT * FROM "{name}") TO STDOUT', sink)
            yield name, bytes(sink.data)


class _Sink:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def memory() -> Iterator[tuple[str, bytes]]:
    """Yield every key of the cache and the broker in use, with its serialised value and what lies in messages."""
    client: Any = cache
    with current_app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        for where, server in {"cache": client._cache.get_client(None, write=True), "broker": channel.client}.items():
            for key in server.scan_iter(count=1000):
                yield f"{where}:{key!r}", key + b" " + forms_in_valkey(server, key)


def forms_in_valkey(server: Any, key: bytes) -> bytes:
    """Return a value as Valkey serialises it, and as it reads."""
    return (server.dump(key) or b"") + _plain(server, key)


def _plain(server: Any, key: bytes) -> bytes:
    if server.type(key) == b"string":  # a dump compresses long values
        return bytes(server.get(key) or b"")
    kinds = {b"list": lambda: server.lrange(key, 0, -1), b"hash": lambda: server.hvals(key)}
    messages = kinds.get(server.type(key), list)()
    # In a queue lie messages, in a hash those that a worker took and has not done: [message, exchange, key].
    told = [json.loads(one) for one in messages if one[:1] in b"{["]
    bodies = [(one[0] if isinstance(one, list) else one).get("body", "") for one in told]
    return b"".join(messages + [base64.b64decode(body) for body in bodies])


def files(*roots: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every file below the roots by name and content, Parquet decoded."""
    for path in (path for root in roots for path in root.rglob("*") if path.is_file()):
        yield str(path), str(path).encode() + path.read_bytes() + (_parquet(path) if path.suffix == ".parquet" else b"")


def _parquet(path: Path) -> bytes:
    return pl.read_parquet(path).write_csv().encode()
