"""How much more happened among those who were meant to get a message than among those held out, and how sure that is.

Nothing here knows of a database: groups come as sums (:class:`Moments`), which can be added up anywhere.

The intervals hold at all times at once, so a report may be looked at as often as one likes, and a campaign stopped
because of what was seen. They are those of Robbins' normal mixture: Howard, Ramdas, McAuliffe and Sekhon (2021,
"Time-uniform, nonparametric, nonasymptotic confidence sequences", equation 14), which under estimated variances is the
asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas ("Time-uniform central limit theory",
theorem 2.2). With V the squared standard error of the effect, with a constant η of the same unit that was chosen
beforehand, and with probability 1 - α, at no time is the truth further away than

    sqrt((V + η) · log((V + η) / (η α²)))

That is wider than 1.96 standard errors, by half as much again where the constant fits: the price of looking freely.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

ALPHA = 0.05
NORMAL = NormalDist()
FEWEST = 5  # who did, and who did not, in each group; below, no normal distribution describes it


@dataclass(frozen=True, kw_only=True)
class Moments:
    """The sums over a group: of an outcome y, of what the same people had before (x), of squares and products."""

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    @classmethod
    def of(cls, outcome: ArrayLike, before: ArrayLike | None = None) -> "Moments":
        """Return the sums of one number a person, and of one from before."""
        y = np.asarray(outcome, np.float64)
        x = np.zeros_like(y) if before is None else np.asarray(before, np.float64)
        return cls(n=y.size, y=y.sum(), yy=(y * y).sum(), x=x.sum(), xx=(x * x).sum(), xy=(x * y).sum())

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            n=self.n + other.n,
            y=self.y + other.y,
            yy=self.yy + other.yy,
            x=self.x + other.x,
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
        )

    @property
    def mean(self) -> float:
        return self.y / self.n if self.n else 0.0

    @property
    def mean_before(self) -> float:
        return self.x / self.n if self.n else 0.0

    def variances(self) -> tuple[float, float, float]:
        """Return the variances of y and of x and their covariance, of a sample; zeros below two people."""
        if self.n < 2:
            return 0.0, 0.0, 0.0
        pairs = (self.yy, self.y, self.y), (self.xx, self.x, self.x), (self.xy, self.x, self.y)
        yy, xx, xy = ((both - one * other / self.n) / (self.n - 1) for both, one, other in pairs)
        return max(yy, 0.0), max(xx, 0.0), xy


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """One experiment: those meant to get a message, and those held out, at random, of the same people."""

    treated: Moments
    held: Moments


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An effect, in the unit of the outcome and for each person meant to be reached, and its squared standard error.

    ``variance_before`` is what that would be of the number from before: known when the experiment began.
    ``spared`` is the share of the variance that knowing it took away.
    """

    effect: float
    variance: float
    variance_before: float = 0.0
    spared: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where the truth is, at all times at once; and how surprising this or more would be without any effect."""

    effect: float
    low: float
    high: float
    p: float

    @property
    def sure(self) -> bool:
        """Whether it leaves zero out."""
        return self.low > 0 or self.high < 0


def slope(groups: Sequence[Moments]) -> float:
    """Return how much of an outcome goes with one more from before, within groups: the θ of CUPED.

    Deng, Xu, Kohavi and Walker (2013), "Improving the sensitivity of online controlled experiments by utilizing
    pre-experiment data", equation 4; with it the variance falls by the squared correlation.
    """
    freedom = [max(group.n - 1, 0) for group in groups]
    spread = [group.variances() for group in groups]
    before = sum(weight * one[1] for weight, one in zip(freedom, spread, strict=True))
    both = sum(weight * one[2] for weight, one in zip(freedom, spread, strict=True))
    return both / before if before > 0 else 0.0


def difference(stratum: Stratum) -> Estimate:
    """Return the difference of means, less what was different before already.

    Raises
    ------
    ValueError
        A group is of fewer than two people.
    """
    groups = stratum.treated, stratum.held
    if min(group.n for group in groups) < 2:
        raise ValueError("A difference needs two people in each group at least.")
    theta = slope(groups)
    plain = before = left = 0.0
    for group in groups:
        yy, xx, xy = group.variances()
        plain += yy / group.n
        before += xx / group.n
        left += max(yy + theta * theta * xx - 2 * theta * xy, 0.0) / group.n
    effect = stratum.treated.mean - stratum.held.mean
    return Estimate(
        effect=effect - theta * (stratum.treated.mean_before - stratum.held.mean_before),
        variance=left,
        variance_before=before,
        spared=1 - left / plain if plain else 0.0,
    )


def together(strata: Sequence[Stratum]) -> Estimate:
    """Return the mean effect over experiments, weighted by those treated in each.

    People of several runs are drawn anew for each, so the errors of two runs do not go together although the people
    are the same, and their variances add up.
    """
    whole = sum(stratum.treated.n for stratum in strata)
    found = [(stratum.treated.n / whole, difference(stratum)) for stratum in strata]
    variance = sum(weight**2 * one.variance for weight, one in found)
    plain = sum(weight**2 * one.variance / (1 - one.spared) for weight, one in found if one.spared < 1)
    return Estimate(
        effect=sum(weight * one.effect for weight, one in found),
        variance=variance,
        variance_before=sum(weight**2 * one.variance_before for weight, one in found),
        spared=1 - variance / plain if plain else 0.0,
    )


def tuned(planned_variance: float, alpha: float = ALPHA) -> float:
    """Return the η with which the interval is narrowest where the squared standard error is as planned.

    The minimum of the boundary's factor, in the approximation of Waudby-Smith et al., appendix B.2.
    """
    return planned_variance / (-2 * log(alpha) + log(-2 * log(alpha)) + 1)


def interval(estimate: Estimate, planned_variance: float = 0.0, alpha: float = ALPHA) -> Interval:
    """Return the interval that may be looked at at any time.

    ``planned_variance`` must not come from the outcomes. Without any it is the present one: the interval is then 3.04
    standard errors to each side at 5 %, and a simulation stands in the tests that peeking is harmless for it as well.
    """
    v = estimate.variance
    if v <= 0:
        return Interval(effect=estimate.effect, low=estimate.effect, high=estimate.effect, p=1.0)
    eta = tuned(planned_variance or v, alpha)
    half = sqrt((v + eta) * log((v + eta) / (eta * alpha**2)))
    # The mixture's martingale; by Ville's inequality it ever exceeds 1 / p with probability p at most.
    evidence = estimate.effect**2 / (2 * (v + eta))
    p = min(1.0, sqrt((v + eta) / eta) * exp(-evidence)) if evidence < 700 else 0.0
    return Interval(effect=estimate.effect, low=estimate.effect - half, high=estimate.effect + half, p=p)


def classical(estimate: Estimate, alpha: float = ALPHA) -> tuple[float, float]:
    """Return the interval for a single look, settled beforehand."""
    half = NORMAL.inv_cdf(1 - alpha / 2) * sqrt(estimate.variance)
    return estimate.effect - half, estimate.effect + half


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values that hold for all of them together (Holm, 1979), in the order in which they came.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, (p, place) in enumerate(sorted((p, place) for place, p in enumerate(p_values))):
        least = max(least, min(1.0, p * (len(p_values) - rank)))
        adjusted[place] = least
    return adjusted


def sample_ratio(counts: Sequence[int], expected: Sequence[float]) -> float:
    """Return how surprising the groups' sizes are, by chi-square: below 0.001 something took people out of one.

    ``expected`` are the sizes or shares that were meant, all above zero.
    """
    whole, meant = sum(counts), sum(expected)
    if whole == 0 or len(counts) < 2:
        return 1.0
    from scipy.stats import chisquare  # noqa: PLC0415  # the web must not load the science

    return float(chisquare(counts, [whole * share / meant for share in expected]).pvalue)


def detectable(
    treated: float, held: float, base_rate: float, *, power: float = 0.8, alpha: float = ALPHA, comparisons: int = 1
) -> float | None:
    """Return the smallest rise of a rate that would be seen with this power, at one look; ``None`` if none would be.

    Two proportions with the pooled variance where there is no effect (Fleiss, Levin and Paik, 2003, equation 4.14).
    """
    if min(treated, held) < 1 or not 0 < base_rate < 1:
        return None
    share, each = treated / (treated + held), 1 / treated + 1 / held
    chance, wished = NORMAL.inv_cdf(1 - alpha / comparisons / 2), NORMAL.inv_cdf(power)

    def missing(rise: float) -> float:
        raised = base_rate + rise
        mean = base_rate + share * rise
        spread = sqrt(raised * (1 - raised) / treated + base_rate * (1 - base_rate) / held)
        return chance * sqrt(mean * (1 - mean) * each) + wished * spread - rise

    low, high = 0.0, 1 - base_rate
    if missing(high) > 0:
        return None
    for _step in range(60):  # halves the doubt each time, and loads no science into the web
        middle = (low + high) / 2
        low, high = (middle, high) if missing(middle) > 0 else (low, middle)
    return high
