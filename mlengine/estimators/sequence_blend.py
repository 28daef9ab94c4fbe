"""SASRec and transitions, ranked together: what comes next, learned from the newest items of some people."""

from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from mlengine.estimators.recommender import Scores
from mlengine.estimators.rerank import Rerank, Scored
from mlengine.estimators.sasrec import SASRec, held_back
from mlengine.estimators.sequences import Sequences
from mlengine.estimators.transitions import Transitions
from mlengine.interactions import Ints

_WIDELY: Final[dict[str, Any]] = {"last": 50, "decay": 0.95, "window": 20, "fading": 0.95}


class SequenceBlend:
    """LambdaMART over SASRec, what closely follows, and what goes together in whole histories.

    Parameters
    ----------
    random_state : int
        Of all parts.
    **network
        Of `SASRec`.
    """

    def __init__(self, *, random_state: int = 0, **network: Any) -> None:
        self.random_state = random_state
        self.network = network

    def fit(self, sequences: Sequences) -> Self:
        """Learn the parts without the newest item of some people, then how to rank from those items.

        What is counted is counted anew with them.
        """
        known, question = held_back(sequences, self.random_state)
        self.network_ = SASRec(random_state=self.random_state, **self.network).fit(known, question=question)
        self._count(known)
        self.rerank_ = Rerank(random_state=self.random_state).fit(self._parts(), known, *question)
        self._count(sequences)
        self.facts_ = self.network_.facts_ | {"trees": self.rerank_.trees}
        return self

    def score(self, sequences: Sequences, people: Ints) -> Scores:
        """Return (n, n_items) scores; −inf of what no part proposes."""
        return self.rerank_.score(self._parts(), sequences, people)

    def because(self, sequences: Sequences, people: Ints, items: Ints) -> Ints:
        """Return which own item the network says speaks most for the item beside a person, or else what it followed."""
        told = self.network_.because(sequences, people, items)
        return np.where(told >= 0, told, self.closely_.because(sequences, people, items))

    def save(self, directory: Path) -> None:
        """Keep every part."""
        for name in ("network", "closely", "widely", "rerank"):
            (directory / name).mkdir(parents=True, exist_ok=True)
            getattr(self, f"{name}_").save(directory / name)

    def restore(self, directory: Path) -> Self:
        """Take up every part."""
        self.network_ = SASRec(random_state=self.random_state, **self.network).restore(directory / "network")
        self.closely_ = Transitions().restore(directory / "closely")
        self.widely_ = Transitions(**_WIDELY).restore(directory / "widely")
        self.rerank_ = Rerank(random_state=self.random_state).restore(directory / "rerank")
        self.facts_ = self.network_.facts_ | {"trees": self.rerank_.trees}
        return self

    def _count(self, sequences: Sequences) -> None:
        self.closely_ = Transitions().fit(sequences)
        self.widely_ = Transitions(**_WIDELY).fit(sequences)

    def _parts(self) -> dict[str, Scored]:
        return {"sasrec": self.network_.score, "closely": self.closely_.score, "widely": self.widely_.score}
