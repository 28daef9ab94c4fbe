"""What a rule for whom to send to would have brought, from people of whom it was drawn by lot who got something.

Whoever happened to get what the rule would have given counts, by one over the probability of that: inverse propensity
scoring (Horvitz and Thompson, 1952), and the self-normalised kind (Swaminathan and Joachims, 2015), which varies less.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlengine.metrics.bootstrap import interval
from mlengine.metrics.ties import among_first
from mlengine.specs import Measure

Array = NDArray[Any]


def ips(reward: Array, treated: Array, propensity: Array, chosen: Array) -> float:
    """Return the mean reward a person if exactly the chosen were treated; unbiased.

    ``chosen`` are truth values, or how likely each would be treated if that were drawn by lot.

    Examples
    --------
    >>> reward, treated, half = np.array([4.0, 0, 1, 1]), np.array([1.0, 0, 1, 0]), np.full(4, 0.5)
    >>> ips(reward, treated, half, np.array([True, True, False, False]))
    2.5
    """
    return float((_weights(treated, propensity, chosen) * reward).mean())


def snips(reward: Array, treated: Array, propensity: Array, chosen: Array) -> float:
    """Return the same over the sum of the weights: a little biased, and steadier; nan where nobody matches.

    Examples
    --------
    >>> reward, treated, half = np.array([4.0, 0, 1, 1]), np.array([1.0, 0, 1, 0]), np.full(4, 0.5)
    >>> snips(reward, treated, half, np.array([True, True, False, False]))
    2.5
    """
    weights = _weights(treated, propensity, chosen)
    return float((weights * reward).sum() / weights.sum()) if weights.sum() else float("nan")


def worth(
    reward: Array,
    treated: Array,
    propensity: Array,
    chosen: Array,
    *,
    people: Array | None = None,
    random_state: int = 0,
) -> Measure:
    """Return the mean reward a person of a choice (self-normalised), with its 95 % interval; ``people`` as ``gain``."""

    def among(rows: Array, _rows: Array) -> float:
        return snips(reward[rows], treated[rows], propensity[rows], chosen[rows])

    everybody = np.arange(len(reward))
    return interval(among, everybody, everybody, people=people, resamples=200, random_state=random_state)


def gain(
    reward: Array,
    treated: Array,
    propensity: Array,
    chosen: Array,
    rival: Array,
    *,
    people: Array | None = None,
    random_state: int = 0,
) -> Measure:
    """Return how much more a person one choice brings than another (self-normalised), with its 95 % interval.

    ``people`` tells whose each row is, where somebody may have several: she is drawn with all of them.
    """

    def among(rows: Array, _rows: Array) -> float:
        told = reward[rows], treated[rows], propensity[rows]
        return snips(*told, chosen[rows]) - snips(*told, rival[rows])

    everybody = np.arange(len(reward))
    return interval(among, everybody, everybody, people=people, resamples=200, random_state=random_state)


def best(uplift: Array, share: float) -> Array:
    """Return who is among the highest ``share`` of scores: 1, 0, or the part of those tied at the edge.

    >>> best(np.array([0.1, 0.3, 0.2]), 0.34).tolist()
    [0.0, 1.0, 0.0]
    """
    return among_first(uplift, int(len(uplift) * share))


def _weights(treated: Array, propensity: Array, chosen: Array) -> Array:
    of_drawn = np.where(treated > 0, propensity, 1 - propensity)
    likely = np.asarray(chosen, np.float64)
    return np.asarray(np.where(treated > 0, likely, 1 - likely) / of_drawn)
