"""Features made comparable for a weighted sum: logarithms where never negative, unknown as the median, one spread."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """How columns are changed; learned from the rows that a model learns from."""

    logarithm: Array
    middle: Array
    mean: Array
    spread: Array

    @classmethod
    def fit(cls, X: Array) -> Self:
        known = np.where(np.isfinite(X), X, np.nan)
        empty = np.isnan(known).all(axis=0)
        known[:, empty] = 0.0
        logarithm = np.nanmin(known, axis=0) >= 0
        logs = np.where(logarithm, np.log1p(np.maximum(known, 0.0)), known)
        middle = np.nanmedian(logs, axis=0)
        filled = np.where(np.isnan(logs), middle, logs)
        spread = filled.std(axis=0)
        return cls(
            logarithm=logarithm, middle=middle, mean=filled.mean(axis=0), spread=np.where(spread > 1e-9, spread, np.inf)
        )

    def __call__(self, X: Array) -> Array:
        """Return the columns, 4 spreads from the mean at most; those that never differed are 0."""
        known = np.where(np.isfinite(X), X, np.nan)
        logs = np.where(self.logarithm, np.log1p(np.maximum(known, 0.0)), known)
        filled = np.where(np.isnan(logs), self.middle, logs)
        return np.clip((filled - self.mean) / self.spread, -4.0, 4.0)

    def kept(self) -> dict[str, Any]:
        spread = np.where(np.isfinite(self.spread), self.spread, 0.0)
        arrays = {"logarithm": self.logarithm, "middle": self.middle, "mean": self.mean, "spread": spread}
        return {name: values.tolist() for name, values in arrays.items()}

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        arrays = {name: np.array(kept[name]) for name in ("logarithm", "middle", "mean", "spread")}
        return cls(**arrays | {"spread": np.where(arrays["spread"] > 0, arrays["spread"], np.inf)})
