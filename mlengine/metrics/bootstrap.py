"""How sure a metric is: percentile bootstrap over people, alone or of a difference on the same people.

Source: Efron & Tibshirani, An Introduction to the Bootstrap (1993), ch. 13; pairs are resampled together, so that what
two models share (the same easy and hard people) cancels out.

Of very many people a resample takes some only, and what it says is drawn in towards the figure of everybody by the root
of their share (Bickel, Götze & van Zwet, Resampling Fewer Than n Observations, 1997): the same interval, at a cost
that does not grow with the people.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlengine.specs import Measure

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]

RESAMPLES = 500
MOST_DRAWN = 100_000  # people that a resample has at most


_VALUES_ONLY: ContextVar[bool] = ContextVar("values_only", default=False)


@contextmanager
def values_only() -> Iterator[None]:
    """Leave intervals out within: whoever judges a thing many times over looks at the values alone.

    Examples
    --------
    >>> with values_only():
    ...     interval(lambda y, score: float(y.mean()), np.array([0, 1]), np.zeros(2))
    Measure(value=0.5, low=None, high=None)
    """
    token = _VALUES_ONLY.set(True)
    try:
        yield
    finally:
        _VALUES_ONLY.reset(token)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Where each person's rows are: ``order`` person by person, ``counts`` how many of each."""

    order: Array
    counts: Array

    @property
    def count(self) -> int:
        return len(self.counts)

    def __call__(self, drawn: Array) -> Array:
        """Return all rows of the people drawn, as often as they were."""
        counts = self.counts[drawn]
        ends = np.cumsum(counts)
        within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        begins = np.cumsum(self.counts) - self.counts
        return np.asarray(self.order[np.repeat(begins[drawn], counts) + within])


def interval(
    metric: Metric,
    y: Array,
    score: Array,
    *,
    people: Array | None = None,
    resamples: int = RESAMPLES,
    random_state: int = 0,
) -> Measure:
    """Return a metric with its 95 % interval.

    Parameters
    ----------
    metric : callable (y, score) -> float
        May return nan on a resample where it means nothing; such resamples are left out.
    y, score : array of shape (n,)
    people : array of shape (n,), optional
        Whose each row is. Rows of one person are alike and must be drawn together (Field and Welsh, 2007), or an
        interval is too narrow; left out, each row is somebody else.
    resamples, random_state : int

    Examples
    --------
    >>> share = lambda y, score: float(y.mean())
    >>> found = interval(share, np.array([0, 1] * 50), np.zeros(100))
    >>> found.value, found.low < 0.5 < found.high
    (0.5, True)
    """
    if _VALUES_ONLY.get():
        return Measure(value=metric(y, score))
    whole = None if people is None else rows_of_people(people)
    value = metric(y, score)
    draws = _resampled(lambda rows: metric(y[rows], score[rows]), len(y), resamples, random_state, whole)
    return _measure(value, _drawn_in(draws, value, len(y) if whole is None else whole.count))


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

    value = gain(np.arange(len(y)))
    return _measure(value, _drawn_in(_resampled(gain, len(y), resamples, random_state), value, len(y)))


def band(
    curve: Callable[[Array], Array],
    n: int,
    *,
    people: Array | None = None,
    resamples: int = RESAMPLES,
    random_state: int = 0,
) -> tuple[Array, Array]:
    """Return the ends of the 95 % interval of each point of a curve, which is asked for rows drawn again.

    Examples
    --------
    >>> y = np.array([0.0, 1.0] * 50)
    >>> low, high = band(lambda rows: np.array([y[rows].mean(), 0.0]), 100)
    >>> bool(low[0] < 0.5 < high[0]), float(low[1]), float(high[1])
    (True, 0.0, 0.0)
    """
    whole = None if people is None else rows_of_people(people)
    rng = np.random.default_rng(random_state)
    draws = [
        curve(rng.integers(0, n, n) if whole is None else whole(rng.integers(0, whole.count, whole.count)))
        for _ in range(resamples)
    ]
    low, high = np.nanquantile(draws, [0.025, 0.975], axis=0)
    return low, high


def rows_of_people(people: Array) -> Rows | None:
    """Return what gives the rows of people drawn by number, whole; None where each row is somebody else.

    Examples
    --------
    >>> whole = rows_of_people(np.array([7, 5, 7]))
    >>> whole.count, whole(np.array([1, 1, 0])).tolist()
    (2, [0, 2, 0, 2, 1])
    """
    _, number, counts = np.unique(people, return_inverse=True, return_counts=True)
    return Rows(order=np.argsort(number, kind="stable"), counts=counts) if len(counts) < len(people) else None


def _resampled(
    value: Callable[[Array], float], n: int, resamples: int, random_state: int, whole: Rows | None = None
) -> Array:
    rng = np.random.default_rng(random_state)

    people = n if whole is None else whole.count

    def drawn() -> Array:
        numbers = rng.integers(0, people, min(people, MOST_DRAWN))
        return numbers if whole is None else whole(numbers)

    draws = np.array([value(drawn()) for _ in range(resamples)])
    return np.asarray(draws[np.isfinite(draws)])


def _drawn_in(draws: Array, value: float, people: int) -> Array:
    """Return resamples of some of the people as those of all would lie: around the value, nearer to it."""
    if people <= MOST_DRAWN or not draws.size:
        return draws
    # Around their own mean: a figure that is larger of fewer people (calibration's error) would lie beside itself.
    return np.asarray(value + (draws - draws.mean()) * np.sqrt(MOST_DRAWN / people))


def _measure(value: float, draws: Array) -> Measure:
    if not draws.size:
        return Measure(value=value)
    low, high = np.quantile(draws, [0.025, 0.975])
    return Measure(value=value, low=float(low), high=float(high))
