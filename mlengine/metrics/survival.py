"""How well expected waits order and meet what happened."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlengine.metrics.classification import roc_auc

Array = NDArray[Any]


def concordance(waited: Array, score: Array) -> float:
    """Return how often, of two people who waited differently long, the one with the higher score waited longer.

    Harrell et al. (1982); equal scores count half, equal waits not at all. Waits are whole numbers, few different ones;
    whoever was still waiting at the end has one number more than all others. nan where all waited alike.

    Examples
    --------
    >>> concordance(np.array([0, 1, 2, 2]), np.array([1.0, 3.0, 2.0, 4.0]))
    0.8
    """
    right = pairs = 0.0
    for wait in np.unique(waited)[:-1]:
        at, later = waited == wait, waited > wait
        among = at | later
        count = float(at.sum()) * float(later.sum())
        right += count * roc_auc(later[among].astype(np.int64), score[among])
        pairs += count
    return right / pairs if pairs else float("nan")


def absolute_error(waited: Array, score: Array) -> float:
    """Return the mean distance of expected waits from those that were.

    Examples
    --------
    >>> absolute_error(np.array([7.0, 14.0]), np.array([10.0, 14.0]))
    1.5
    """
    return float(np.mean(np.abs(score - waited))) if len(waited) else float("nan")
