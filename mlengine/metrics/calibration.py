"""Whether probabilities mean what they say: of people scored 0.3, about 30 % should do it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BINS = 10


@dataclass(frozen=True, kw_only=True)
class Bin:
    """People with similar probabilities: how many, what was said on average, what share did it."""

    count: int
    predicted: float
    observed: float


def calibration_curve(y: Array, probability: Array, *, bins: int = BINS) -> list[Bin]:
    """Return bins of (nearly) as many people each, from the lowest probabilities to the highest, for the plot.

    Examples
    --------
    >>> for each in calibration_curve(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8]), bins=2):
    ...     print(each.count, round(each.predicted, 2), each.observed)
    2 0.2 0.0
    2 0.7 1.0
    """
    order = np.argsort(probability, kind="stable")
    return [
        Bin(count=len(rows), predicted=float(probability[rows].mean()), observed=float(y[rows].mean()))
        for rows in np.array_split(order, min(bins, len(y)))
        if len(rows)
    ]


def expected_ratio(y: Array, probability: Array) -> float:
    """Return how many were expected to over how many did: 1 where probabilities are right on the whole.

    Examples
    --------
    >>> expected_ratio(np.array([0, 0, 1, 1]), np.array([0.25, 0.25, 0.5, 0.5]))
    0.75
    """
    return float(probability.sum() / y.sum()) if y.sum() > 0 else float("nan")


def calibration_error(y: Array, probability: Array, *, bins: int = BINS) -> float:
    """Return the expected calibration error: the mean distance between said and observed, over bins of equal size.

    Naeini, Cooper & Hauskrecht (2015), with equal-mass bins, since churn scores crowd near 0.

    Examples
    --------
    >>> round(calibration_error(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.6, 0.8]), bins=2), 2)
    0.25
    """
    if not len(y):
        return float("nan")
    curve = calibration_curve(y, probability, bins=bins)
    return float(sum(each.count * abs(each.predicted - each.observed) for each in curve) / len(y))
