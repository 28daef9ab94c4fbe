"""Pairs of columns that say more together than apart, and what each of their cells says of the label.

Pairs are found as in GA2M (Lou, Caruana, Gehrke & Hooker 2013, "FAST"): a model that adds up single columns is fitted,
and a pair is worth how much a table over its cells lowers the log loss that is left (to second order), measured on the
half of the rows that the table was not made of. A cell is then told to the trees as the smoothed share of its
rows that did it, for the rows learned from without their own fold, so that no row sees its own label.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pair = tuple[int, int]

EXACT: Final = 64  # a column of at most so many values is not binned
BINS: Final = 32
LEAST_GAIN: Final = 5.0  # nats over all rows, beyond what the better of the two columns alone still gains
SHRINK: Final = 20.0
SMOOTH: Final = 10.0
FOLDS: Final = 5
MOST_COLUMNS: Final = 40  # of more, the pairs of the first so many are tried


@dataclass(frozen=True, kw_only=True, eq=False)
class Cross:
    """One pair of binned columns, and the share of each of its cells that did it."""

    left: int
    right: int
    left_edges: Array
    right_edges: Array
    shares: Array

    @classmethod
    def fit(cls, X: Array, y: Array, pair: Pair) -> Self:
        edges = [edges_of(X[:, n]) for n in pair]
        cells = [binned(X[:, n], found) for n, found in zip(pair, edges, strict=True)]
        return cls(
            left=pair[0],
            right=pair[1],
            left_edges=edges[0],
            right_edges=edges[1],
            shares=_shares(cells[0] * (len(edges[1]) + 1) + cells[1], y, (len(edges[0]) + 1) * (len(edges[1]) + 1)),
        )

    def __call__(self, X: Array) -> Array:
        return np.asarray(self.shares[self.cells(X)])

    def cells(self, X: Array) -> Array:
        right = binned(X[:, self.right], self.right_edges)
        return binned(X[:, self.left], self.left_edges) * (len(self.right_edges) + 1) + right

    def out_of_fold(self, X: Array, y: Array, fold: Array) -> Array:
        """Return each row's share by the rows of other folds."""
        cells, made = self.cells(X), np.empty(len(y))
        for k in np.unique(fold):
            others = fold != k
            told = _shares(cells[others], y[others], len(self.shares)) if others.any() else self.shares
            made[~others] = told[cells[~others]]
        return made


@dataclass(frozen=True, kw_only=True, eq=False)
class Crosses:
    """All pairs found, each one column more."""

    each: tuple[Cross, ...] = ()

    @classmethod
    def fit(cls, X: Array, y: Array, pairs: list[Pair]) -> Self:
        return cls(each=tuple(Cross.fit(X, y, pair) for pair in pairs))

    def __call__(self, X: Array) -> Array:
        """Return ``X`` with a column for each pair."""
        return np.column_stack([X, *(cross(X) for cross in self.each)])

    def out_of_fold(self, X: Array, y: Array, rng: np.random.Generator) -> Array:
        """Return the same for the rows learned from, each told by cells that it is not in."""
        fold = rng.integers(0, FOLDS, len(y))
        return np.column_stack([X, *(cross.out_of_fold(X, y, fold) for cross in self.each)])

    def arrays(self) -> dict[str, Array]:
        found: dict[str, Array] = {"pairs": np.array([(c.left, c.right) for c in self.each], int).reshape(-1, 2)}
        for n, cross in enumerate(self.each):
            found |= {f"{name}_{n}": getattr(cross, name) for name in ("left_edges", "right_edges", "shares")}
        return found

    @classmethod
    def from_arrays(cls, kept: dict[str, Array]) -> Self:
        def cross(n: int, left: int, right: int) -> Cross:
            arrays = {name: kept[f"{name}_{n}"] for name in ("left_edges", "right_edges", "shares")}
            return Cross(left=left, right=right, **arrays)

        return cls(each=tuple(cross(n, int(left), int(right)) for n, (left, right) in enumerate(kept["pairs"])))


def find(X: Array, y: Array, additive: Array, rng: np.random.Generator, most: int) -> list[Pair]:
    """Return the pairs of columns that say most together, the best first.

    Parameters
    ----------
    X : array of shape (n, m), nan where unknown
    y : array of shape (n,), 1 or 0
    additive : array of shape (n,)
        Probabilities by a model without interactions.
    """
    columns = [binned(column, edges_of(column)) for column in X.T[:MOST_COLUMNS]]
    residual, weight, half = y - additive, additive * (1 - additive), rng.random(len(y)) < 0.5
    alone = [max(0.0, _gain(cells, residual, weight, half)) for cells in columns]
    gains = {
        (i, j): _gain(columns[i] * (EXACT + 1) + columns[j], residual, weight, half) - max(alone[i], alone[j])
        for i, j in combinations(range(len(columns)), 2)
    }
    return [pair for pair in sorted(gains, key=lambda pair: -gains[pair])[:most] if gains[pair] > LEAST_GAIN]


def edges_of(column: Array) -> Array:
    """Return the lower edges of bins with as many rows each, or all values where there are few."""
    known = np.unique(column[np.isfinite(column)])
    if len(known) <= EXACT:
        return known
    return np.unique(np.quantile(column[np.isfinite(column)], np.linspace(0, 1, BINS + 1)[:-1]))


def binned(column: Array, edges: Array) -> Array:
    """Return the bin of each value: 0 unknown, else from 1, what lies below all edges being in the first.

    Examples
    --------
    >>> binned(np.array([np.nan, -5.0, 1.0, 1.5, 9.0]), edges=np.array([0.0, 1.0, 2.0])).tolist()
    [0, 1, 2, 2, 3]
    """
    found = np.clip(np.searchsorted(edges, column, side="right"), 1, max(1, len(edges)))
    return np.where(np.isfinite(column) & (len(edges) > 0), found, 0)


def _shares(cells: Array, y: Array, size: int) -> Array:
    prior = float(y.mean())
    return np.asarray((np.bincount(cells, y, size) + SMOOTH * prior) / (np.bincount(cells, minlength=size) + SMOOTH))


def _gain(cells: Array, residual: Array, weight: Array, half: Array) -> float:
    """Return by how many nats one Newton step a cell lowers the log loss of the rows it was not fitted on."""
    size, gain = int(cells.max()) + 1, 0.0
    for learn in (half, ~half):
        slope, curve = (np.bincount(cells[learn], values[learn], size) for values in (residual, weight))
        step = slope / (curve + SHRINK)
        judged, bend = (np.bincount(cells[~learn], values[~learn], size) for values in (residual, weight))
        gain += float(np.sum(step * judged - 0.5 * step**2 * bend))
    return gain
