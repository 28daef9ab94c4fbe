"""How sure a metric is: percentile bootstrap over people, alone or of a difference on the same people.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; pairs are resampled together, so that what
two models share (the same easy and hard people) cancels out.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlengine.specs import Measure

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]

RESAMPLES = 500


def interval(metric: Metric, y: Array, score: Array, *, resamples: int = RESAMPLES, random_state: int = 0) -> Measure:
    """Return a metric with its 95 % interval.

    Parameters
    ----------
    metric : callable (y, score) -> float
        May return nan on a resample where it means nothing; such resamples are left out.
    y, score : array of shape (n,)
    resamples, random_state : int

    Examples
    --------
    >>> share = lambda y, score: float(y.mean())
    >>> found = interval(share, np.array([0, 1] * 50), np.zeros(100))
    >>> found.value, found.low < 0.5 < found.high
    (0.5, True)
    """
    draws = _resampled(lambda rows: metric(y[rows], score[rows]), len(y), resamples, random_state)
    return _measure(metric(y, score), draws)


def difference(
    metric: Metric, y: Array, score: Array, rival: Array, *, resamples: int = RESAMPLES, random_state: int = 0
) -> Measure:
    """Return how much higher a metric is for ``score`` than for ``rival``, with its 95 % interval over the same people.

    An interval wholly above 0 says that ``score`` is the better one.

    Examples
    --------
    >>> from mlengine.metrics.classification import roc_auc
    >>> y = np.array([0, 1] * 100)
    >>> found = difference(roc_auc, y, score=y + 0.0, rival=np.zeros(200))
    >>> found.value, found.low
    (0.5, 0.5)
    """

    def gain(rows: Array) -> float:
        return metric(y[rows], score[rows]) - metric(y[rows], rival[rows])

    return _measure(gain(np.arange(len(y))), _resampled(gain, len(y), resamples, random_state))


def _resampled(value: Callable[[Array], float], n: int, resamples: int, random_state: int) -> Array:
    rng = np.random.default_rng(random_state)
    draws = np.array([value(rng.integers(0, n, n)) for _ in range(resamples)])
    return np.asarray(draws[np.isfinite(draws)])


def _measure(value: float, draws: Array) -> Measure:
    if not draws.size:
        return Measure(value=value)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Measure(value=value, low=float(low), high=float(high))
