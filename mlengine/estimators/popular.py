"""Popular: what many people bought lately, for everybody or for those who know nobody but their segment."""

from pathlib import Path
from typing import Self

import numpy as np

from mlengine.estimators.recommender import Scorer, Scores, read_parameters, write_parameters
from mlengine.interactions import Floats, Interactions, Ints


class Popular:
    """Every item by its number of buyers, each buyer counted as ½ to the power of days since the last time / half-life.

    Parameters
    ----------
    half_life : float or None
        In days; None counts everybody who ever bought equally.

    Examples
    --------
    >>> from mlengine.interactions import interactions_of
    >>> x = interactions_of([(1, 10, 30.0), (2, 10, 60.0), (1, 11, 1.0)])
    >>> Popular(half_life=30.0).fit(x).scorer(x)(np.array([0])).round(3).tolist()
    [[0.75, 0.977]]
    """

    def __init__(self, *, half_life: float | None = 28.0) -> None:
        self.half_life = half_life

    def fit(self, interactions: Interactions) -> Self:
        """Learn nothing: popularity is always that of the moment asked about."""
        return self

    def scorer(self, interactions: Interactions) -> Scorer:
        popularity = popularity_of(interactions, self.half_life)

        def score(users: Ints) -> Scores:
            return np.tile(popularity, (len(users), 1))

        return score

    def save(self, directory: Path) -> None:
        write_parameters(directory, {"half_life": self.half_life})

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(**read_parameters(directory))


class PopularInSegment:
    """For people who have bought nothing: what the people of their segment buy.

    Parameters
    ----------
    half_life : float
        In days, as of `Popular`.
    min_people : int
        A segment with fewer buyers than this says too little, and everybody's popularity answers.
    """

    def __init__(self, interactions: Interactions, *, half_life: float = 28.0, min_people: int = 20) -> None:
        people = interactions.segments[~interactions.cold]
        names, sizes = np.unique(people[people != ""], return_counts=True)
        self.segments = interactions.segments
        self.sizes = {str(name): int(size) for name, size in zip(names, sizes, strict=True) if size >= min_people}
        self._everybody = popularity_of(interactions, half_life)
        self._of = {name: popularity_of(interactions, half_life, segment=name) for name in self.sizes}

    def __call__(self, users: Ints) -> Scores:
        """Return the share of the segment's people who buy each item, a little of everybody's breaking ties."""
        ties = self._everybody / (1e3 * self._everybody.sum() + 1.0)
        return np.stack([self._of.get(str(self.segments[user]), self._everybody) + ties for user in users])


def popularity_of(interactions: Interactions, half_life: float | None, *, segment: str | None = None) -> Floats:
    """Return the decayed number of buyers of each item, in a segment if given, by each one's latest purchase."""
    last = np.r_[interactions.first_of_pair[1:], True][: len(interactions.age)]
    if segment is not None:
        last = last & (interactions.segments[interactions.user] == segment)
    if half_life is None:
        return np.bincount(interactions.item[last], minlength=interactions.shape[1]).astype(float)
    return interactions.item_sums(half_life, last)
