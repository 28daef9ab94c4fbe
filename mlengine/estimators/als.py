"""ALS: people and items as short vectors whose products tell who wants what, learned from what was bought."""

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Floats = npt.NDArray[np.float64]
_ROWS_AT_ONCE = 4096


class ImplicitALS:
    """Alternating least squares for implicit feedback (Hu, Koren, Volinsky, ICDM 2008, eq. 3 to 5).

    Minimises Σ c (p − x·y)² + λ (Σ|x|² + Σ|y|²) over all people and items, p = 1 where r > 0, c = 1 + α r.

    Parameters
    ----------
    factors : int
        Length of the vectors.
    alpha, l2 : float
        α and λ above.
    iterations : int
        Rounds of solving for people, then for items; each lowers the loss.
    random_state : int
        Decides where the items' vectors start.

    Attributes
    ----------
    items_ : float64 array of shape (n_items, factors)
        What a web request needs: a person's vector is solved from these, so people unknown to ``fit`` can be scored.
    losses_ : list of float
        The loss after each round.
    """

    def __init__(
        self, *, factors: int = 32, alpha: float = 10.0, l2: float = 10.0, iterations: int = 8, random_state: int = 0
    ) -> None:
        self.factors = factors
        self.alpha = alpha
        self.l2 = l2
        self.iterations = iterations
        self.random_state = random_state

    def fit(self, X: sparse.csr_array) -> Self:
        """Learn from people × items, (n_people, n_items), of non-negative strengths r."""
        by_item = X.T.tocsr()
        start = np.random.default_rng(self.random_state)
        self.items_ = start.normal(0.0, 0.1 / np.sqrt(self.factors), (X.shape[1], self.factors))
        self.losses_ = []
        for _ in range(self.iterations):
            people = self._solve(X, self.items_)
            self.items_ = self._solve(by_item, people)
            self.losses_.append(self._loss(X, people))
        return self

    def score(self, X: sparse.csr_array) -> Floats:
        """Return the preference of each person for each item, (n, n_items)."""
        return np.asarray(self._solve(X, self.items_) @ self.items_.T)

    def _solve(self, R: sparse.csr_array, other: Floats) -> Floats:
        """Return the best vector of each row of R while the other side stands still (eq. 4)."""
        everyone = other.T @ other + self.l2 * np.eye(self.factors)
        # The sums over y yᵀ of what a row has are one sparse product with the flattened outer products.
        outer = (other[:, :, None] * other[:, None, :]).reshape(len(other), -1)
        solved = np.empty((R.shape[0], self.factors))
        for begin in range(0, R.shape[0], _ROWS_AT_ONCE):
            part = R[begin : begin + _ROWS_AT_ONCE]
            left = everyone + ((self.alpha * part) @ outer).reshape(-1, self.factors, self.factors)
            right = self._confidence_of_bought(part) @ other
            solved[begin : begin + _ROWS_AT_ONCE] = np.linalg.solve(left, right[:, :, None])[:, :, 0]
        return solved

    def _confidence_of_bought(self, R: sparse.csr_array) -> sparse.csr_array:
        return sparse.csr_array((1.0 + self.alpha * R.data, R.indices, R.indptr), shape=R.shape)

    def _loss(self, X: sparse.csr_array, people: Floats) -> float:
        """Return the loss without visiting what was not bought: those squares sum up to tr(PᵀP QᵀQ)."""
        rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        guess = np.einsum("nf,nf->n", people[rows], self.items_[X.indices])
        bought = float((((1.0 + self.alpha * X.data) * (1.0 - guess) ** 2) - guess**2).sum())
        all_guesses = float(((people.T @ people) * (self.items_.T @ self.items_)).sum())
        return bought + all_guesses + self.l2 * float((people**2).sum() + (self.items_**2).sum())
