"""Who is among the highest: of those alike at the edge a part of each, so that the order of rows tells nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def among_first(score: Array, k: int) -> Array:
    """Return who is among the ``k`` highest: 1, 0, or for those tied at the edge the part there is room for.

    Whoever has no finite score is not; so the sum is ``k``, or how many have one if that is less.

    Examples
    --------
    >>> among_first(np.array([0.9, 0.5, 0.5, 0.1]), 2).tolist()
    [1.0, 0.5, 0.5, 0.0]
    >>> among_first(np.array([np.nan, 0.5, 0.9, np.inf]), 1).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    there = np.isfinite(score)
    k = min(k, int(there.sum()))
    if k <= 0:
        return np.zeros(len(score))
    edge = np.partition(score[there], -k)[-k]
    above, at_edge = there & (score > edge), score == edge
    return np.asarray(above + at_edge * (k - above.sum()) / at_edge.sum(), dtype=float)
