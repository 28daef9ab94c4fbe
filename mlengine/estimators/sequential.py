"""What people will take next, from the order of what they took: transitions and SASRec as recommenders over ids."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np

from mlengine.estimators.next_items import IDS
from mlengine.estimators.recommender import Lists, Scorer, Scores, read_parameters, write_parameters
from mlengine.estimators.sasrec import HEADS, SASRec
from mlengine.estimators.sequence_blend import SequenceBlend
from mlengine.estimators.sequences import Sequences
from mlengine.estimators.transitions import Transitions
from mlengine.interactions import Interactions, Ints


class Ordered(Protocol):
    """Learns from sequences, scores every item for people, and knows what of their history made an item score."""

    def fit(self, sequences: Sequences) -> Any: ...

    def score(self, sequences: Sequences, people: Ints) -> Scores: ...

    def because(self, sequences: Sequences, people: Ints, items: Ints) -> Ints: ...

    def save(self, directory: Path) -> None: ...

    def restore(self, directory: Path) -> Any: ...


class Sequential:
    """An estimator on sequences, among items with at least ``min_buyers`` buyers.

    People new since ``fit`` are scored from what they took; items new since then have no answer, and are passed over
    where they stand in a history.
    """

    made_by: ClassVar[type[Any]]

    def __init__(self, *, min_buyers: int = 5, **parameters: Any) -> None:
        self.min_buyers = min_buyers
        self.parameters = parameters

    def fit(self, interactions: Interactions) -> Self:
        self.items_ = interactions.items[interactions.buyers >= self.min_buyers]
        self.estimator_: Ordered = self.made_by(**self.parameters)
        self.estimator_.fit(self._sequences(interactions))
        return self

    def scorer(self, interactions: Interactions) -> Scorer:
        sequences = self._sequences(interactions)
        known = np.flatnonzero(np.isin(self.items_, interactions.items))
        columns = np.searchsorted(interactions.items, self.items_[known])

        def score(users: Ints) -> Scores:
            scores = np.full((len(users), interactions.shape[1]), -np.inf, dtype=np.float32)
            if len(known):
                scores[:, columns] = self.estimator_.score(sequences, users)[:, known]
            return scores

        return score

    def because(self, interactions: Interactions, lists: Lists) -> Ints:
        """Return people × ranks: the column of the person's own item that speaks most for each item, −1 for none."""
        sequences = self._sequences(interactions)
        row, rank = np.nonzero(lists.items >= 0)
        asked = _places(self.items_, interactions.items[lists.items[row, rank]])
        found = np.full(lists.items.shape, -1, dtype=np.int64)
        there = asked >= 0
        own = self.estimator_.because(sequences, lists.users[row[there]], asked[there])
        told = np.where(own >= 0, _places(interactions.items, self.items_[np.maximum(own, 0)]), -1)
        found[row[there], rank[there]] = told
        return found

    def save(self, directory: Path) -> None:
        write_parameters(directory, {"min_buyers": self.min_buyers, **self.parameters})
        np.savez_compressed(directory / IDS, ids=self.items_)
        self.estimator_.save(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        made = cls(**read_parameters(directory))
        with np.load(directory / IDS, allow_pickle=False) as kept:
            made.items_ = kept["ids"]
        made.estimator_ = cls.made_by(**made.parameters).restore(directory)
        return made

    def _sequences(self, interactions: Interactions) -> Sequences:
        everything = interactions.once("sequences", lambda: Sequences.of_interactions(interactions))
        return everything.relabelled(_places(self.items_, interactions.items), len(self.items_))


class TransitionsRecommender(Sequential):
    """Transitions over interactions; see `Transitions` for its parameters."""

    made_by = Transitions


class Trained(Sequential):
    """One that has a network, which web processes ask for what comes next, and knows how its training went."""

    network_in: ClassVar[str]  # which directory of those that `save` makes
    repeats: ClassVar[bool]  # whether it recommends what a person has taken, too

    @property
    def facts(self) -> Mapping[str, Any]:
        """What its card says of the training."""
        return {"network": getattr(self.estimator_, "facts_", {})}

    @property
    def light(self) -> Mapping[str, Any]:
        """How `NextItems` finds the network, and asks it."""
        heads = self.parameters.get("heads", HEADS)
        return {"network": self.network_in, "heads": heads, "repeats": self.repeats}


class SASRecRecommender(Trained):
    """SASRec over interactions; see `SASRec` for its parameters. Its scores are how likely an item is the next one."""

    made_by = SASRec
    network_in = "."
    repeats = True

    def scorer(self, interactions: Interactions) -> Scorer:
        scored = super().scorer(interactions)
        return lambda users: _chances(scored(users))


class SequenceBlendRecommender(Trained):
    """SASRec and transitions ranked together, over interactions; see `SequenceBlend` for its parameters."""

    made_by = SequenceBlend
    network_in = "network"
    repeats = False


def _chances(scores: Scores) -> Scores:
    """Return the probabilities that logits stand for, in the same order; −inf where there is no answer."""
    best = np.maximum(scores.max(axis=1, keepdims=True), np.finfo(np.float32).min)
    chances = np.exp(scores - best)
    chances /= np.maximum(chances.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(np.where(np.isneginf(scores), -np.inf, chances))


def _places(ids: Ints, asked: Ints) -> Ints:
    """Return where each asked id stands in ``ids``, which ascend; −1 where it does not."""
    if not len(ids):
        return np.full(len(asked), -1, dtype=np.int64)
    place = np.minimum(np.searchsorted(ids, asked), len(ids) - 1)
    return np.where(ids[place] == asked, place, -1)
