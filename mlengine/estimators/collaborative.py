"""What people with similar purchases bought: matrix estimators as recommenders, over ids instead of columns."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np
from scipy import sparse

from mlengine.estimators.ease import Ease
from mlengine.estimators.ials import ImplicitALS
from mlengine.estimators.infinite import InfiniteAutoencoder
from mlengine.estimators.item_knn import ItemKNN
from mlengine.estimators.recommender import Scorer, Scores, read_parameters, write_parameters
from mlengine.estimators.tastes import Tastes
from mlengine.interactions import Interactions, Ints, Matrix

_ARRAYS = "arrays.npz"
ARRAYS: Final[Mapping[type, tuple[str, ...]]] = {  # what each has learned
    Ease: ("people_", "kernel_", "diagonal_", "together_", "weight_"),
    ItemKNN: ("similarity_",),
    ImplicitALS: ("items_",),
    InfiniteAutoencoder: ("people_", "answers_", "weight_"),
}


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

    made_by: ClassVar[Callable[..., Any]]

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
        write_parameters(directory, self._made_with())
        learned = {
            f"{part}{name}": value
            for part, estimator in self._parts()
            for name in ARRAYS[type(estimator)]
            if (value := getattr(estimator, name)) is not None
        }
        np.savez_compressed(directory / _ARRAYS, ids=self.items_, **_flat(learned))

    @classmethod
    def load(cls, directory: Path) -> Self:
        made = cls(**read_parameters(directory))
        made.estimator_ = cls.made_by(**made.parameters)
        with np.load(directory / _ARRAYS, allow_pickle=False) as kept:
            made.items_ = kept["ids"]
            for part, estimator in made._parts():
                for name in ARRAYS[type(estimator)]:
                    setattr(estimator, name, _unflat(f"{part}{name}", kept))
        return made

    def _made_with(self) -> dict[str, Any]:
        return {"min_buyers": self.min_buyers, **self.parameters}

    def _parts(self) -> list[tuple[str, Any]]:
        """Return the estimators that hold what was learned, each with the beginning of its arrays' names."""
        return [("", self.estimator_)]


class EaseRecommender(Collaborative):
    """EASE over interactions; see `Ease` for its parameters."""

    made_by = Ease


class ItemKNNRecommender(Collaborative):
    """Item-kNN over interactions; see `ItemKNN` for its parameters."""

    made_by = ItemKNN


class IALSRecommender(Collaborative):
    """iALS over interactions; see `ImplicitALS` for its parameters."""

    made_by = ImplicitALS


class InfiniteRecommender(Collaborative):
    """∞-AE over interactions; see `InfiniteAutoencoder` for its parameters."""

    made_by = InfiniteAutoencoder


class TastesRecommender(Collaborative):
    """The sum of three over interactions; see `Tastes` for its parameters."""

    made_by = Tastes

    def _parts(self) -> list[tuple[str, Any]]:
        return [(f"{n}.", each) for n, (_, each) in enumerate(self.estimator_.parts_)]


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
    if f"{name}.data" not in kept:
        return None
    data, indices, indptr, shape = (kept[f"{name}.{part}"] for part in ("data", "indices", "indptr", "shape"))
    return sparse.csr_array((data, indices, indptr), shape=tuple(shape))
