"""Intervals that may be looked at at any time, and what that takes.

They are those of Robbins' normal mixture: Howard, Ramdas, McAuliffe and Sekhon (2021, "Time-uniform, nonparametric,
nonasymptotic confidence sequences", equation 14), under estimated variances the *asymptotic* confidence sequence of
Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas ("Time-uniform central limit theory", theorem 2.2). With V the squared
standard error of the effect and a constant η of the same unit, the truth is with probability 1 - α at no time further
away than

    sqrt((V + η) · log((V + η) / (η α²)))

That is wider than 1.96 standard errors, by half as much again where the constant fits: the price of looking freely.

Two conditions go with it. It is asymptotic: no interval is told before so many people did, and so many did not, in
each group that a sum of theirs is near a normal one (``FEWEST``; of money, which a few large baskets decide, of those
who paid: ``FEWEST_PAID``). Both numbers come from simulations with looks from the first moment on, which stand in the
tests. And η must not follow the outcomes: it is fixed by what people did before, or, where they have no history or come
one by one, by the variance at the first look at which there are enough, and kept from then on (the delayed start of the
same paper, section 2.5). While people still come, it is the sum over them that has a constant variance of its mixture,
not the mean; so η falls with the square of their number (:func:`constant`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from statistics import NormalDist

from campaigns.reporting.moments import Estimate

ALPHA = 0.05
NORMAL = NormalDist()
FEWEST = 10  # who did, and who did not, in each group
FEWEST_PAID = 50  # in each group
GROWS = 4.0  # by so much the variance of the sum is expected to grow after a first look; only the width suffers if not


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


def tuned(planned_variance: float, alpha: float = ALPHA) -> float:
    """Return the η with which the interval is narrowest where the squared standard error is as planned.

    The minimum of the boundary's factor, in the approximation of Waudby-Smith et al., appendix B.2.
    """
    return planned_variance / (-2 * log(alpha) + log(-2 * log(alpha)) + 1)


def fixed(estimate: Estimate, weight: float) -> float:
    """Return what is to be kept of the first look: the variance of the sum over ``weight`` pairs, as planned.

    It is of what the same people did before, where they did anything: that is known when the experiment begins.
    """
    return weight**2 * (estimate.variance_before or GROWS * estimate.variance)


def constant(kept: float, weight: float, alpha: float = ALPHA) -> float:
    """Return the η of an effect over ``weight`` pairs, from what was :func:`fixed` at the first look."""
    return tuned(kept / weight**2, alpha)


def interval(estimate: Estimate, eta: float, alpha: float = ALPHA) -> Interval:
    """Return the interval that may be looked at at any time; ``eta`` must not come from the outcomes seen since."""
    v = estimate.variance
    if v <= 0 or eta <= 0:
        return Interval(effect=estimate.effect, low=estimate.effect, high=estimate.effect, p=1.0)
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
