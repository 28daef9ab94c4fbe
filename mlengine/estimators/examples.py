"""Examples to learn from: people at several cutoffs, what was known of them then, and what they did after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine import labels
from mlengine.columns import KIND, LABEL, OCCURRED_AT, USER, Log
from mlengine.estimators.parts import active, each_part, sampled
from mlengine.features import build
from mlengine.specs import NotEnoughData
from mlengine.splits import cutoffs_before

Array = NDArray[Any]

MOST_KEPT = 50_000  # a table of features this long is 40 MB; longer ones are not kept for the next question
MOST_ROWS = 400_000  # about 230 MB of features; more people are sampled, since boosting learns little from the rest


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Rows of several cutoffs under each other.

    Attributes
    ----------
    names : tuple of str
        The columns of ``X``.
    X : array of shape (n, len(names)), float64, nan where unknown
    y : array of shape (n,), 1 or 0
    cutoff : array of shape (n,), datetime64
        When each row was taken.
    """

    names: tuple[str, ...]
    X: Array
    y: Array
    cutoff: Array

    def at(self, cutoffs: Sequence[datetime]) -> "Examples":
        """Return only the rows of these cutoffs."""
        keep = np.isin(self.cutoff, np.array(cutoffs, dtype="datetime64[us]"))
        return Examples(names=self.names, X=self.X[keep], y=self.y[keep], cutoff=self.cutoff[keep])

    def has_both_kinds(self) -> bool:
        return 0 < int(self.y.sum()) < len(self.y)


def people(
    log: Log, cutoff: datetime, activity_window: timedelta, families: Sequence[str], kind: str
) -> nw.DataFrame[Any]:
    """Return ``user`` and the families' columns for everybody active before ``cutoff``, in the order of users."""

    def built(some: Log) -> nw.DataFrame[Any]:
        asked = labels.active(some, cutoff, activity_window, kind)
        return asked.join(build(some, cutoff, families), on=USER, how="left").sort(USER).collect("polars")

    def rows() -> nw.DataFrame[Any]:
        return each_part(log, cutoff, activity_window, kind, built)

    key = ("people", activity_window, tuple(families), kind)
    return log.once(key, cutoff, rows, keep=lambda found: len(found) <= MOST_KEPT)


def matrix(rows: nw.DataFrame[Any], names: Sequence[str]) -> Array:
    """Return columns as float64 of shape (n, len(names)), nan for null and for infinities.

    Engines add up in any order, so that sums differ in their last bits between runs; rounding to nine decimals gives
    the same trees every time.
    """
    found = np.round(rows.select(nw.col(*names).cast(nw.Float64)).to_numpy(), 9)
    return np.where(np.isfinite(found), found, np.nan)


def begins_at(log: Log, kind: str) -> datetime:
    """Return when the first event of ``kind`` occurred."""
    first = log.events.filter(nw.col(KIND) == kind).select(nw.col(OCCURRED_AT).min()).collect("polars").item()
    if first is None:
        raise NotEnoughData(f"There are no {kind} events at all.")
    at: datetime = first
    return at


def ripe_cutoffs(
    log: Log, cutoff: datetime, kind: str, *, history: timedelta, horizon: timedelta, step: timedelta, most: int
) -> list[datetime]:
    """Return the cutoffs to learn from, whose labels are ripe at ``cutoff``, the earliest first.

    Raises
    ------
    NotEnoughData
        There is none: no history and horizon lie between the first event of ``kind`` and the cutoff.
    """
    began = begins_at(log, kind)
    found = cutoffs_before(cutoff, first=began + history, horizon=horizon, step=step, most=most)
    if not found:
        needed, there = history + horizon, cutoff - began
        raise NotEnoughData(f"Needs {needed.days} days of {kind} events before the cutoff, has {there.days}.")
    return found


def labelled(
    log: Log,
    cutoffs: Sequence[datetime],
    horizon: timedelta,
    activity_window: timedelta,
    families: Sequence[str],
    kind: str,
) -> Examples:
    """Return examples at the cutoffs, of a random share of the people where all would be more than ``MOST_ROWS``."""
    some = enough(log, cutoffs, activity_window, kind)
    parts: list[tuple[Array, Array]] = []
    names: tuple[str, ...] = ()
    for cutoff in cutoffs:
        rows = people(some, cutoff, activity_window, families, kind)
        after = labels.churn(some, cutoff, horizon, activity_window, kind).collect("polars")
        names = tuple(name for name in rows.columns if name != USER)
        y = rows.select(USER).join(after, on=USER, how="left").sort(USER)[LABEL].to_numpy()
        parts.append((matrix(rows, names), y))
    return Examples(
        names=names,
        X=np.concatenate([X for X, _ in parts]),
        y=np.concatenate([y for _, y in parts]),
        cutoff=np.repeat(np.array(cutoffs, dtype="datetime64[us]"), [len(y) for _, y in parts]),
    )


def enough(log: Log, cutoffs: Sequence[datetime], activity_window: timedelta, kind: str, *, rows_each: int = 1) -> Log:
    """Return the log of so many people that they make about ``MOST_ROWS`` examples at the cutoffs, all if fewer.

    Parameters
    ----------
    rows_each : int
        How many rows a person makes at a cutoff.
    """
    most = max(len(active(log, cutoff, activity_window, kind)) for cutoff in (cutoffs[0], cutoffs[-1]))
    return sampled(log, MOST_ROWS / (len(cutoffs) * max(most, 1) * rows_each))
