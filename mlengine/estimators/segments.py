"""What all divisions of people into groups share: who is divided, and how much a division tells of what comes after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine.columns import CATEGORY, CLUSTER, DISCOUNT, ITEM, KIND, OCCURRED_AT, PURCHASE, USER, VALUE, Log
from mlengine.estimators.parts import active, sampled
from mlengine.features.days import sum_where
from mlengine.metrics.bootstrap import interval
from mlengine.specs import Measure, NotEnoughData

Array = NDArray[Any]

MOST_LEARNED_FROM = 100_000  # quintiles of so many people are right to a fifth of a percent of them


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One group: its code, which stays the same between runs, and what to call it in each language."""

    code: int
    name: Mapping[str, str]
    description: Mapping[str, str]


def variance_explained(codes: Array, value: Array) -> float:
    """Return the share of a number's variance that lies between groups (eta squared): 0 tells nothing, 1 everything.

    Examples
    --------
    >>> variance_explained(np.array([1, 1, 2, 2]), np.array([0.0, 0.0, 5.0, 5.0]))
    1.0
    """
    if not len(value) or not value.var():
        return float("nan")
    _, group = np.unique(codes, return_inverse=True)
    size = np.bincount(group)
    mean = np.bincount(group, weights=value) / size
    return float((size * (mean - value.mean()) ** 2).sum() / (len(value) * value.var()))


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """A task that puts people into groups; ``horizon`` is how far ahead the groups are judged by later spending."""

    horizon: timedelta
    activity_window: timedelta
    kind: str = PURCHASE

    def learned_from(self, log: Log, cutoff: datetime) -> Log:
        """Return the log, of more than ``MOST_LEARNED_FROM`` active people that of a random share of so many."""
        asked = len(active(log, cutoff, self.activity_window, self.kind))
        return sampled(log, MOST_LEARNED_FROM / max(asked, 1))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Return how much groups tell of the horizon that follows; the log must reach its end.

        Shares of variance that lie between groups: ``value_explained`` of log(1 + money spent), ``lines_explained`` of
        log(1 + purchase lines), and ``behaviour_explained``, the mean over both and, among those who purchased, the
        share of the price saved and the shares of money for the four largest categories.
        """
        after = _behaviour(log, cutoff, cutoff + self.horizon, self.kind)
        judged = predictions.select(USER, CLUSTER).join(after, on=USER, how="left").sort(USER)
        if not len(judged):
            raise NotEnoughData(f"Nobody was put into a group at {cutoff}.")
        codes = judged[CLUSTER].to_numpy()
        money, lines = (
            np.log1p(np.maximum(judged[name].fill_null(0.0).to_numpy(), 0.0)) for name in ("spent", "lines")
        )
        mix = judged.drop(USER, CLUSTER, "spent", "lines").to_numpy()
        return {
            "value_explained": interval(variance_explained, codes, money),
            "lines_explained": interval(variance_explained, codes, lines),
            "behaviour_explained": interval(
                _mean_explained, codes, np.column_stack([money, lines, mix]), resamples=200
            ),
        }


def _mean_explained(codes: Array, behaviour: Array) -> float:
    known = np.isfinite(behaviour)
    each = [variance_explained(codes[known[:, n]], behaviour[known[:, n], n]) for n in range(behaviour.shape[1])]
    return float(np.mean([value for value in each if np.isfinite(value)]))


def _behaviour(log: Log, start: datetime, end: datetime, kind: str) -> nw.DataFrame[Any]:
    """Return ``user``, ``spent``, ``lines`` and shares (null without money) of who purchased in [start, end)."""
    during = (nw.col(KIND) == kind) & (nw.col(OCCURRED_AT) >= start) & (nw.col(OCCURRED_AT) < end)
    by_item = (
        log.events.filter(during)
        .group_by(USER, ITEM)
        .agg(nw.col(VALUE).sum(), nw.col(DISCOUNT).sum(), nw.len().cast(nw.Float64).alias("lines"))
    )
    named = by_item.join(log.items.select(ITEM, CATEGORY), on=ITEM, how="left").collect("polars")
    totals = named.group_by(CATEGORY).agg(nw.col(VALUE).sum()).drop_nulls(CATEGORY).sort(VALUE, CATEGORY)
    spent = nw.col(VALUE).sum()
    full = spent + nw.col(DISCOUNT).sum()
    return named.group_by(USER).agg(
        spent.alias("spent"),
        nw.col("lines").sum(),
        nw.when(full > 0.0).then(nw.col(DISCOUNT).sum() / full).alias("saved"),
        *[
            nw.when(spent > 0.0).then(sum_where(nw.col(CATEGORY) == name, VALUE) / spent).alias(f"share_{n}")
            for n, name in enumerate(totals[CATEGORY].tail(4).to_list())
        ],
    )


def grouped(rows: nw.DataFrame[Any], codes: Array) -> nw.DataFrame[Any]:
    """Return ``user`` and ``cluster`` (int64) for rows of people."""
    column = nw.new_series(CLUSTER, codes.astype(np.int64), nw.Int64, backend=rows.implementation)
    return rows.select(USER).with_columns(column)
