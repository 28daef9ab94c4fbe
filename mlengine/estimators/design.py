"""A table of numbers and categories as columns for a linear model or a small network.

Numbers become steps of straight lines between quantiles (a piecewise linear basis), so that a line can bend; numbers
of few values and categories become one column a value; unknown is a column of its own.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FEW: Final = 12  # values: a number that takes at most so many gets a column for each
KNOTS: Final = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Design:
    """What each column becomes: its knots (numbers) or its values (categories).

    Attributes
    ----------
    points : tuple of array
        For each column of ``X`` its knots, ascending, or its values.
    stepped : tuple of bool
        Whether the points are knots.
    mean, scale : arrays of shape (columns made,)
        What makes the columns made comparable.
    """

    points: tuple[Array, ...]
    stepped: tuple[bool, ...]
    mean: Array
    scale: Array

    @classmethod
    def fit(cls, X: Array, categorical: tuple[int, ...]) -> Self:
        points, stepped = [], []
        for n, column in enumerate(X.T):
            known = np.unique(column[np.isfinite(column)])
            bends = n not in categorical and len(known) > FEW
            knots = np.unique(np.quantile(column[np.isfinite(column)], np.linspace(0, 1, KNOTS))) if bends else known
            points.append(knots)
            stepped.append(bends and len(knots) > 1)
        made = _columns(X, points, stepped)
        # a column that hardly varies must not shout when it does
        scale = np.maximum(made.std(axis=0), 0.02)
        return cls(points=tuple(points), stepped=tuple(stepped), mean=made.mean(axis=0), scale=scale)

    def __call__(self, X: Array) -> Array:
        return np.asarray((_columns(X, self.points, self.stepped) - self.mean) / self.scale)

    def arrays(self) -> dict[str, Array]:
        found = {f"points_{n}": points for n, points in enumerate(self.points)}
        return found | {"stepped": np.array(self.stepped, bool), "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_arrays(cls, kept: dict[str, Array]) -> Self:
        points = tuple(kept[f"points_{n}"] for n in range(len(kept["stepped"])))
        return cls(
            points=points,
            stepped=tuple(bool(each) for each in kept["stepped"]),
            mean=kept["mean"],
            scale=kept["scale"],
        )


def _columns(X: Array, points: Any, stepped: Any) -> Array:
    made: list[Array] = [np.zeros((len(X), 0))]
    for column, at, bends in zip(X.T, points, stepped, strict=True):
        known = np.isfinite(column)
        if bends:
            low, high = at[:-1], at[1:]
            steps = np.clip((np.where(known, column, low[0])[:, None] - low) / (high - low), 0.0, 1.0)
            made.append(np.where(known[:, None], steps, 0.0))
        else:
            made.append((column[:, None] == at).astype(np.float64))
        made.append((~known).astype(np.float64)[:, None])
    return np.concatenate(made, axis=1)
