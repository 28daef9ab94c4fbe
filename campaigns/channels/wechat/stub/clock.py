"""The stub's time: the real clock and an offset, and what is due at which moment."""

import heapq
import itertools
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

SHANGHAI = timezone(timedelta(hours=8))  # no summer time since 1991


def day(at: float) -> int:
    """Number the day of Shanghai in which a moment lies."""
    return int((at + 8 * 3600) // 86400)


def second_of_day(at: float) -> float:
    return (at + 8 * 3600) % 86400


def month(at: float) -> str:
    return datetime.fromtimestamp(at, SHANGHAI).strftime("%Y-%m")


def date(number: int) -> str:
    """Write the day with this number, as `2026-11-22`."""
    return datetime.fromtimestamp(number * 86400, UTC).strftime("%Y-%m-%d")


def day_number(text: str) -> int:
    """Number the day written as `2026-11-22`; ValueError if it is none."""
    return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp() // 86400)


@dataclass
class Clock:
    """Real time plus an offset; stands still while frozen."""

    offset: float = 0.0
    frozen_at: float | None = None

    def now(self) -> float:
        return self.frozen_at if self.frozen_at is not None else time.time() + self.offset

    def advance(self, seconds: float) -> None:
        self.set(self.now() + seconds)

    def set(self, at: float) -> None:
        if self.frozen_at is not None:
            self.frozen_at = at
        else:
            self.offset = at - time.time()

    def freeze(self, frozen: bool) -> None:
        now = self.now()
        self.frozen_at = now if frozen else None
        self.offset = now - time.time()


@dataclass
class Agenda:
    """What will happen when, as names and JSON, so that it outlives a restart."""

    heap: list[tuple[float, int, str, dict[str, Any]]] = field(default_factory=list)
    changed: threading.Event = field(default_factory=threading.Event)
    order: "itertools.count[int]" = field(default_factory=itertools.count)

    def add(self, due: float, action: str, **about: Any) -> None:
        heapq.heappush(self.heap, (due, next(self.order), action, about))
        if self.heap[0][0] == due:
            self.changed.set()

    def take(self, now: float) -> tuple[float, str, dict[str, Any]] | None:
        """Take the first thing due, or None."""
        if not self.heap or self.heap[0][0] > now:
            return None
        due, _, action, about = heapq.heappop(self.heap)
        return due, action, about

    def wait(self, clock: Clock, at_most: float = 0.5) -> None:
        """Sleep until something may be due."""
        pause = at_most
        if self.heap and clock.frozen_at is None:
            pause = min(at_most, max(0.0, self.heap[0][0] - clock.now()))
        self.changed.wait(pause)
        self.changed.clear()
