"""What people with similar purchases bought: EASE, item-kNN and ALS as recommenders, over ids instead of columns."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from scipy import sparse

from mlengine.estimators.als import ImplicitALS
from mlengine.estimators.ease import Ease
from mlengine.estimators.item_knn import ItemKNN
from mlengine.estimators.recommender import Scorer, Scores, read_parameters, write_parameters
from mlengine.interactions import Interactions, Ints, Matrix

_ARRAYS = "arrays.npz"


class Factorised(Protocol):
    """Learns from a people × items matrix, and scores rows of one with the same columns."""

    def fit(self, X: sparse.csr_array) -> Any: ...

    def score(self, X: sparse.csr_array) -> Scores: ...


class Collaborative:
    """A matrix estimator on who ever bought what, among items with at least ``min_buyers`` buyers.

    People new since ``fit`` are scored from what they bought; items new since then have no answer.

    Parameters
    ----------
    min_buyers : int
        Items with fewer buyers are left out: they would be recommended to nobody, and are most of a catalogue.
    **parameters
        Of the estimator.
    """

    made_by: ClassVar[Callable[..., Factorised]]
    arrays: ClassVar[tuple[str, ...]]  # the learned attributes

    def __init__(self, *, min_buyers: int = 5, **parameters: Any) -> None:
        self.min_buyers = min_buyers
        self.parameters = parameters

    def fit(self, interactions: Interactions) -> Self:
        kept = np.flatnonzero(interactions.buyers >= self.min_buyers)
        warm = np.flatnonzero(~interactions.cold)
        self.items_ = interactions.items[kept]
        self.estimator_ = type(self).made_by(**self.parameters)
        self.estimator_.fit(interactions.bought[warm][:, kept].astype(np.float32))
        return self

    def scorer(self, interactions: Interactions) -> Scorer:
        known = np.flatnonzero(np.isin(self.items_, interactions.items))
        columns = np.searchsorted(interactions.items, self.items_[known])
        bought = _with_columns(interactions.bought[:, columns], known, len(self.items_))

        def score(users: Ints) -> Scores:
            scores = np.full((len(users), interactions.shape[1]), -np.inf, dtype=np.float32)
            scores[:, columns] = self.estimator_.score(bought[users])[:, known]
            return scores

        return score

    def save(self, directory: Path) -> None:
        write_parameters(directory, {"min_buyers": self.min_buyers, **self.parameters})
        learned = {name: getattr(self.estimator_, name) for name in self.arrays}
        np.savez_compressed(directory / _ARRAYS, ids=self.items_, **_flat(learned))

    @classmethod
    def load(cls, directory: Path) -> Self:
        made = cls(**read_parameters(directory))
        made.estimator_ = cls.made_by(**made.parameters)
        with np.load(directory / _ARRAYS, allow_pickle=False) as kept:
            made.items_ = kept["ids"]
            for name in cls.arrays:
                setattr(made.estimator_, name, _unflat(name, kept))
        return made


class EaseRecommender(Collaborative):
    """EASE over interactions; see `Ease` for its parameters."""

    made_by = Ease
    arrays = ("people_", "kernel_", "diagonal_")


class ItemKNNRecommender(Collaborative):
    """Item-kNN over interactions; see `ItemKNN` for its parameters."""

    made_by = ItemKNN
    arrays = ("similarity_",)


class ALSRecommender(Collaborative):
    """ALS over interactions; see `ImplicitALS` for its parameters."""

    made_by = ImplicitALS
    arrays = ("items_",)


def _with_columns(X: Matrix, columns: Ints, width: int) -> Matrix:
    """Return X with its columns moved to ``columns`` of a matrix ``width`` wide."""
    moved = sparse.csr_array((X.data.astype(np.float32), columns[X.indices], X.indptr), shape=(X.shape[0], width))
    moved.sort_indices()
    return moved


def _flat(learned: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays only: a sparse matrix becomes its three arrays and its shape."""
    flat: dict[str, Any] = {}
    for name, value in learned.items():
        if isinstance(value, sparse.csr_array):
            parts = {"data": value.data, "indices": value.indices, "indptr": value.indptr, "shape": value.shape}
            flat |= {f"{name}.{part}": array for part, array in parts.items()}
        else:
            flat[name] = value
    return flat


def _unflat(name: str, kept: Mapping[str, Any]) -> Any:
    if name in kept:
        return kept[name]
    data, indices, indptr, shape = (kept[f"{name}.{part}"] for part in ("data", "indices", "indptr", "shape"))
    return sparse.csr_array((data, indices, indptr), shape=tuple(shape))
