"""How well scores tell people of two kinds apart: y is 1 for those who did, 0 for those who did not."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Array = NDArray[Any]


def roc_auc(y: Array, score: Array) -> float:
    """Return the probability that one who did scores higher than one who did not; ties count half.

    Mann & Whitney (1947) by mean ranks, in O(n log n); nan when only one kind is present.

    Examples
    --------
    >>> roc_auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8]))
    0.75
    """
    positive = y == 1
    n_positive = int(positive.sum())
    n_negative = len(y) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(score)
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def average_precision(y: Array, score: Array) -> float:
    """Return the mean precision at each one who did, going down the scores; people with equal scores come together.

    Examples
    --------
    >>> round(average_precision(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 4)
    0.8333
    """
    order = np.argsort(-score, kind="stable")
    found = np.cumsum(y[order])
    last_of_tie = np.r_[np.flatnonzero(np.diff(score[order])), len(y) - 1]
    if not len(y) or not found[-1]:
        return float("nan")
    at = found[last_of_tie]
    precision = at / (last_of_tie + 1)
    return float(np.sum(np.diff(at, prepend=0) * precision) / found[-1])


def brier(y: Array, probability: Array) -> float:
    """Return the mean squared distance of probabilities from what happened: 0 is best (Brier 1950).

    Examples
    --------
    >>> round(brier(np.array([0, 1]), np.array([0.1, 0.8])), 6)
    0.025
    """
    return float(np.mean((probability - y) ** 2))


def log_loss(y: Array, probability: Array) -> float:
    """Return the mean negative log-likelihood in nats; probabilities are kept 1e-12 away from 0 and 1.

    Examples
    --------
    >>> round(log_loss(np.array([0, 1]), np.array([0.5, 0.5])), 4)
    0.6931
    """
    p = np.clip(probability, 1e-12, 1 - 1e-12)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))


def lift(y: Array, score: Array, *, share: float = 0.1) -> float:
    """Return how many times as many of those with the highest scores did it as of all: 1 is no better than chance.

    The top holds ``share`` of the people, rounded up; people tied at its edge count in proportion, so that the order
    of rows does not matter.

    Examples
    --------
    >>> lift(np.array([1, 0, 0, 0, 1, 0, 0, 0, 0, 0]), np.arange(10.0)[::-1])
    5.0
    """
    if not len(y) or not y.sum():
        return float("nan")
    k = int(np.ceil(len(y) * share))
    edge = np.sort(score)[-k]
    above, at_edge = score > edge, score == edge
    found = y[above].sum() + y[at_edge].mean() * (k - above.sum())
    return float((found / k) / y.mean())
