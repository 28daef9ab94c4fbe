"""Worlds in which it is known whom a campaign makes buy, as logs."""

from datetime import datetime, timedelta
from functools import cache

import narwhals as nw
import numpy as np
import polars as pl

from mlengine.columns import Log
from tests.mlengine.frames import log_of

DAY = timedelta(days=1)
BEGAN = datetime(2025, 1, 1)
RUNS = tuple(BEGAN + n * DAY for n in (140, 180, 220))
ENDS = BEGAN + 250 * DAY
HOLDOUT = 0.4


@cache
def world(
    people: int = 700, *, effect: float = 0.5, held_out: float = HOLDOUT, told: float = HOLDOUT, seed: int = 0
) -> Log:
    """Return a log of three campaigns: they make every second person buy (who buys rarely), and nobody else.

    ``held_out`` is the share that was held out, ``told`` the share that the log says.
    """
    rng = np.random.default_rng(seed)
    users = np.arange(1, people + 1)
    helped = users % 2 == 0
    rows: list[tuple[int, datetime, float]] = []
    for user in users.tolist():
        gap = 45 if helped[user - 1] else 9
        at = BEGAN + timedelta(days=float(rng.uniform(0, gap)))
        while at < ENDS:
            rows.append((user, at, float(rng.gamma(2, 10))))
            at += timedelta(days=float(rng.gamma(4, gap / 4)))
    offers = []
    for run in RUNS:
        out = rng.random(people) < held_out
        offers += [(int(user), str(run), run + timedelta(hours=9), bool(o)) for user, o in zip(users, out, strict=True)]
        made = helped & ~out & (rng.random(people) < effect)
        rows += [(int(user), run + timedelta(days=float(rng.uniform(1, 12))), 25.0) for user in users[made]]
    purchases = pl.DataFrame(rows, schema=["user", "occurred_at", "value"], orient="row").with_columns(
        kind=pl.lit("purchase"), session=pl.int_range(pl.len()).cast(pl.String)
    )
    log = log_of(purchases.with_columns(pl.col("occurred_at").cast(pl.Datetime("us"))))
    return Log(events=log.events, items=log.items, profiles=log.profiles, offers=_offers(offers, told))


def _offers(rows: list[tuple[int, str, datetime, bool]], told: float) -> nw.LazyFrame[pl.LazyFrame]:
    frame = pl.DataFrame(rows, schema=["user", "session", "occurred_at", "out"], orient="row").with_columns(
        kind=pl.lit("assigned"),
        received_at=pl.col("occurred_at"),
        channel=pl.lit("email"),
        campaign=pl.lit(1, pl.Int64),
        variant=pl.when("out").then(0).otherwise(5).cast(pl.Int64),
        propensity=pl.when("out").then(told).otherwise(1 - told),
        machine=pl.lit(None, pl.Int64),
    )
    return nw.from_native(frame.drop("out").lazy())
