"""SASRec: what comes next, by self-attention over what a person took so far (Kang and McAuley 2018).

With cross-entropy over all items, or over thousands shared by a batch, in place of one drawn item a place: that is
what it takes to be ahead of BERT4Rec (Klenitskiy and Vasilev 2023); or with gSASRec's loss (Petrov and Macdonald 2023).
"""

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any, Final, NamedTuple, Self

import numpy as np

from mlengine.estimators.next_items import LOOKED_AT
from mlengine.estimators.recommender import Scores
from mlengine.estimators.sasrec_numpy import LightSASRec
from mlengine.estimators.sequences import Sequences
from mlengine.interactions import Ints

_FACTS: Final = "facts.json"
_PEOPLE_EXPLAINED: Final = 500
HEADS: Final = 2
_ALL_COMPETE: Final = 15_000  # items; beyond, a step over all of them takes longer than it teaches
_DRAWN: Final = 2_048
_PEOPLE_ASKED: Final = 2_000
_HISTORY_OF_THE_ASKED: Final = 3  # items; the newest is asked for, and two are left to learn from


class Question(NamedTuple):
    """People, and the column each of them took next: what decides how long to train."""

    people: Ints
    wanted: Ints


class SASRec:
    """A network on sequences, trained until its averaged weights no longer get better at questions held back.

    Parameters
    ----------
    width, blocks, heads, length : int
        Of the network: numbers an item, blocks of attention, heads of each, items of a history that it looks at.
    dropout : float
        Share of numbers dropped in training.
    loss : str
        "softmax" or "gbce".
    negatives : int
        How many items compete with the wanted one, drawn evenly and shared by a batch; 0 is all (softmax only).
        By default all where they are at most 15,000, else 2,048.
    calibration : float
        Of "gbce"; see `sasrec_losses.gbce`.
    learning_rate, warm_up, places : float, int, int
        Of Adam; steps until it is reached; places of histories a step.
    further_windows : bool
        Whether an epoch also draws windows from the older parts of histories longer than ``length``, as many as they
        hold; otherwise each person's latest only.
    averaging : float
        What the averaged weights, which answer, keep of themselves a step.
    epochs, every, patience : int
        Epochs at most; after how many the questions are asked; how often in a row they may be answered no better.
    random_state : int

    Attributes
    ----------
    light_ : LightSASRec
        The network as it answers.
    facts_ : dict
        Epochs trained, the best of them, and the figures by epoch.
    """

    def __init__(
        self,
        *,
        epochs: int = 60,
        every: int = 2,
        patience: int = 5,
        heads: int = HEADS,
        random_state: int = 0,
        **rest: Any,
    ) -> None:
        self.epochs = epochs
        self.every = every
        self.patience = patience
        self.heads = heads
        self.random_state = random_state
        self.rest = rest

    def fit(
        self,
        sequences: Sequences,
        *,
        question: Question | None = None,
        checkpoint: Path | None = None,
        tell: Callable[[str], None] = lambda said: None,
    ) -> Self:
        """Learn; by default the newest items of some people are held back and asked for.

        With ``checkpoint``, a file, a training that was interrupted goes on from its last epoch.
        """
        # Torch, which answering does without.
        from mlengine.estimators.sasrec_training import Recipe, Training  # noqa: PLC0415

        if question is None:
            sequences, question = held_back(sequences, self.random_state)
        rest = {"negatives": _drawn_among(sequences.n_items)} | self.rest
        recipe = Recipe(heads=self.heads, random_state=self.random_state, **rest)
        training = Training.resumed(checkpoint, recipe, sequences) if checkpoint else Training.new(recipe, sequences)
        while training.epoch < self.epochs and training.asked_in_vain < self.patience:
            began = monotonic()
            loss = training.run_epoch(sequences)
            seconds = monotonic() - began
            if training.epoch % self.every == 0 or training.epoch == self.epochs:
                ndcg = training.ask(sequences, question.people, question.wanted)
                tell(f"epoch {training.epoch} ({seconds:.0f} s): loss {loss:.4f}, ndcg_at_10 held back {ndcg:.4f}")
            if checkpoint:
                training.save(checkpoint)
        self.light_ = LightSASRec(arrays=training.answering(), heads=self.heads)
        self.facts_ = {"epochs": training.epoch, **training.notes}
        return self

    def score(self, sequences: Sequences, people: Ints) -> Scores:
        """Return (n, n_items) scores; −inf for people without a history."""
        return self.light_.scores(sequences.last(self.light_.length, people))

    def because(self, sequences: Sequences, people: Ints, items: Ints) -> Ints:
        """Return which of each person's ten newest items, taken away, lowers the score of the item beside them most.

        −1 where none lowers it.
        """
        asked, place = np.unique(people, return_inverse=True)
        found = np.full(len(people), -1, dtype=np.int64)
        for start in range(0, len(asked), _PEOPLE_EXPLAINED):
            part = np.flatnonzero((place >= start) & (place < start + _PEOPLE_EXPLAINED))
            last = sequences.last(min(LOOKED_AT, self.light_.length), asked[start : start + _PEOPLE_EXPLAINED])
            row = place[part] - start
            added = np.einsum("plw,pw->pl", self.light_.occluded(last)[row], self.light_.items[items[part]])
            best = added.argmax(axis=1)
            found[part] = np.where(added[np.arange(len(part)), best] > 0, last[row, best], -1)
        return found

    def save(self, directory: Path) -> None:
        """Keep the network as it answers, and how it came about."""
        self.light_.save(directory)
        (directory / _FACTS).write_text(json.dumps(self.facts_, indent=1))

    def restore(self, directory: Path) -> Self:
        """Take up a network that was kept."""
        self.light_ = LightSASRec.load(directory, self.heads)
        self.facts_ = json.loads((directory / _FACTS).read_text())
        return self


def _drawn_among(n_items: int) -> int:
    return 0 if n_items <= _ALL_COMPETE else _DRAWN


def held_back(sequences: Sequences, random_state: int) -> tuple[Sequences, Question]:
    """Take the newest item of some people with a history out of what is learned from, as questions.

    Only of people who had not taken it before: what was taken is not ranked.
    """
    able = np.flatnonzero(sequences.lengths >= _HISTORY_OF_THE_ASKED)
    able = able[~sequences.without_last().took(able, sequences.item[sequences.ends[able] - 1])]
    n = min(_PEOPLE_ASKED, len(able) // 5)
    people = np.sort(np.random.default_rng(random_state).choice(able, n, replace=False))
    wanted = sequences.item[sequences.ends[people] - 1]
    kept = np.ones(len(sequences.item), bool)
    kept[sequences.ends[people] - 1] = False
    return sequences.keeping(kept), Question(people, wanted)
