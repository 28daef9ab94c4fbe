"""How well amounts are foretold: numbers against numbers, each of shape (n,), what happened first."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def mean_absolute_error(y: Array, said: Array) -> float:
    """Return the mean distance.

    >>> mean_absolute_error(np.array([1.0, 3.0]), np.array([2.0, 3.0]))
    0.5
    """
    return float(np.abs(y - said).mean())


def root_mean_squared_error(y: Array, said: Array) -> float:
    """Return the root of the mean squared distance.

    >>> root_mean_squared_error(np.array([1.0, 3.0]), np.array([1.0, 5.0]))
    1.4142135623730951
    """
    return float(np.sqrt(np.square(y - said).mean()))


def correlation(y: Array, said: Array) -> float:
    """Return Pearson's correlation; nan where one of them is constant.

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]))
    1.0
    >>> correlation(np.array([1.0, 2.0]), np.array([3.0, 3.0]))
    nan
    """
    here, there = y - y.mean(), said - said.mean()
    length = float(np.sqrt(np.square(here).sum() * np.square(there).sum()))
    return float(here @ there / length) if length > 0 else float("nan")


def value_explained(y: Array, said: Array) -> float:
    """Return the share of the variance that is explained, 1 - SSE / SST; below 0 where the mean alone were better.

    >>> value_explained(np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    1.0
    >>> value_explained(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    0.0
    """
    whole = float(np.square(y - y.mean()).sum())
    return 1.0 - float(np.square(y - said).sum()) / whole if whole > 0 else float("nan")


def gini(y: Array, said: Array) -> float:
    """Return how well the order is foretold: the area below the curve of what the highest bring, 1 where in true order.

    0 is no better than drawing lots. Source: Frees, Meyers & Cummings (2011), normalised by the best order.

    >>> gini(np.array([1.0, 5.0, 2.0]), np.array([0.1, 0.9, 0.2]))
    1.0
    """
    best = _area(y, y)
    return _area(y, said) / best if best > 0 else float("nan")


def total_ratio(y: Array, said: Array) -> float:
    """Return what was foretold of all together over what they spent.

    >>> total_ratio(np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    1.5
    """
    return float(said.sum() / y.sum()) if y.sum() > 0 else float("nan")


def coverage(y: Array, low: Array, high: Array) -> float:
    """Return the share of what happened that lay within its interval, ends included.

    >>> coverage(np.array([1.0, 3.0]), np.array([0.0, 0.0]), np.array([2.0, 2.0]))
    0.5
    """
    return float(((y >= low) & (y <= high)).mean())


def _area(y: Array, said: Array) -> float:
    order = np.argsort(-said, kind="stable")
    total = float(y.sum())
    if total <= 0:
        return float("nan")
    return float(np.mean(np.cumsum(y[order]) / total) - (len(y) + 1) / (2 * len(y)))
