"""Content: what reads like that which a person bought; the only one that knows items which nobody has bought yet."""

from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from mlengine.estimators import text_vectors
from mlengine.estimators.popular import popularity_of
from mlengine.estimators.recommender import Scorer, Scores, read_parameters, write_parameters
from mlengine.interactions import Interactions, Ints, Matrix

Vectors = npt.NDArray[np.float32]


class Content:
    """The cosine between an item's text and what a person has been buying, the later the more.

    Popularity tells equals apart, and answers alone where there are no texts.

    Parameters
    ----------
    half_life : float
        In days, of a purchase's weight.
    size : int
        Of the vectors of texts, at most.
    texts : str
        Dotted path of what turns texts into vectors, a `Texts`; see `TextVectors`, which needs no other data.
    """

    def __init__(self, *, half_life: float = 60.0, size: int = 64, texts: str = text_vectors.OWN) -> None:
        self.half_life = half_life
        self.size = size
        self.texts = texts

    def fit(self, interactions: Interactions) -> Self:
        """Learn how texts become vectors; what people like is always that of the moment asked about."""
        self.texts_ = text_vectors.made(self.texts, self.size)
        self.texts_.fit([*interactions.texts, *interactions.fresh_texts])
        return self

    def scorer(self, interactions: Interactions) -> Scorer:
        items = self._vectors(interactions.texts, interactions.shape[1])
        popularity = popularity_of(interactions, 28.0)
        ties = (1e-4 * popularity / max(float(popularity.max(initial=0.0)), 1e-9)).astype(np.float32)
        return self._like(interactions, items, items, ties)

    def fresh_scorer(self, interactions: Interactions) -> Scorer:
        """Return what scores rows of people for the items that nobody has bought yet, (n,) to (n, n_fresh)."""
        items = self._vectors(interactions.texts, interactions.shape[1])
        fresh = self._vectors(interactions.fresh_texts, len(interactions.fresh))
        return self._like(interactions, items, fresh, np.zeros(len(fresh), np.float32))

    def save(self, directory: Path) -> None:
        write_parameters(directory, {"half_life": self.half_life, "size": self.size, "texts": self.texts})
        self.texts_.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        made = cls(**read_parameters(directory))
        made.texts_ = text_vectors.made(made.texts, made.size)
        made.texts_.restore(directory)
        return made

    def _vectors(self, texts: tuple[str, ...], n: int) -> Vectors:
        return self.texts_.vectors(texts or ("",) * n)

    def _like(self, x: Interactions, had: Vectors, asked: Vectors, ties: Vectors) -> Scorer:
        history: Matrix = x.matrix(self.half_life)

        def score(users: Ints) -> Scores:
            liked = np.asarray(history[users] @ had, dtype=np.float32)
            length = np.linalg.norm(liked, axis=1, keepdims=True)
            return np.asarray(liked / np.maximum(length, 1e-12) @ asked.T + ties, dtype=np.float32)

        return score
