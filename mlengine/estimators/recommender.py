"""What every recommender can do, and the one way from its scores to a list for each person."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from mlengine.estimators.leading import leading
from mlengine.interactions import Bools, Floats, Interactions, Ints

Scores = npt.NDArray[np.floating]
Scorer = Callable[[Ints], Scores]
PARAMETERS = "parameters.json"
_PEOPLE_AT_ONCE = 256  # 256 people × 65,490 items of float64 are 134 MB


class Recommender(Protocol):
    """Learns from interactions and scores any items for any people, at the same cutoff or a later one."""

    def fit(self, interactions: Interactions) -> Self:
        """Learn from all that happened before the interactions' cutoff."""
        ...

    def scorer(self, interactions: Interactions) -> Scorer:
        """Return what scores rows of people: (n,) rows to (n, n_items), higher is better, −inf is no answer."""
        ...

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> Self: ...


@dataclass(frozen=True, kw_only=True)
class Lists:
    """The best items for each person, best first: people × ranks, −1 (score nan) where a list is shorter than k."""

    users: Ints  # rows of the interactions
    items: Ints  # columns of the interactions
    scores: Floats


@runtime_checkable
class KnowsWhy(Protocol):
    """A recommender that knows which of a person's own items speaks most for another."""

    def because(self, interactions: Interactions, lists: Lists) -> Ints:
        """Return people × ranks like the lists' items: the column of the own item, −1 where none does."""
        ...


def recommend(
    scorer: Scorer,
    interactions: Interactions,
    users: Ints,
    k: int,
    *,
    allowed: Bools | None = None,
    new_only: bool = False,
) -> Lists:
    """Return the ``k`` best items of each person among those ``allowed`` (by default: available at the cutoff).

    ``new_only`` leaves out what the person has already bought.
    """
    allowed = interactions.available if allowed is None else allowed & interactions.available
    found = Lists(
        users=users,
        items=np.full((len(users), k), -1, dtype=np.int64),
        scores=np.full((len(users), k), np.nan),
    )
    for start in range(0, len(users), _PEOPLE_AT_ONCE):
        rows = users[start : start + _PEOPLE_AT_ONCE]
        scores = scorer(rows)
        scores[:, ~allowed] = -np.inf
        if new_only:
            scores[interactions.bought[rows].nonzero()] = -np.inf
        items, best = leading(scores, k)
        found.items[start : start + len(rows)], found.scores[start : start + len(rows)] = items, best
    return found


def leading_of_group(group: Ints, score: Floats, k: int) -> Bools:
    """Return which entries are among the ``k`` highest of their group; groups are numbers, sorted.

    Examples
    --------
    >>> leading_of_group(np.array([0, 0, 0, 1]), np.array([1.0, 3.0, 2.0, 0.0]), 2).tolist()
    [False, True, True, True]
    """
    order = np.lexsort((-score, group))
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    kept = np.zeros(len(group), bool)
    kept[order[rank < k]] = True
    return kept


def write_parameters(directory: Path, parameters: Mapping[str, Any]) -> None:
    """Keep what a recommender was made with."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PARAMETERS).write_text(json.dumps(parameters, indent=1, sort_keys=True))


def read_parameters(directory: Path) -> dict[str, Any]:
    """Return what a recommender was made with."""
    found: dict[str, Any] = json.loads((directory / PARAMETERS).read_text())
    return found
