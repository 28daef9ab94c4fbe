"""Where tests cache and queue: at places of the embedded Valkey where nobody works, since each test empties them."""

from typing import Any

import pytest
from django.conf import settings

from config.embedded.valkey import DATABASES

MOST = DATABASES // 2 - 2  # workers: two databases are the product's, and two belong to the process that starts them


def refuse_others() -> None:
    """Raise ``pytest.UsageError`` where a broker or a cache is named that is not the embedded one."""
    ours: dict[str, Any] = {"BROKER_URL": settings.EMBEDDED.broker_url, "CACHE_URL": settings.EMBEDDED.cache_url}
    used = {"BROKER_URL": settings.CELERY_BROKER_URL, "CACHE_URL": settings.CACHE_URL}
    if others := [name for name in ours if used[name] != ours[name]]:  # not repeated: it may hold a password
        raise pytest.UsageError(
            "Tests empty the cache and the queues, and may do so in the embedded Valkey only:"
            f" unset {' and '.join(others)} (in the environment and in .env)."
        )


def keep(process: int) -> None:
    """Give a process of tests a cache and a broker of its own: others empty theirs, count what waits, and take it.

    Process 0 has no workers or starts them, the others are workers.
    """
    cache, broker = databases(process)
    settings.CACHE_URL = settings.EMBEDDED.cache_url.replace("?db=1", f"?db={cache}")
    settings.CACHES["default"]["LOCATION"] = settings.CACHE_URL
    settings.CELERY_BROKER_URL = settings.EMBEDDED.broker_url.replace("?virtual_host=0", f"?virtual_host={broker}")


def databases(process: int) -> tuple[int, int]:
    """Return the numbers of a process's two databases: of its cache, and of its broker."""
    if process > MOST:
        raise pytest.UsageError(f"The embedded Valkey has databases for {MOST} workers: ask for fewer (-n {MOST}).")
    return 2 + 2 * process, 3 + 2 * process
