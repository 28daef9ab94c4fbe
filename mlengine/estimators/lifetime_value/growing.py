"""How trees of value are grown: small ones, as a few thousand people carry no more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
from numpy.typing import NDArray

from mlengine.estimators.boosted import grown

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Growing:
    """LightGBM's num_iterations, learning_rate, num_leaves and so on, and how many seeds are averaged."""

    rounds: int = 150
    learning_rate: float = 0.05
    leaves: int = 6
    min_in_leaf: int = 60
    columns_share: float = 0.3
    rows_share: float = 0.7
    l2: float = 10.0
    seeds: int = 2

    def grow(self, X: Array, y: Array, names: Sequence[str], objective: str) -> tuple[lightgbm.Booster, ...]:
        return grown(self, X, y, names, seeds=self.seeds, objective=objective)
