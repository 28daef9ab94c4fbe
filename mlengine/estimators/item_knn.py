"""Item-kNN: an item is scored by its nearest neighbours among what the person has."""

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

_ITEMS_AT_ONCE = 1000


class ItemKNN:
    """Cosine neighbours between items (Sarwar et al., WWW 2001), each item keeping its nearest ones only.

    Parameters
    ----------
    neighbours : int
        How many are kept of each item; an item is not its own neighbour.
    shrink : float
        Added to the denominator, so that two items with few common buyers are not called alike.
    min_common : int
        Pairs of items with fewer common buyers are left out; they are most pairs, and chance.

    Attributes
    ----------
    similarity_ : csr_array of shape (n_items, n_items)
        Row j holds the neighbours of item j.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[1.0, 1, 0], [1, 1, 0], [1, 0, 1]]))
    >>> ItemKNN(neighbours=1, shrink=0.0, min_common=1).fit(X).similarity_.toarray().round(3).tolist()
    [[0.0, 0.816, 0.0], [0.816, 0.0, 0.0], [0.577, 0.0, 0.0]]
    """

    def __init__(self, *, neighbours: int = 100, shrink: float = 10.0, min_common: int = 3) -> None:
        self.neighbours = neighbours
        self.shrink = shrink
        self.min_common = min_common

    def fit(self, X: sparse.csr_array) -> Self:
        """Learn from people × items, (n_people, n_items)."""
        norms = np.sqrt(np.asarray(X.power(2).sum(axis=0)).ravel())
        columns = X.tocsc()
        parts = [
            self._nearest(columns[:, start : start + _ITEMS_AT_ONCE].T @ X, norms, start)
            for start in range(0, X.shape[1], _ITEMS_AT_ONCE)
        ]
        self.similarity_ = sparse.csr_array(sparse.vstack(parts, format="csr"))
        return self

    def score(self, X: sparse.csr_array) -> npt.NDArray[np.floating]:
        """Return the sum of similarities to what each person has, (n, n_items)."""
        return np.asarray((X @ self.similarity_.T).toarray())

    def _nearest(self, common: sparse.csr_array, norms: npt.NDArray[np.floating], start: int) -> sparse.csr_array:
        """Return the nearest neighbours of items ``start`` and on, from their common buyers with all items."""
        rows = np.repeat(np.arange(common.shape[0]), np.diff(common.indptr))
        others = (common.data >= self.min_common) & (common.indices != rows + start)
        rows, columns, shared = rows[others], common.indices[others], common.data[others]
        cosine = shared / (norms[rows + start] * norms[columns] + self.shrink)
        order = np.lexsort((columns, -cosine, rows))
        rank = np.arange(len(order)) - np.searchsorted(rows, rows)
        kept = order[rank < self.neighbours]
        return sparse.csr_array((cosine[kept], (rows[kept], columns[kept])), shape=common.shape)
