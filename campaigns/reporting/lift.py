"""How much more happened among those who were meant to get a message than among those held out, and how sure that is.

What of it holds however often one looks stands in :mod:`campaigns.reporting.intervals`.
"""

from collections.abc import Sequence
from math import sqrt

from campaigns.reporting.intervals import ALPHA, NORMAL, Interval, classical, holm, interval, tuned
from campaigns.reporting.moments import Estimate, Moments, Stratum

__all__ = [
    "ALPHA",
    "NORMAL",
    "Estimate",
    "Interval",
    "Moments",
    "Stratum",
    "classical",
    "detectable",
    "difference",
    "holm",
    "interval",
    "sample_ratio",
    "slope",
    "together",
    "tuned",
]


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
