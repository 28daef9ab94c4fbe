"""∞-AE: an autoencoder of infinite width, which is solved instead of trained."""

from typing import Self

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

Array = npt.NDArray[np.floating]
_PEOPLE_AT_ONCE = 1000


class InfiniteAutoencoder:
    """Kernel regression with the neural tangent kernel of ReLU layers (Sachdeva et al., NeurIPS 2022).

    A person is answered from the people alike, A = (K + λ diag)⁻¹ X, where likeness is what gradient descent on a
    network of infinitely many ReLU units would make of the angle between two people's purchases (Jacot et al. 2018;
    the arc cosine recursions are those of Cho and Saul, NIPS 2009). It looks at people where EASE looks at
    items, and sees more than products do, so that the two together are better than either.

    Parameters
    ----------
    l2 : float
        λ above, in units of the kernel's value for somebody and themself.
    depth : int
        Layers of ReLU.
    by_item : float
        How much less a thing that more people bought weighs in the likeness: to the power of minus this.
    max_people, random_state : int
        More people are thinned at random, since the kernel grows with their square; all of them can be scored.

    Attributes
    ----------
    people_ : csr_array of shape (n_people, n_items)
        Rows of length 1.
    answers_ : float32 array of shape (n_people, n_items)
        A above.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]]))
    >>> first, second, third = InfiniteAutoencoder(l2=1.0).fit(X).score(sparse.csr_array([[1.0, 0, 0]]))[0]
    >>> bool(first == second > third)
    True
    """

    def __init__(
        self, *, l2: float = 8.0, depth: int = 2, by_item: float = 0.0, max_people: int = 6500, random_state: int = 0
    ) -> None:
        self.l2 = l2
        self.depth = depth
        self.by_item = by_item
        self.max_people = max_people
        self.random_state = random_state

    def fit(self, X: sparse.csr_array) -> Self:
        """Learn from people × items, (n_people, n_items)."""
        if X.shape[0] > self.max_people:
            kept = np.random.default_rng(self.random_state).choice(X.shape[0], self.max_people, replace=False)
            X = X[np.sort(kept)]
        bought = np.maximum(np.asarray(X.sum(axis=0), dtype=float), 1.0)
        self.weight_ = ((bought / bought.mean()) ** (-self.by_item / 2)).astype(np.float32)
        self.people_ = self._directions(X)
        kernel = self._kernel(self.people_)
        kernel[np.diag_indices_from(kernel)] += self.l2 * (self.depth + 1.0)
        solved = linalg.cho_solve(linalg.cho_factor(kernel, overwrite_a=True), X.toarray().astype(np.float32))
        self.answers_ = np.asarray(solved, dtype=np.float32)
        return self

    def score(self, X: sparse.csr_array) -> Array:
        """Return how much people like these would want each item, (n, n_items)."""
        return np.asarray(self._kernel(self._directions(X)) @ self.answers_)

    def _directions(self, X: sparse.csr_array) -> sparse.csr_array:
        weighed = sparse.csr_array(X.multiply(self.weight_[None, :])).astype(np.float32)
        length = np.sqrt(np.asarray(weighed.power(2).sum(axis=1), dtype=float))
        return sparse.csr_array(weighed.multiply((1.0 / np.maximum(length, 1e-12))[:, None]).astype(np.float32))

    def _kernel(self, directions: sparse.csr_array) -> Array:
        """Return the tangent kernel between directions and the people learned from, ``depth + 1`` for one's own."""
        cosine: Array = np.asarray((directions @ self.people_.T).toarray(), dtype=np.float32)
        tangent = cosine.copy()
        for _ in range(self.depth):
            angle = np.arccos(np.clip(cosine, -1.0, 1.0))
            cosine = (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.float32(np.pi)
            tangent = tangent * (np.pi - angle) / np.float32(np.pi) + cosine
        return tangent
