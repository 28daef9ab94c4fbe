"""How good is a list of items for each person: hits near the top, and how much of the catalogue it shows.

``recommended`` is always people × ranks of item columns, best first, −1 where a list is shorter; ``relevant`` is
people × items with a stored entry where an item counts. Nothing is sampled: every item of the catalogue competes.
"""

from typing import Final

import numpy as np

from mlengine.interactions import Bools, Floats, Ints, Matrix
from mlengine.metrics.bootstrap import interval
from mlengine.specs import Measure

FIRST: Final = 10  # places of a list that are judged


def hits(recommended: Ints, relevant: Matrix) -> Bools:
    """Return people × ranks: whether the item at that rank is relevant.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> hits(np.array([[2, 0, -1]]), csr_array(np.array([[0, 1, 1]]))).tolist()
    [[True, False, False]]
    """
    n_items = relevant.shape[1]
    rows = np.repeat(np.arange(relevant.shape[0]), np.diff(relevant.indptr))
    asked = np.arange(len(recommended))[:, None] * n_items + recommended
    return np.asarray(np.isin(asked, rows * n_items + relevant.indices) & (recommended >= 0))


def ndcg(hit: Bools, n_relevant: Ints, k: int = 10) -> Floats:
    """Return each person's normalised discounted cumulative gain at ``k`` with 0/1 gains (Järvelin, Kekäläinen 2002).

    A hit at rank r counts 1 / log2(r + 1), over the best that ``min(k, n_relevant)`` hits can reach.

    Examples
    --------
    >>> ndcg(np.array([[True, False]]), np.array([1])).tolist()
    [1.0]
    """
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    gained = hit[:, :k] @ discount[: hit[:, :k].shape[1]]
    return np.asarray(gained / np.cumsum(discount)[np.minimum(n_relevant, k) - 1])


def recall(hit: Bools, n_relevant: Ints, k: int = 10) -> Floats:
    """Return each person's hits in the first ``k`` over ``min(k, n_relevant)``, so that 1 can be reached."""
    return np.asarray(hit[:, :k].sum(axis=1) / np.minimum(n_relevant, k))


def coverage(recommended: Ints, n_items: int) -> float:
    """Return the share of the catalogue that is recommended to anybody."""
    return len(np.unique(recommended[recommended >= 0])) / n_items


def novelty(recommended: Ints, buyers: Floats, n_people: int) -> Floats:
    """Return each person's mean of −log2(share of people who bought the item), in bits; nan for an empty list.

    Vargas and Castells 2011, eq. 7; an item that nobody bought counts as bought by one.
    """
    bits = -np.log2(np.maximum(buyers, 1.0) / n_people)
    return _mean_of_shown(bits, recommended)


def popularity_share(recommended: Ints, buyers: Floats, top: int = 100) -> Floats:
    """Return the share of each person's list that are among the ``top`` most bought items; nan for an empty list."""
    popular = np.zeros(len(buyers))
    popular[np.argsort(-buyers, kind="stable")[:top]] = 1.0
    return _mean_of_shown(popular, recommended)


def mean_with_interval(values: Floats) -> Measure:
    """Return the mean over people who have a value (not nan), with its bootstrap interval over people.

    Examples
    --------
    >>> mean_with_interval(np.array([0.5, np.nan, 0.5]))
    Measure(value=0.5, low=0.5, high=0.5)
    """
    told = values[~np.isnan(values)]
    if not len(told):
        return Measure(value=float("nan"))
    return interval(lambda _, drawn: float(drawn.mean()), told, told)


def _mean_of_shown(per_item: Floats, recommended: Ints) -> Floats:
    shown = recommended >= 0
    total = np.where(shown, per_item[np.maximum(recommended, 0)], 0.0).sum(axis=1)
    count = shown.sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(recommended), np.nan), where=count > 0))
