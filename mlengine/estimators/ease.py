"""EASE: which items go with which, learned in closed form, in the smaller of people × people and items × items."""

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.floating]
_ITEMS_AT_ONCE = 2000


class Ease:
    """Embarrassingly shallow autoencoder (Steck, WWW 2019), in its dual form where there are more items than people.

    Steck's eq. 8 needs P = (XᵀX + λI)⁻¹, items × items. By Woodbury's identity P = (I − Q) / λ with Q = Xᵀ K X and
    K = (XXᵀ + λI)⁻¹, people × people. Off the diagonal B = −P / diag(P) then is Q_ij / (1 − Q_jj), so that a person
    x scores (xQ − x ∘ q) / (1 − q) with q = diag(Q). 2,469 people × 65,490 items need 24 MB instead of 17 GB.

    Parameters
    ----------
    l2 : float
        Steck's λ, the pull towards saying nothing.
    by_person, by_item : float
        How much less somebody who bought more things, or a thing that more people bought, weighs in what is learned: to
        the power of minus this. 0 is Steck's; above it the pull on rare items is stronger in proportion, as Steck's
        later weighing of the diagonal has it (NeurIPS 2020), and few people no longer decide what goes with what.
    max_people : int
        More people than this are thinned at random, since K grows with their square; all of them can be scored.
    max_items : int
        Up to as many items, and no more than there are people, Steck's own form is used, which all are learned from.
    random_state : int
        Decides who is kept.

    Attributes
    ----------
    people_ : csr_array of shape (n_people, n_items)
    kernel_ : float32 array of shape (n_people, n_people)
        K above.
    diagonal_ : float32 array of shape (n_items,)
        q above.
    together_ : float32 array of shape (n_items, n_items) or None
        B above, where it is the smaller one; the three before are None then.
    weight_ : float32 array of shape (n_items,)
        Of each item.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))
    >>> Ease(l2=1.0).fit(X).score(X[[0]]).round(3).tolist()
    [[0.667, 0.667, 0.0]]
    """

    def __init__(
        self,
        *,
        l2: float = 1000.0,
        by_person: float = 0.0,
        by_item: float = 0.0,
        max_people: int = 6000,
        max_items: int = 8000,
        random_state: int = 0,
    ) -> None:
        self.l2 = l2
        self.by_person = by_person
        self.by_item = by_item
        self.max_people = max_people
        self.max_items = max_items
        self.random_state = random_state

    people_: Any
    kernel_: Any
    diagonal_: Any
    together_: Any

    def fit(self, X: sparse.csr_array) -> Self:
        """Learn from people × items, (n_people, n_items)."""
        by_items = X.shape[1] <= min(X.shape[0], self.max_items)
        if X.shape[0] > self.max_people and not by_items:
            kept = np.random.default_rng(self.random_state).choice(X.shape[0], self.max_people, replace=False)
            X = X[np.sort(kept)]
        self.weight_ = _weight(X.sum(axis=0), self.by_item).astype(X.dtype)
        X = self._weighed(sparse.csr_array(X.multiply(_weight(X.sum(axis=1), self.by_person)[:, None].astype(X.dtype))))
        self.people_ = self.kernel_ = self.diagonal_ = self.together_ = None
        if by_items:
            self.together_ = _together((X.T @ X).toarray(), self.l2)
            return self
        self.people_ = X
        gram = (X @ X.T).toarray()
        gram[np.diag_indices_from(gram)] += self.l2
        self.kernel_ = np.linalg.inv(gram)
        self.diagonal_ = self._diagonal()
        return self

    def score(self, X: sparse.csr_array) -> Array:
        """Return how well each item goes with what each person has, (n, n_items)."""
        X = self._weighed(X)
        raw = np.asarray(X @ self.together_) if self.together_ is not None else self._by_people(X)
        raw /= self.weight_
        return np.asarray(raw)

    def _by_people(self, X: sparse.csr_array) -> Array:
        shared = (self.people_ @ X.T).toarray()
        raw = np.asarray((self.people_.T @ (self.kernel_ @ shared)).T)
        raw -= X.multiply(self.diagonal_[None, :]).toarray()
        raw /= 1.0 - self.diagonal_
        return np.asarray(raw)

    def _weighed(self, X: sparse.csr_array) -> sparse.csr_array:
        return sparse.csr_array(X.multiply(self.weight_[None, :]))

    def _diagonal(self) -> Array:
        """Return diag(Xᵀ K X), a few items at a time: only products with a buyer on both sides are made."""
        by_item = self.people_.T.tocsr()
        found = np.empty(by_item.shape[0], by_item.dtype)
        for start in range(0, len(found), _ITEMS_AT_ONCE):
            part = by_item[start : start + _ITEMS_AT_ONCE]
            found[start : start + _ITEMS_AT_ONCE] = part.multiply(part @ self.kernel_).sum(axis=1)
        return found


def _together(gram: Array, l2: float) -> Array:
    """Return Steck's B: −P / diag(P), and nothing of an item in itself."""
    gram[np.diag_indices_from(gram)] += l2
    inverse = np.linalg.inv(gram)
    together = np.asarray(inverse / -np.diag(inverse))
    np.fill_diagonal(together, 0.0)
    return together


def _weight(count: Any, power: float) -> Array:
    """Return the square root of ``(count / mean)^-power``, since weights count twice in a product."""
    there = np.asarray(count, dtype=float)
    usual = float(there[there > 0].mean()) if (there > 0).any() else 1.0
    return np.asarray(np.where(there > 0, np.maximum(there, 1e-12) / usual, 1.0) ** (-power / 2))
