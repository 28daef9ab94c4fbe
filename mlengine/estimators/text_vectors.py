"""Texts as short vectors: alike where the texts share rare pieces of words, in any language."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils.extmath import randomized_svd

Vectors = npt.NDArray[np.float32]
OWN: Final = "mlengine.estimators.text_vectors.TextVectors"


class Texts(Protocol):
    """Turns texts into vectors of length 1, zeros where it knows nothing of a text, and can be kept without pickles."""

    def fit(self, texts: Sequence[str]) -> Any: ...

    def vectors(self, texts: Sequence[str]) -> Vectors: ...

    def save(self, directory: Path) -> None: ...

    def restore(self, directory: Path) -> Any: ...


def made(path: str, size: int) -> Texts:
    """Return what a dotted path names, made with the length that its vectors may have at most."""
    module, _, name = path.rpartition(".")
    found: Texts = getattr(import_module(module), name)(size=size)
    return found


class TextVectors:
    """Pieces of one to four characters, weighed by rarity and turned to few dimensions (latent semantic analysis).

    Chinese has no spaces: pieces of characters need no dictionary of words, and cope with typing errors elsewhere.

    Parameters
    ----------
    size : int
        Length of the vectors, at most: texts of few pieces have shorter ones.
    pieces : int
        Into how many numbers pieces are hashed.
    random_state : int
        Of the decomposition.

    Attributes
    ----------
    rarity_ : float32 array of shape (pieces,)
        Inverse document frequency.
    turn_ : float32 array of shape (pieces, at most size)

    Examples
    --------
    >>> made = TextVectors(size=8).fit(["green tea", "black tea", "鲜牛奶", "酸牛奶", ""])
    >>> tea, milk, other = made.vectors(["white tea", "牛奶", "鞋"]) @ made.vectors(["green tea"]).T
    >>> bool(tea[0] > 0.3 > abs(milk[0])), bool(other[0] == 0.0)
    (True, True)
    """

    def __init__(self, *, size: int = 64, pieces: int = 2**15, random_state: int = 0) -> None:
        self.size = size
        self.pieces = pieces
        self.random_state = random_state

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn what is rare, and which pieces go together, from the different ones of the texts."""
        counts = self._counts(sorted(set(texts) - {""}))
        holds = np.bincount(counts.indices, minlength=self.pieces)
        self.rarity_ = np.log((1.0 + counts.shape[0]) / (1.0 + holds)).astype(np.float32)
        self.rarity_[holds == 0] = 0.0
        size = min(self.size, counts.shape[0])
        if size == 0:
            self.turn_ = np.zeros((self.pieces, 0), np.float32)
            return self
        _, _, turned = randomized_svd(self._weighed(counts), size, n_iter=3, random_state=self.random_state)
        self.turn_ = np.ascontiguousarray(turned.T, dtype=np.float32)
        return self

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Return a vector of length 1 for each text, (n, at most size); zeros where nothing is known of its pieces."""
        different, place = np.unique(np.array(texts, dtype=object), return_inverse=True)
        found = self._weighed(self._counts(different.tolist())) @ self.turn_
        length = np.sqrt((found**2).sum(axis=1, keepdims=True))
        return np.asarray((found / np.maximum(length, 1e-9))[place], dtype=np.float32)

    def save(self, directory: Path) -> None:
        """Keep what was learned."""
        np.savez_compressed(directory / "texts.npz", rarity=self.rarity_, turn=self.turn_)

    def restore(self, directory: Path) -> Self:
        """Take up what was kept."""
        with np.load(directory / "texts.npz", allow_pickle=False) as kept:
            self.rarity_, self.turn_ = kept["rarity"], kept["turn"]
        return self

    def _counts(self, texts: Sequence[str]) -> sparse.csr_matrix:
        made = HashingVectorizer(
            analyzer="char_wb",
            ngram_range=(1, 4),
            n_features=self.pieces,
            norm=None,
            alternate_sign=False,
            dtype=np.float32,
        )
        if not texts:
            return sparse.csr_matrix(np.empty((0, self.pieces), np.float32))
        return sparse.csr_matrix(made.transform(texts))

    def _weighed(self, counts: sparse.csr_matrix) -> sparse.csr_matrix:
        counts.data = np.log1p(counts.data)
        weighed = sparse.csr_matrix(counts.multiply(self.rarity_))
        length = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)))
        return sparse.csr_matrix(weighed.multiply(1.0 / np.maximum(length, 1e-9)))
