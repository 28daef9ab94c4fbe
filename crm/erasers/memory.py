"""What lies in Valkey or Redis for a while: cached values, and tasks that wait.

Tasks carry numbers only, and caches hold counts; a test looks for both. That a value names a person all the same must
be found here and not by an auditor, so every value is read.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from redis import Redis

from crm.erasers.subject import SHORT, Subject

BATCH = 500


def forget_cached(subject: Subject) -> Mapping[str, int]:
    """Delete cached values that name the person, and counters that carry her number."""
    server = _server(settings.CACHE_URL)
    if server is None:
        cache.clear()  # of this process only: it is rebuilt
        return {"cleared": 1}
    needles = _needles(subject)
    numbers = [f".{profile}.".encode() for profile in subject.profiles]
    looked = gone = 0
    for keys in _keys(server):
        for key, value in zip(keys, server.mget(keys), strict=True):
            looked += 1
            if any(number in key + b"." for number in numbers) or _holds(_bytes(value), needles):
                gone += int(server.delete(key))
    return {"searched": looked, "deleted": gone}


def forget_queued(subject: Subject) -> Mapping[str, Any]:
    """Delete waiting tasks that name the person; none should, since tasks carry numbers only."""
    server = _server(settings.CELERY_BROKER_URL)
    if server is None:
        return {"searched": False}  # a broker whose queues cannot be looked into without taking what is in them
    needles = _needles(subject)
    looked = gone = 0
    for key in server.scan_iter(count=BATCH, _type="list"):
        for message in map(_bytes, server.lrange(key, 0, -1)):
            looked += 1
            if _holds(_body(message), needles):
                gone += int(server.lrem(key, 0, message))  # type: ignore[arg-type]  # takes bytes, too
    return {"searched": looked, "deleted": gone}


def _server(url: str) -> "Redis | None":
    scheme, _, rest = url.partition("://")
    if scheme == "redis+socket":  # as Celery writes a socket; the number of the database follows
        path, _, query = rest.partition("?")
        number = dict(part.split("=") for part in query.split("&") if part).get("virtual_host", "0")
        return Redis.from_url(f"unix://{path}?db={number}")
    return Redis.from_url(url) if urlsplit(url).scheme in {"redis", "rediss", "unix"} else None


def _keys(server: "Redis") -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    for key in server.scan_iter(count=BATCH, _type="string"):
        batch.append(key)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _needles(subject: Subject) -> list[bytes]:
    found = [name.lstrip("+") for _, name in subject.names if len(name) >= SHORT]
    return [text.encode() for name in found for text in {name, name[-11:] if name.isdigit() else name}]


def _holds(value: bytes, needles: list[bytes]) -> bool:
    small = value.lower()
    return any(needle in small or needle in value for needle in needles)


def _bytes(value: bytes | str | None) -> bytes:
    """Return a value as it lies in the server: a client that decodes is not used here, types allow for one."""
    return value.encode() if isinstance(value, str) else value or b""


def _body(message: bytes) -> bytes:
    """Return a queued message with its body readable, which travels in base64."""
    try:
        told = json.loads(message)
        return message + base64.b64decode(told["body"])
    except (ValueError, KeyError, TypeError):
        return message
