"""A small log with everything in it that a question to the frames may meet: for engines to be held to each other."""

from dataclasses import replace
from datetime import datetime, timedelta

import narwhals as nw
import numpy as np
import polars as pl

from mlengine.columns import Log
from tests.mlengine.frames import RELATIONS, PolarsType, log_of

PEOPLE = 120
ITEMS_SOLD = 30
OPENED = datetime(2024, 1, 1)
DAYS = 300
CUTOFF = OPENED + timedelta(days=220)

_KINDS = ("purchase",) * 12 + ("viewed", "viewed", "carted", "assigned", "redeemed", "clicked")


def log_of_every_kind(events: int = 6_000) -> Log:
    """Return a log of events of many kinds, items without a category, refunds, discounts and late arrivals.

    Some have no item, value, session or discount; some occurred at one moment, and a day has several baskets. People
    1 to 20 shop once or not at all before ``CUTOFF``.
    """
    rng = np.random.default_rng(7)
    user = rng.integers(1, PEOPLE + 1, events)
    day = np.where(user <= 20, rng.uniform(DAYS * 0.7, DAYS, events), rng.uniform(0.0, DAYS, events) ** 0.95)
    minute = (day * 24 * 60).astype(np.int64) // 15 * 15
    at = np.datetime64(OPENED, "us") + minute.astype("timedelta64[m]").astype("timedelta64[us]")
    late = np.where(rng.random(events) < 0.05, 3 * 86_400_000_000, 0).astype("timedelta64[us]")

    def some(values: np.ndarray, share: float) -> list[object]:
        return [
            None if gone else value for value, gone in zip(values.tolist(), rng.random(events) < share, strict=True)
        ]

    frame = pl.DataFrame({
        "user": user,
        "item": some(rng.integers(1, ITEMS_SOLD + 1, events), 0.03),
        "kind": rng.choice(_KINDS, events),
        "occurred_at": at,
        "received_at": at + late,
        "value": some(rng.gamma(2.0, 10.0, events).round(2) * np.where(rng.random(events) < 0.03, -1, 1), 0.02),
        "quantity": rng.integers(1, 4, events).astype(float),
        "discount": some(np.where(rng.random(events) < 0.3, 1.5, 0.0), 0.1),
        "session": some(np.char.add("s", (minute // 60).astype(str)), 0.03),
        "channel": rng.choice(["web", "store"], events),
    })  # fmt: skip
    items = pl.DataFrame({
        "item": np.arange(1, ITEMS_SOLD + 1),
        "kind": ["product"] * ITEMS_SOLD,
        "category": [None if n % 7 == 0 else f"c{n % 5}" for n in range(ITEMS_SOLD)],
        "subcategory": [f"s{n % 10}" for n in range(ITEMS_SOLD)],
        "text": [f"tea {n}" for n in range(ITEMS_SOLD)],
        "added_at": [OPENED] * ITEMS_SOLD,
    })  # fmt: skip
    people = pl.DataFrame({
        "user": np.arange(1, PEOPLE + 1),
        "age_band": [None if n % 9 == 0 else f"{n % 4}0s" for n in range(PEOPLE)],
    })  # fmt: skip
    known = pl.DataFrame({
        "user": rng.integers(1, PEOPLE + 1, 80), "other": rng.integers(1, PEOPLE + 1, 80), "kind": ["friend"] * 80,
        "weight": rng.random(80), "occurred_at": [OPENED + timedelta(days=int(n)) for n in rng.integers(0, DAYS, 80)],
    }, schema=dict(RELATIONS))  # fmt: skip
    made = log_of(frame, items, people, known)
    return replace(made, offers=nw.from_native(_offers(rng).lazy()))


def _offers(rng: np.random.Generator) -> pl.DataFrame:
    """Return three runs by lot: assigned, some of them sent, some of those clicked, a few by programs."""
    rows: list[tuple[object, ...]] = []
    for run in (60, 120, 180):
        for user in range(1, PEOPLE + 1):
            at, out = OPENED + timedelta(days=run, hours=9), rng.random() < 0.4
            rows.append((user, "assigned", at, run, 0 if out else 5, 0.4 if out else 0.6, None))
            if not out:
                rows.append((user, "sent", at + timedelta(hours=1), run, 5, None, None))
            if not out and rng.random() < 0.3:
                clicked = at + timedelta(hours=float(rng.uniform(2, 60)))
                rows.append((user, "clicked", clicked, run, 5, None, int(rng.random() < 0.1)))
    names: dict[str, PolarsType] = {
        "user": pl.Int64, "kind": pl.String, "occurred_at": pl.Datetime("us"), "run": pl.Int64, "variant": pl.Int64,
        "propensity": pl.Float64, "machine": pl.Int64,
    }  # fmt: skip
    frame = pl.DataFrame(rows, schema=names, orient="row")
    return frame.with_columns(
        received_at=pl.col("occurred_at"),
        session=pl.col("run").cast(pl.String),
        channel=pl.when(pl.col("user") % 2 == 0).then(pl.lit("email")).otherwise(pl.lit("sms")),
        campaign=pl.lit(1, pl.Int64),
    ).drop("run")
