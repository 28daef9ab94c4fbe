"""Features, churn, value and segments for a million people with twenty million events: seconds and memory.

The events lie in Parquet files by month as in the lake and are scanned, as they are for whoever has more than fit into
memory (``datasets.EVENTS_IN_MEMORY``). Each model learns from everything before the last day and answers for everybody,
as a night does; backtests, which repeat the same at earlier dates, and writing answers to the database
(``scoring`` measures it) are not in it.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import narwhals as nw
import numpy as np
import polars as pl
from django.conf import settings

from mlengine.columns import Log
from mlengine.specs import SPECS
from tests.benchmarks.ml import Measurement, Row, say
from tests.mlengine.frames import EVENTS, ITEMS

PEOPLE = int(os.environ.get("PEOPLE", "1000000"))
EVENTS_EACH = 20
MONTHS = 12
ITEMS_SOLD = 5_000
OPENED = datetime(2025, 1, 1)
END = OPENED + timedelta(days=30 * MONTHS)
WANTED = ("churn", "value", "rfm", "clusters")


def run() -> Iterator[Row]:
    """Yield seconds of each model and of all, by the clock and of the processor, and the peak of memory."""
    log = _log(_files())
    whole = Seconds()
    for name in [name for name in WANTED if name in SPECS]:
        verbs = SPECS[name].verbs
        began = Seconds.now()
        model = verbs.fit(log, END)
        learned = Seconds.now()
        answers = verbs.predict(model, log, END)
        done = Seconds.now()
        say(
            f"{name}: learned in {learned - began}, answered in {done - learned} for {len(answers):,} people; {_peak()}"
        )
        log.memo.clear()
        whole += done - began
        yield _row(f"seconds of {name}", (done - began).clock)
    yield _row("seconds of all", whole.clock, must=600.0)
    yield _row("processor seconds of all", whole.processor)
    yield _row("peak memory, GiB", _gib(), must=6.0)


@dataclass(frozen=True)
class Seconds:
    """Time by the clock, and of the processor: on a machine that does other things besides, the one is longer."""

    clock: float = 0.0
    processor: float = 0.0

    @classmethod
    def now(cls) -> "Seconds":
        return cls(time.monotonic(), time.process_time())

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.clock + other.clock, self.processor + other.processor)

    def __sub__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.clock - other.clock, self.processor - other.processor)

    def __str__(self) -> str:
        return f"{self.clock:.1f} s ({self.processor:.1f} s of processor)"


def _gib() -> float:
    return getrusage(RUSAGE_SELF).ru_maxrss / 2**20


def _peak() -> str:
    return f"at most {_gib():.2f} GiB so far"


def _row(metric: str, ours: float, must: float | None = None) -> Row:
    name = f"features, churn, value and segments, {PEOPLE:,} people, {PEOPLE * EVENTS_EACH:,} events"
    return {"task": name, "metric": metric, "ours": ours, "must": must, "higher_is_better": False}


LINES: dict[str, Measurement] = {"a million people": run}


def _files() -> list[Path]:
    """Return the events by month, drawn once: people come at gamma-distributed rates, and leave at some day."""
    directory = Path(settings.VAR_DIR) / "bench" / "data" / f"people-{PEOPLE}"
    directory.mkdir(parents=True, exist_ok=True)
    files = [directory / f"{month:02}.parquet" for month in range(MONTHS)]
    if all(file.exists() for file in files):
        return files
    rng = np.random.default_rng(0)
    rate = rng.gamma(1.2, 1.0, PEOPLE)
    leaves = np.minimum(rng.exponential(500.0, PEOPLE), 30.0 * MONTHS)
    expected = rate * leaves
    rate *= PEOPLE * EVENTS_EACH / expected.sum()
    for month, file in enumerate(files):
        there = np.clip(leaves - 30.0 * month, 0.0, 30.0)
        times = rng.poisson(rate * there)
        user = np.repeat(np.arange(PEOPLE, dtype=np.int64), times)
        day = 30.0 * month + rng.random(len(user)) * np.repeat(there, times)
        _month(user, day, rng).write_parquet(file)
    return files


def _month(user: np.ndarray, day: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    at = np.datetime64(OPENED, "us") + (day * 86_400e6).astype(np.int64).astype("timedelta64[us]")
    frame = pl.DataFrame({
        "user": user,
        "item": (rng.random(len(user)) ** 2 * ITEMS_SOLD).astype(np.int64),
        "kind": pl.repeat("purchase", len(user), eager=True),
        "occurred_at": at,
        "received_at": at,
        "value": rng.gamma(2.0, 15.0, len(user)).round(2),
        "quantity": np.ones(len(user)),
        "discount": np.where(rng.random(len(user)) < 0.2, 2.0, 0.0),
        "channel": pl.repeat("web", len(user), eager=True),
    })  # fmt: skip
    return frame.sort("occurred_at").with_columns(session=pl.int_range(pl.len()).cast(pl.String)).select(*EVENTS)


def _log(files: list[Path]) -> Log:
    items = pl.DataFrame({
        "item": np.arange(ITEMS_SOLD),
        "kind": ["product"] * ITEMS_SOLD,
        "category": [f"c{n % 20}" for n in range(ITEMS_SOLD)],
        "subcategory": [f"s{n % 100}" for n in range(ITEMS_SOLD)],
    })  # fmt: skip
    absent = [pl.lit(None, dtype=kind).alias(name) for name, kind in ITEMS.items() if name not in items.columns]
    return Log(
        events=nw.from_native(pl.scan_parquet(files)),
        items=nw.from_native(items.with_columns(*absent).lazy()),
        profiles=nw.from_native(pl.LazyFrame({"user": np.arange(PEOPLE, dtype=np.int64)})),
    )
