"""Whether groups of people are treated alike: each group's mean of something, beside the group that comes off best.

Being selected, being found when one should be, being told the truth, being served well: each is a number a person has,
and a group is treated by its mean. Groups below the floor are hidden, people of whom nothing is known form no group.

Limits follow the four-fifths rule (29 CFR 1607.4 D, 1978) and equal opportunity (Hardt, Price and Srebro 2016). The
rule says "of the highest", which is chosen by looking: so its interval holds for all pairs of all groups, measures and
attributes at once (Bonferroni), and only an interval that lies wholly beyond the limit says *unfair*.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[Any]
Kind = Literal["ratio", "difference", "bias"]
Verdict = Literal["best", "fair", "unclear", "unfair", "told"]

RESAMPLES: Final = 1000
LEVEL: Final = 0.95
MOST_GROUPS: Final = 12  # the largest; more of them would only make every interval wider
MOST_DRAWN: Final = 10_000  # people of a group; an interval over so many is narrow enough


@dataclass(frozen=True, kw_only=True)
class Treated:
    """How one group comes off: its mean, and how far that is from the best group's, both with intervals.

    Attributes
    ----------
    low, high : float
        95 % percentile bootstrap interval of ``value``.
    gap, gap_low, gap_high : float
        ``value`` over the best group's (ratio), less than the best group's (difference), or off zero (bias); the
        interval holds for all comparisons at once.
    verdict : str
        ``best``; ``fair``, within the limit; ``unclear``, beyond it as far as one can see, but chance may have done
        it; ``unfair``, beyond it with certainty; ``told`` where nothing is limited.
    """

    group: str
    people: int
    value: float
    low: float
    high: float
    gap: float
    gap_low: float
    gap_high: float
    verdict: Verdict


@dataclass(frozen=True, kw_only=True)
class Question:
    """One measure: a number of each person (nan where it is not asked of her), and how far groups may lie apart."""

    name: str
    values: Array
    kind: Kind
    limit: float | None


def named(groups: Sequence[str | None] | Array, *, floor: int) -> tuple[Array, int]:
    """Return each person's group, empty for who has none or one too small to be told, and how many groups were hidden.

    Examples
    --------
    >>> found, hidden = named(["a", "a", None, "b"], floor=2)
    >>> found.tolist(), hidden
    (['a', 'a', '', ''], 1)
    """
    told = np.array([name or "" for name in groups], dtype=np.str_)
    names, counts = np.unique(told[told != ""], return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:MOST_GROUPS]
    shown = [name for name in largest if counts[names == name][0] >= floor]
    return np.where(np.isin(told, shown), told, ""), len(names) - len(shown)


def comparisons(groups: Array, measures: int) -> int:
    """Return how many pairs of groups are compared, over all measures."""
    count = len(np.unique(groups[groups != ""]))
    return measures * math.comb(count, 2) if count > 1 else 0


def treated(question: Question, groups: Array, *, of: int, floor: int, random_state: int = 0) -> list[Treated]:
    """Return how each group comes off, in the order of their names; fewer than two groups cannot be compared: none.

    Parameters
    ----------
    groups : array of str, shape (n,)
        As ``named`` returns them.
    of : int
        How many comparisons are made in all: the intervals of gaps hold for so many at once.
    floor : int
        Groups in which fewer people have a value are left out.

    Examples
    --------
    >>> values, groups = np.r_[np.ones(400), np.tile([1.0, 0.0], 200)], np.repeat(["a", "b"], 400)
    >>> asked = Question(name="selection_rate", values=values, kind="ratio", limit=0.8)
    >>> [(one.group, one.value, one.verdict) for one in treated(asked, groups, of=1, floor=10)]
    [('a', 1.0, 'best'), ('b', 0.5, 'unfair')]
    """
    rng = np.random.default_rng(random_state)
    asked = ~np.isnan(question.values) & (groups != "")
    names, counts = np.unique(groups[asked], return_counts=True)
    shown = [str(name) for name, count in zip(names, counts, strict=True) if count >= floor]
    if len(shown) < 2:
        return []
    values = {name: question.values[asked & (groups == name)] for name in shown}
    means = {name: float(each.mean()) for name, each in values.items()}
    draws = {name: _means(values[name], rng) for name in shown}
    best = max(shown, key=lambda name: means[name])
    z = float(norm.ppf(1 - (1 - LEVEL) / (2 * max(of, 1))))
    return [_treated(question, name, best, values, means, draws, z) for name in shown]


def unfair(found: Sequence[Treated]) -> list[Treated]:
    return [one for one in found if one.verdict == "unfair"]


def _treated(
    question: Question,
    name: str,
    best: str,
    values: Mapping[str, Array],
    means: Mapping[str, float],
    draws: Mapping[str, Array],
    z: float,
) -> Treated:
    low, high = np.quantile(draws[name], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    gap, gap_low, gap_high = _gap(question.kind, name, best, values, means, draws, z)
    is_best = question.kind != "bias" and name == best
    return Treated(
        group=name,
        people=len(values[name]),
        value=means[name],
        low=float(low),
        high=float(high),
        gap=gap,
        gap_low=gap_low,
        gap_high=gap_high,
        verdict="best" if is_best else verdict(question.kind, question.limit, gap, gap_low, gap_high),
    )


def _gap(
    kind: Kind,
    name: str,
    best: str,
    values: Mapping[str, Array],
    means: Mapping[str, float],
    draws: Mapping[str, Array],
    z: float,
) -> tuple[float, float, float]:
    """Return how far a group lies from the best one, with the interval; groups share nobody, so draws are independent.

    A ratio's interval is made on the logarithm, where it is symmetric.
    """
    if kind == "bias":
        return _around(means[name], float(draws[name].std()), z)
    if name == best:
        return (1.0, 1.0, 1.0) if kind == "ratio" else (0.0, 0.0, 0.0)
    if kind == "difference":
        return _around(means[best] - means[name], float((draws[best] - draws[name]).std()), z)
    logs = {each: np.log(np.maximum(draws[each], 1e-12)) for each in (name, best)}
    middle = float(np.median(logs[name]) - np.median(logs[best]))
    found = _around(middle, float((logs[name] - logs[best]).std()), z)
    return (math.exp(found[0]), math.exp(found[1]), math.exp(found[2]))


def _around(middle: float, error: float, z: float) -> tuple[float, float, float]:
    return middle, middle - z * error, middle + z * error


def verdict(kind: Kind, limit: float | None, gap: float, low: float, high: float) -> Verdict:
    """Return what a gap and its interval say of a limit: at least so large a ratio, at most so large a distance.

    Examples
    --------
    >>> verdict("ratio", 0.8, 0.7, 0.6, 0.79), verdict("ratio", 0.8, 0.7, 0.6, 0.9), verdict("bias", 0.1, -0.05, 0, 0)
    ('unfair', 'unclear', 'fair')
    """
    if limit is None:
        return "told"
    if kind == "ratio":
        return "fair" if gap >= limit else "unfair" if high < limit else "unclear"
    if abs(gap) <= limit:
        return "fair"
    return "unfair" if min(abs(low), abs(high)) > limit and low * high > 0 else "unclear"


def _means(values: Array, rng: np.random.Generator) -> Array:
    """Return what a mean may be, by resampling people.

    A share is drawn from Jeffreys' posterior instead: of ten people all or none may have been selected, and resampling
    them would be certain that it is so for everybody.
    """
    n = len(values)
    if np.isin(values, (0.0, 1.0)).all():
        return np.asarray(rng.beta(values.sum() + 0.5, n - values.sum() + 0.5, RESAMPLES))
    if n > MOST_DRAWN:
        few = rng.choice(values, MOST_DRAWN, replace=False)
        spread = math.sqrt(MOST_DRAWN / n)  # the mean of all scatters less than that of those drawn
        return np.asarray(values.mean() + (_means(few, rng) - few.mean()) * spread)
    return np.array([values[rng.integers(0, n, n)].mean() for _ in range(RESAMPLES)])
