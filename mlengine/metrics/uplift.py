"""How well an order of people tells whom a treatment helps, judged on people who were treated or not by lot.

``y`` is 1 for those who did it, ``treated`` 1 for those it was done to. ``weight`` is one over the probability of what
was drawn for each person, for data of several draws with different shares; without it everybody counts alike. People
with equal scores come together, so that the order of rows does not matter and one score for all is worth exactly 0.

Sources: Radcliffe, "Using control groups to target on predicted lift" (2007); Devriendt, Van Belle, Guns and Verbeke,
"Learning to rank for uplift modeling" (2020), for the curves; Chernozhukov, Demirer, Duflo and Fernández-Val, "Generic
machine learning inference on heterogeneous treatment effects" (2018), section 3.1, for the test.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from mlengine.metrics.bootstrap import band, interval
from mlengine.metrics.ties import among_first
from mlengine.specs import Measure

Array = NDArray[Any]
UpliftMetric = Callable[[Array, Array, Array, Array], float]  # y, uplift, treated, weight

RESAMPLES = 200


@dataclass(frozen=True, kw_only=True)
class Sums:
    """Going down the scores: how many of each group there are so far, how many of them did it; the first row is 0."""

    people: Array
    treated: Array
    others: Array
    treated_did: Array
    others_did: Array

    @classmethod
    def of(cls, y: Array, uplift: Array, treated: Array, weight: Array) -> "Sums":
        score = np.nan_to_num(uplift, nan=-np.inf, posinf=np.inf, neginf=-np.inf)  # no score: last, and all alike
        order = np.argsort(-score, kind="stable")
        last = np.r_[np.flatnonzero(score[order][1:] != score[order][:-1]), len(y) - 1]
        w, t, did = weight[order], treated[order], y[order]

        def so_far(values: Array) -> Array:
            return np.asarray(np.r_[0.0, np.cumsum(values)[last]])

        one, other = w * t, w * (1 - t)
        return cls(
            people=np.r_[0, last + 1] / len(y),
            treated=so_far(one),
            others=so_far(other),
            treated_did=so_far(one * did),
            others_did=so_far(other * did),
        )

    def gained(self) -> Array:
        """Return Radcliffe's curve: how many more of the treated did it than of as many others."""
        return np.asarray(self.treated_did - self.others_did * _over(self.treated, self.others))

    def lifted(self) -> Array:
        """Return the uplift curve: the difference of shares, times how many people there are so far."""
        each = _over(self.treated_did, self.treated) - _over(self.others_did, self.others)
        return np.asarray(each * (self.treated + self.others))


def qini(y: Array, uplift: Array, treated: Array, weight: Array | None = None) -> float:
    """Return the area between Radcliffe's curve and chance's line, over that of a perfect order: 1 is best, 0 chance.

    The perfect order puts the treated who did it first and the others who did it last, so negative effects count;
    nan where a group is empty or nobody could be told apart.

    Examples
    --------
    >>> treated, y = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    >>> round(qini(y, np.array([2.0, 2, 1, 1]), treated), 4), qini(y, np.zeros(4), treated)
    (0.6667, 0.0)
    """
    return _share_of_perfect(Sums.gained, y * treated - y * (1 - treated), y, uplift, treated, weight)


def auuc(y: Array, uplift: Array, treated: Array, weight: Array | None = None) -> float:
    """Return the same share of the area under the uplift curve, whose perfect order begins with all who did as drawn.

    Examples
    --------
    >>> treated, y = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    >>> round(auuc(y, np.array([2.0, 2, 1, 1]), treated), 4)
    0.8889
    """
    more_others_did = (y * (1 - treated)).sum() > ((1 - y) * treated).sum()
    perfect = 2.0 * (y == treated) + (y if more_others_did else treated)
    return _share_of_perfect(Sums.lifted, perfect, y, uplift, treated, weight)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Radcliffe's curve in people more of each person there is: at ``shares`` of them, with its 95 % interval."""

    shares: Array
    gained: Array
    low: Array
    high: Array


def qini_curve(
    y: Array,
    uplift: Array,
    treated: Array,
    weight: Array,
    *,
    people: Array | None = None,
    points: int = 20,
    random_state: int = 0,
) -> Curve:
    """Return how many more do it if the first 0, 1/points, … 1 of all are treated, the highest scores first.

    Its end is the effect on everybody; a straight line there from 0 is what chance would bring.

    Examples
    --------
    >>> treated, y = np.array([1.0, 0, 1, 0] * 50), np.array([1.0, 0, 0, 0] * 50)
    >>> found = qini_curve(y, np.array([2.0, 2, 1, 1] * 50), treated, np.ones(200), points=2)
    >>> found.shares.tolist(), found.gained.tolist()
    ([0.0, 0.5, 1.0], [0.0, 0.5, 0.5])
    """
    shares = np.linspace(0, 1, points + 1)

    def curve(rows: Array) -> Array:
        sums = Sums.of(y[rows], uplift[rows], treated[rows], weight[rows])
        return np.interp(shares, sums.people, sums.gained() / max(float(sums.treated[-1]), 1e-12))

    low, high = band(curve, len(y), people=people, resamples=RESAMPLES, random_state=random_state)
    return Curve(shares=shares, gained=curve(np.arange(len(y))), low=low, high=high)


def uplift_at(share: float, y: Array, uplift: Array, treated: Array, weight: Array | None = None) -> float:
    """Return how many more did it of the treated than of the others, as shares, among those with the highest scores.

    People who are tied at the edge count in part: as on average over every order they might stand in.

    Examples
    --------
    >>> uplift_at(0.5, np.array([1.0, 0, 1, 1]), np.array([2.0, 2, 1, 1]), np.array([1.0, 0, 1, 0]))
    1.0
    """
    weight = np.ones(len(y)) if weight is None else weight
    w = weight * among_first(uplift, max(1, int(len(y) * share)))
    one, other = (w * treated).sum(), (w * (1 - treated)).sum()
    if not one or not other:
        return float("nan")
    return float((w * treated * y).sum() / one - (w * (1 - treated) * y).sum() / other)


def uplift_interval(
    metric: UpliftMetric,
    y: Array,
    uplift: Array,
    treated: Array,
    weight: Array,
    *,
    people: Array | None = None,
    random_state: int = 0,
) -> Measure:
    """Return a metric with its 95 % interval, people (who may have several rows) drawn again with replacement."""

    def among(rows: Array, _rows: Array) -> float:
        return metric(y[rows], uplift[rows], treated[rows], weight[rows])

    everybody = np.arange(len(y))
    return interval(among, everybody, everybody, people=people, resamples=RESAMPLES, random_state=random_state)


@dataclass(frozen=True, kw_only=True)
class Differs:
    """Whether the effect differs as scores say: by how much a unit of score raises it, and the chance of seeing that.

    ``slope`` is 1 where scores are true effects and 0 where they tell nothing; ``p`` is one-sided.
    """

    slope: float
    error: float
    p: float


def differs(y: Array, uplift: Array, treated: Array, propensity: Array) -> Differs:
    """Return the best linear predictor of the effect by scores that were learned from other people.

    Parameters
    ----------
    propensity
        The probability that each person is treated (whether or not it happened).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> helped, treated = rng.random(4000) < 0.5, rng.integers(0, 2, 4000)
    >>> y = (rng.random(4000) < 0.2 + 0.2 * helped * treated).astype(float)
    >>> found = differs(y, helped.astype(float), treated, np.full(4000, 0.5))
    >>> found.p < 0.001, differs(y, np.zeros(4000), treated, np.full(4000, 0.5)).p
    (True, 1.0)
    """
    spread = uplift.std()
    if not spread > 0:
        return Differs(slope=0.0, error=float("inf"), p=1.0)
    score, drawn = (uplift - uplift.mean()) / spread, treated - propensity
    columns = np.column_stack([np.ones(len(y)), score, drawn, drawn * score])
    weight = 1 / (propensity * (1 - propensity))
    inverse = np.linalg.pinv((columns * weight[:, None]).T @ columns)
    slopes = inverse @ ((columns * weight[:, None]).T @ y)
    left = (columns * (weight * (y - columns @ slopes))[:, None]) @ inverse  # influence of each person
    error = float(np.sqrt((left[:, 3] ** 2).sum()))
    return Differs(
        slope=float(slopes[3] / spread), error=error / float(spread), p=float(norm.sf(slopes[3] / max(error, 1e-300)))
    )


def _share_of_perfect(
    curve: Callable[[Sums], Array], perfect: Array, y: Array, uplift: Array, treated: Array, weight: Array | None
) -> float:
    weight = np.ones(len(y)) if weight is None else weight
    if not 0 < treated.sum() < len(y):
        return float("nan")

    def area(order: Array) -> tuple[float, float]:
        sums = Sums.of(y, order, treated, weight)
        height = curve(sums)
        return float(np.trapezoid(height, sums.people)), float(height[-1] / 2)

    mine, chance = area(uplift)
    most, _ = area(perfect)
    return (mine - chance) / (most - chance) if most != chance else float("nan")


def _over(number: Array, by: Array) -> Array:
    return np.divide(number, by, out=np.zeros_like(number), where=by > 0)
