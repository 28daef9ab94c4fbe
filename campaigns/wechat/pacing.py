"""Many calls to a platform one after the other, no faster than an account's limits: all processes count together.

What is counted lies in the cache: a cache that is gone lets calls through, and the platform itself has the last word,
which is waited for as well.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.core.cache import cache

from campaigns.channels.wechat import limits
from campaigns.channels.wechat.errors import Action, WeChatError
from campaigns.models import ChannelAccount

A_MINUTE = 60
STEP = 5.0  # seconds that are slept at once: whoever waits says now and then that it lives
MOST_WAITS = 5  # minutes of the platform's in a row, after which it is no pace any more
Made = TypeVar("Made")
Clock = Callable[[], datetime]
sleep: Callable[[float], None] = time.sleep

log = logging.getLogger(__name__)


def paced(
    account: ChannelAccount, name: str, call: Callable[[], Made], clock: Clock, alive: Callable[[datetime], object]
) -> Made:
    """Make a call when its limit ``<name>_a_minute`` lets it, and once more in a minute where the platform says so.

    ``alive`` is called while waiting, and may raise to stop it.

    Raises
    ------
    WeChatError
        The platform refuses, or is still busy after some minutes.
    """
    for left in range(MOST_WAITS, -1, -1):
        while not _take(account, name, clock()):
            _wait(A_MINUTE - clock().timestamp() % A_MINUTE, clock, alive)
        try:
            return call()
        except WeChatError as error:
            if error.action is not Action.RATE or not left:
                raise
        _wait(float(A_MINUTE), clock, alive)
    raise AssertionError


def _take(account: ChannelAccount, name: str, now: datetime) -> bool:
    """Count a call of this minute; False where there were as many as the limit allows."""
    most = limits.of(account, f"{name}_a_minute")
    if most is None:
        return True
    key = f"zhiyin:wechat:pace:{account.hook}:{name}:{int(now.timestamp()) // A_MINUTE}"
    try:
        cache.add(key, 0, timeout=2 * A_MINUTE)
        return bool(cache.incr(key) <= most)
    except Exception:  # whatever a cache raises: the platform counts as well
        log.warning("Calls are not counted: the cache does not answer.")
        return True


def _wait(seconds: float, clock: Clock, alive: Callable[[datetime], object]) -> None:
    ends = clock() + timedelta(seconds=seconds)
    while (left := (ends - clock()).total_seconds()) > 0:
        alive(clock())
        sleep(min(STEP, left))
