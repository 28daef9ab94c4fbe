"""First-order transitions: what people took after what this person took last. No training but counting."""

from pathlib import Path
from typing import Final, Self

import numpy as np
from scipy import sparse

from mlengine.estimators.recommender import Scores
from mlengine.estimators.sequences import Sequences
from mlengine.interactions import Ints, Matrix

_COUNTS: Final = "after.npz"


class Transitions:
    """Counts of b coming 1 … ``window`` places after a, asked of a person's ``last`` items, the newest counting most.

    A person's score of b is Σ over their last items a of decay^(places back) · n(a → b) / n(a)^damping.

    Parameters
    ----------
    last : int
        How many of a person's items are looked at.
    decay : float
        What an item counts less than the one taken after it.
    window : int
        How many places after a an item still counts as coming after it.
    fading : float
        What it counts less each place further.
    damping : float
        1 makes counts the shares of what came after a; below, a that many took has more to say.

    Attributes
    ----------
    after_ : (n_items, n_items) sparse array
        n(a → b) / n(a)^damping.

    Examples
    --------
    >>> taken = Sequences.of([[0, 1, 2], [0, 1], [0]], n_items=3)
    >>> Transitions(window=1, damping=1.0).fit(taken).score(taken, np.array([2])).tolist()
    [[-inf, 1.0, -inf]]
    """

    def __init__(
        self, *, last: int = 10, decay: float = 0.8, window: int = 3, fading: float = 0.7, damping: float = 0.5
    ) -> None:
        self.last = last
        self.decay = decay
        self.window = window
        self.fading = fading
        self.damping = damping

    def fit(self, sequences: Sequences) -> Self:
        """Count, over everybody."""
        item, person = sequences.item, sequences.person
        counts = sparse.csr_array((sequences.n_items, sequences.n_items))
        for gap in range(1, min(self.window, max(len(item) - 1, 0)) + 1):
            same = person[gap:] == person[:-gap]
            weight = np.full(int(same.sum()), self.fading ** (gap - 1))
            counts = counts + sparse.csr_array((weight, (item[:-gap][same], item[gap:][same])), shape=counts.shape)
        total: Scores = np.asarray(counts.sum(axis=1)).ravel()
        heavy = np.divide(1.0, total**self.damping, out=np.zeros_like(total), where=total > 0)
        self.after_: Matrix = sparse.csr_array(sparse.diags_array(heavy) @ counts).astype(np.float32)
        return self

    def score(self, sequences: Sequences, people: Ints) -> Scores:
        """Return (n, n_items) scores; −inf of what never came after any of a person's last items."""
        scores = (self._asked(sequences, people) @ self.after_).toarray()
        scores[scores <= 0.0] = -np.inf
        return np.asarray(scores)

    def because(self, sequences: Sequences, people: Ints, items: Ints) -> Ints:
        """Return which of each person's last items has most to do with the item at the same place; −1 for none."""
        last = sequences.last(self.last, people)
        there = np.maximum(last, 0)
        told = self.after_[there.ravel(), np.repeat(items, self.last)].reshape(last.shape)
        told = np.where(last >= 0, told * self._weights(), 0.0)
        best = told.argmax(axis=1)
        rows = np.arange(len(last))
        return np.where(told[rows, best] > 0, last[rows, best], -1)

    def save(self, directory: Path) -> None:
        """Keep what was counted."""
        sparse.save_npz(directory / _COUNTS, self.after_)

    def restore(self, directory: Path) -> Self:
        """Take up what was counted."""
        self.after_ = sparse.csr_array(sparse.load_npz(directory / _COUNTS))
        return self

    def _asked(self, sequences: Sequences, people: Ints) -> Matrix:
        last = sequences.last(self.last, people)
        row, place = np.nonzero(last >= 0)
        weight = self._weights()[place].astype(np.float32)
        return sparse.csr_array((weight, (row, last[row, place])), shape=(len(people), sequences.n_items))

    def _weights(self) -> Scores:
        return np.asarray(self.decay ** np.arange(self.last - 1, -1, -1.0))
