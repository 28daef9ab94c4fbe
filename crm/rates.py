"""How often somebody may ask: a number of requests in each window of the clock, counted in the shared cache."""

import logging
from math import ceil
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}

logger = logging.getLogger(__name__)

# Django makes a client anew for each command, which takes longer than the command; each thread has a cache of its own.
_clients: Final[WeakKeyDictionary[RedisCache, Any]] = WeakKeyDictionary()


def count(name: str, rate: str, at: float) -> int | None:
    """Count one request; return the seconds to wait where the window's number (``60/minute``) is used up."""
    most, _slash, period = rate.partition("/")
    seconds = SECONDS[period]
    window, passed = divmod(at, seconds)
    try:
        counted = _counted(caches["default"], f"rate.{name}.{int(window)}", timeout=ceil(seconds - passed) + 1)
    except (RedisError, ValueError) as error:  # ValueError: the counter was evicted between two commands
        logger.warning("Requests are not counted, the cache does not answer: %s", type(error).__name__)
        return None
    return None if counted <= int(most) else ceil(seconds - passed)


def _counted(cache: BaseCache, key: str, *, timeout: int) -> int:
    if isinstance(cache, RedisCache):
        return _counted_at_once(cache, key, timeout=timeout)
    try:
        return int(cache.incr(key))
    except ValueError:  # the first of the window, unless another process was faster
        return 1 if cache.add(key, 1, timeout=timeout) else int(cache.incr(key))


def _counted_at_once(cache: RedisCache, key: str, *, timeout: int) -> int:
    """Count by one question to the server: Django's ``incr`` asks twice, and every request of the API waits for it."""
    client = _clients.get(cache)
    if client is None:
        client = _clients[cache] = cache._cache.get_client(write=True)
    kept = cache.make_and_validate_key(key)
    question = client.pipeline(transaction=False)
    question.incr(kept)
    question.expire(kept, timeout)
    return int(question.execute()[0])
