"""Own history: people buy again what they bought often and lately."""

from pathlib import Path
from typing import Self

import numpy as np

from mlengine.estimators.recommender import Scorer, Scores, read_parameters, write_parameters
from mlengine.interactions import Interactions, Ints


class OwnHistory:
    """The number of a person's baskets with the item, each counted as ½ to the power of its age / half-life.

    Equal items are told apart by how many people bought them, which also answers for what the person never bought.

    Parameters
    ----------
    half_life : float or None
        In days; None counts all baskets equally.

    Examples
    --------
    >>> from mlengine.interactions import interactions_of
    >>> x = interactions_of([(1, 10, 60.0), (1, 10, 120.0), (2, 11, 1.0)])
    >>> OwnHistory(half_life=60.0).fit(x).scorer(x)(np.array([0])).round(3).tolist()
    [[0.75, 0.0]]
    """

    def __init__(self, *, half_life: float | None = 60.0) -> None:
        self.half_life = half_life

    def fit(self, interactions: Interactions) -> Self:
        """Learn nothing: history is always that of the moment asked about."""
        return self

    def scorer(self, interactions: Interactions) -> Scorer:
        history = interactions.matrix(self.half_life)
        ties = interactions.buyers * 1e-7

        def score(users: Ints) -> Scores:
            return np.asarray(history[users].toarray() + ties)

        return score

    def save(self, directory: Path) -> None:
        write_parameters(directory, {"half_life": self.half_life})

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(**read_parameters(directory))
