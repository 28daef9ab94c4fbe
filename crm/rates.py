"""How often somebody may ask: a number of requests in each window of the clock, counted in the shared cache."""

import logging
from math import ceil

from django.core.cache import cache
from redis.exceptions import RedisError

SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 24 * 3600}

logger = logging.getLogger(__name__)


def count(name: str, rate: str, at: float) -> int | None:
    """Count one request; return the seconds to wait where the window's number (``60/minute``) is used up."""
    most, _slash, period = rate.partition("/")
    seconds = SECONDS[period]
    window, passed = divmod(at, seconds)
    try:
        counted = _counted(f"rate.{name}.{int(window)}", timeout=seconds + 1)
    except (RedisError, ValueError) as error:  # ValueError: the counter was evicted between two commands
        logger.warning("Requests are not counted, the cache does not answer: %s", type(error).__name__)
        return None
    return None if counted <= int(most) else ceil(seconds - passed)


def _counted(key: str, *, timeout: int) -> int:
    try:
        return int(cache.incr(key))
    except ValueError:  # the first of the window, unless another process was faster
        return 1 if cache.add(key, 1, timeout=timeout) else int(cache.incr(key))
