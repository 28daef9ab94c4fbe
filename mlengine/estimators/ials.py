"""iALS: people and items as short vectors whose products tell who wants what, learned from what was bought."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
_NUMBERS_AT_ONCE = 2_000_000  # 8 MB of gathered vectors a thread


class ImplicitALS:
    """Alternating least squares for implicit feedback (Hu et al. 2008), as Rendle et al. (RecSys 2022) run it.

    Minimises Σ_bought (1 − x·y)² + α₀ Σ_all (x·y)² + λ (Σ_people s |x|² + Σ_items s |y|²), where the pull on a vector
    grows with what it was learned from, s = n + α₀ m for n things bought out of m: this is what makes iALS as good as
    anything newer. Each vector is solved exactly: in as many unknowns as it has factors, or, for whoever has less,
    in as many as were bought (Woodbury, in the eigenbasis of the Gramian, where everybody's pull is diagonal).

    Parameters
    ----------
    factors : int
        Length of the vectors.
    alpha : float
        α₀ above, how much what was not bought weighs against what was.
    l2 : float
        λ above.
    iterations : int
        Rounds of solving for people, then for items; each lowers the loss.
    scale : float
        Standard deviation of a random start's vector lengths.
    random_state : int
        Decides where the items' vectors start.
    n_jobs : int
        Threads; results do not depend on it.

    Attributes
    ----------
    items_ : float32 array of shape (n_items, factors)
        What a web request needs: a person's vector is solved from these, so people unknown to ``fit`` can be scored.
    """

    def __init__(
        self,
        *,
        factors: int = 64,
        alpha: float = 0.1,
        l2: float = 0.01,
        iterations: int = 12,
        scale: float = 0.1,
        random_state: int = 0,
        n_jobs: int = 2,
    ) -> None:
        self.factors = factors
        self.alpha = alpha
        self.l2 = l2
        self.iterations = iterations
        self.scale = scale
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: sparse.csr_array, *, after_each: Callable[[int], None] | None = None) -> Self:
        """Learn from people × items, (n_people, n_items), of which only the places count that are not 0.

        ``after_each`` is told the number of each round that is done.
        """
        by_item = X.T.tocsr()
        start = np.random.default_rng(self.random_state)
        self.items_ = start.normal(0.0, self.scale / np.sqrt(self.factors), (X.shape[1], self.factors)).astype("f4")
        for done in range(1, self.iterations + 1):
            people = self.vectors(X)
            self.items_ = self._solve(by_item, people)
            if after_each:
                after_each(done)
        return self

    def vectors(self, X: sparse.csr_array) -> Vectors:
        """Return each person's vector, (n, factors), solved from what they bought."""
        return self._solve(X, self.items_)

    def score(self, X: sparse.csr_array) -> Vectors:
        """Return the preference of each person for each item, (n, n_items)."""
        return np.asarray(self.vectors(X) @ self.items_.T)

    def loss(self, X: sparse.csr_array) -> float:
        """Return the loss with people at their best; over what was not bought it sums up to tr(PᵀP QᵀQ)."""
        people, items = self.vectors(X).astype(float), self.items_.astype(float)
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        guess = np.einsum("nf,nf->n", people[rows], items[X.indices])
        everything = float(((people.T @ people) * (items.T @ items)).sum())
        pulls = (self._pull(X, X.shape[1]), people), (self._pull(X.T.tocsr(), X.shape[0]), items)
        held = sum(float(pull @ (vectors**2).sum(axis=1)) for pull, vectors in pulls)
        return float(((1.0 - guess) ** 2).sum()) + self.alpha * everything + held

    def _pull(self, R: sparse.csr_array, out_of: int) -> npt.NDArray[np.float64]:
        return np.asarray(self.l2 * (np.diff(R.indptr) + self.alpha * out_of), dtype=float)

    def _solve(self, R: sparse.csr_array, other: Vectors) -> Vectors:
        """Return the best vector of each row of R while the other side stands still."""
        weight, basis = np.linalg.eigh(self.alpha * (other.T.astype(float) @ other))
        turned = np.ascontiguousarray(other @ basis, dtype=np.float32)
        common = np.maximum(weight, 0.0).astype(np.float32)
        pull = self._pull(R, len(other)).astype(np.float32)
        padded = np.concatenate([turned, np.zeros((1, self.factors), np.float32)])
        solved = np.zeros((R.shape[0], self.factors), np.float32)

        def solve(rows: Ints) -> None:
            solved[rows] = _solved(padded[_bought(R, rows, len(other))], common + pull[rows, None])

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(self.n_jobs) as pool:
            list(pool.map(solve, _batches(np.diff(R.indptr), self.factors)))
        return np.asarray(solved @ basis.T.astype(np.float32))


def _batches(length: Ints, factors: int) -> Iterator[Ints]:
    """Yield rows of about one length, as many as are gathered at once; rows without anything are left out."""
    order = np.argsort(length, kind="stable")
    start = int(np.searchsorted(length[order], 1))
    while start < len(order):
        # The longest of a batch sets its width: a batch ends where that would more than waste a quarter.
        least = int(length[order[start]])
        end = int(np.searchsorted(length[order], least + least // 4 + 1, side="right"))
        widest = int(length[order[end - 1]])
        end = min(end, start + max(1, _NUMBERS_AT_ONCE // (widest * factors)))
        yield order[start:end]
        start = end


def _bought(R: sparse.csr_array, rows: Ints, nothing: int) -> Ints:
    """Return the columns of each row, (n, the longest), filled up with ``nothing``."""
    begin, length = R.indptr[rows], np.diff(R.indptr)[rows]
    place = np.arange(int(length.max()))
    there = place < length[:, None]
    found = np.full(there.shape, nothing, dtype=np.int64)
    found[there] = R.indices[(begin[:, None] + place)[there]]
    return found


def _solved(Y: Vectors, diagonal: Vectors) -> Vectors:
    """Return x = (diag + YᵀY)⁻¹ Yᵀ1 of each row; Y is (n, bought, factors), ``diagonal`` (n, factors)."""
    if Y.shape[1] >= Y.shape[2]:
        left = Y.transpose(0, 2, 1) @ Y
        np.einsum("nff->nf", left)[...] += diagonal
        return np.asarray(np.linalg.solve(left, Y.sum(axis=1)[:, :, None])[:, :, 0])
    # Yᵀ(YD⁻¹Yᵀ + I)⁻¹1 over D: the same x from a smaller system. Rows of zeros that fill up add nothing.
    lighter = Y / diagonal[:, None, :]
    inner = lighter @ Y.transpose(0, 2, 1)
    np.einsum("nbb->nb", inner)[...] += 1.0
    part = np.linalg.solve(inner, np.ones((*inner.shape[:2], 1), np.float32))
    return np.asarray((lighter.transpose(0, 2, 1) @ part)[:, :, 0])
