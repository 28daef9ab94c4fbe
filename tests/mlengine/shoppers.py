"""A log made so that the answer is known: regular shoppers, some of whom stop for good at a known day."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from mlengine.columns import Log
from tests.mlengine.frames import log_of, purchases

BEGIN = datetime(2024, 1, 1, 12)
DAY = timedelta(days=1)
DAYS = 280


def shoppers(*, people: int = 300, leaving: bool = True, days: int = DAYS) -> tuple[Log, dict[int, int]]:
    """Return a log of people who shop every 2 to 7 days, and the day on which each of every third stops (if at all).

    Who stops comes ever more seldom before: the gap grows by half each time from 40 days before the end on.
    """
    rng = np.random.default_rng(0)
    rows: list[tuple[int, datetime, float]] = []
    stops: dict[int, int] = {}
    for user in range(1, people + 1):
        gap, day = int(rng.integers(2, 8)), float(rng.integers(0, 8))
        stop = int(rng.integers(60, days)) if leaving and user % 3 == 0 else days + 1
        if stop <= days:
            stops[user] = stop
        while day < min(stop, days):
            rows.append((user, BEGIN + day * DAY, float(rng.integers(5, 50))))
            stretch = 1.0 if stop - day > 40 else 1.5
            day += gap * stretch * float(rng.uniform(0.7, 1.3))
    events = purchases(rows).with_columns(item=pl.lit(1, dtype=pl.Int64), discount=pl.lit(0.0))
    return log_of(events, pl.DataFrame({"item": [1], "category": ["all"]})), stops
