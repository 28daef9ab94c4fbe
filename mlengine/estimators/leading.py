"""The best items of each row of scores, exactly, without sorting or even partitioning whole rows."""

from concurrent.futures import ThreadPoolExecutor
from math import isqrt
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.floating]
_PEOPLE_AT_ONCE = 128  # 128 people × 20,000 items of float32 are 10 MB: what a core's cache may hold


def leading(scores: Scores, k: int) -> tuple[Ints, Floats]:
    """Return the columns and scores of the ``k`` highest of each row, best first, the lower column first among equals.

    Columns are dealt into piles. The k-th highest of the piles' maxima is reached by k columns at least, so whatever is
    below it cannot lead, and only piles whose maximum reaches it are looked into: about k of them.

    Examples
    --------
    >>> columns, best = leading(np.array([[1.0, 3.0, -np.inf, 3.0]]), 4)
    >>> columns.tolist(), best.tolist()
    ([[1, 3, 0, -1]], [[3.0, 3.0, 1.0, nan]])
    """
    width = min(k, scores.shape[1])
    depth = max(1, isqrt(scores.shape[1] // max(width, 1)))
    piles = -(-scores.shape[1] // depth)
    best_of_pile = scores[:, :piles].copy()
    for start in range(piles, scores.shape[1], piles):
        layer = scores[:, start : start + piles]
        np.fmax(best_of_pile[:, : layer.shape[1]], layer, out=best_of_pile[:, : layer.shape[1]])
    bar = -np.partition(-best_of_pile, width - 1, axis=1)[:, width - 1 : width]
    # All that equal the bar take part, so that which of them wins does not hang on how NumPy partitions.
    rows, pile = np.nonzero((best_of_pile >= bar) & (best_of_pile > -np.inf))
    columns = pile[:, None] + piles * np.arange(depth)
    found = scores[rows[:, None], np.minimum(columns, scores.shape[1] - 1)]
    reaches = (columns < scores.shape[1]) & (found >= bar[rows]) & (found > -np.inf)
    return _ranked(np.broadcast_to(rows[:, None], reaches.shape)[reaches], columns[reaches], found[reaches], scores, k)


def leading_products(
    people: Scores, items: Scores, k: int, *, had: sparse.csr_array | None = None, n_jobs: int = 2
) -> tuple[Ints, Floats]:
    """Return the ``k`` items of highest product with each person, (n, factors) and (n_items, factors), exactly.

    What somebody ``had``, people × items, is left out. Threads share the people; results do not depend on how many.
    """
    found = np.empty((len(people), k), np.int64), np.empty((len(people), k))
    turned = np.ascontiguousarray(items.T)

    def answer(start: int) -> None:
        rows = slice(start, min(start + _PEOPLE_AT_ONCE, len(people)))
        scores = people[rows] @ turned
        if had is not None:
            begin, end = had.indptr[rows.start], had.indptr[rows.stop]
            row = np.repeat(np.arange(len(scores)), np.diff(had.indptr[rows.start : rows.stop + 1]))
            scores[row, had.indices[begin:end]] = -np.inf
        found[0][rows], found[1][rows] = leading(scores, k)

    with threadpool_limits(1, "blas"), ThreadPoolExecutor(n_jobs) as pool:
        list(pool.map(answer, range(0, len(people), _PEOPLE_AT_ONCE)))
    return found


def _ranked(rows: Ints, columns: Ints, found: Any, scores: Scores, k: int) -> tuple[Ints, Floats]:
    """Return the first ``k`` of each row of what is worth ranking."""
    order = np.lexsort((columns, -found, rows))
    rank = np.arange(len(order)) - np.searchsorted(rows, np.arange(len(scores)))[rows[order]]
    order, rank = order[rank < k], rank[rank < k]
    items, best = np.full((len(scores), k), -1, dtype=np.int64), np.full((len(scores), k), np.nan)
    items[rows[order], rank], best[rows[order], rank] = columns[order], found[order]
    return items, best
