"""The estimators of the task next_item: functions from a split to how many items each ranks above the right one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from mlengine.benchmarks import Asked, BadFile
from mlengine.estimators.rerank import Rerank, Scored
from mlengine.estimators.sasrec import Question, SASRec
from mlengine.estimators.sequences import Sequences
from mlengine.estimators.transitions import Transitions
from mlengine.interactions import Floats, Ints

_PEOPLE_AT_ONCE: Final = 256
_LONG: Final = 50  # items; SASRec's own papers look at 200 of MovieLens' histories and at 50 of Amazon's


@dataclass(frozen=True, kw_only=True)
class Split:
    """Everybody's histories to learn from, to choose by and to be tested on, and what comes after the last two.

    Attributes
    ----------
    train, known : Sequences
        Without the last two items, and without the last.
    people : int64 array
        Who is asked.
    validation, test : int64 arrays
        The column each of them took after ``train``, and after ``known``.
    """

    train: Sequences
    known: Sequences
    people: Ints
    validation: Ints
    test: Ints

    @classmethod
    def of(cls, everything: Sequences) -> Self:
        people = np.flatnonzero(everything.lengths >= 3)
        asked = np.isin(everything.person, people)
        place = everything.ends[everything.person] - np.arange(len(everything.item))  # 1 is the newest
        last = everything.last(2, people)
        return cls(
            train=everything.keeping(~asked | (place > 2)),
            known=everything.keeping(~asked | (place > 1)),
            people=people,
            validation=last[:, 0],
            test=last[:, 1],
        )


def above(score: Scored, histories: Sequences, people: Ints, wanted: Ints) -> Floats:
    """Return how many items not taken before are ranked above each person's wanted one; those level with it half.

    What is no number is no answer: a wanted item without a score comes last, a rival without one before it.
    """
    found = np.empty(len(people))
    for start in range(0, len(people), _PEOPLE_AT_ONCE):
        rows, right = people[start : start + _PEOPLE_AT_ONCE], wanted[start : start + _PEOPLE_AT_ONCE]
        scores = score(histories, rows)
        own = scores[np.arange(len(rows)), right][:, None]
        rivals = np.ones(scores.shape, bool)
        rivals[histories.taken[rows].nonzero()] = False
        rivals[np.arange(len(rows)), right] = False
        higher, level = rivals & ~(scores <= own), rivals & (scores == own)
        found[start : start + len(rows)] = higher.sum(1) + level.sum(1) / 2
    return found


def ndcg(found: Floats) -> float:
    """Return the mean NDCG@10 from how many items rank above."""
    return float(np.where(found < 10, 1.0 / np.log2(found + 2.0), 0.0).mean())


def popular(split: Split, asked: Asked, seed: int) -> Floats:
    """Rank by how many took an item."""
    taken = np.bincount(split.known.item, minlength=split.known.n_items).astype(float)
    return above(lambda _, rows: np.tile(taken, (len(rows), 1)), split.known, split.people, split.test)


def transitions(split: Split, asked: Asked, seed: int) -> Floats:
    """Count with the parameters that answer the validation items best, then anew with those items."""
    model = Transitions(**chosen_transitions(split, asked)).fit(split.known)
    return above(model.score, split.known, split.people, split.test)


def chosen_transitions(split: Split, asked: Asked) -> dict[str, Any]:
    """Return the parameters of transitions, chosen on the validation items."""

    def choose() -> dict[str, Any]:
        figures = []
        for window, damping in product((1, 3, 5), (0.3, 0.5, 0.7)):
            tried: dict[str, Any] = {"window": window, "damping": damping}
            model = Transitions(**tried).fit(split.train)
            figures.append((ndcg(above(model.score, split.train, split.people, split.validation)), tried))
        return max(figures, key=lambda figure: figure[0])[1]

    found: dict[str, Any] = asked.checkpoints.once("parameters of transitions", choose)
    return found


def sasrec(split: Split, asked: Asked, seed: int) -> Floats:
    """Rank by SASRec with the softmax over all items."""
    model = trained(split, asked, seed)
    return above(model.score, split.known, split.people, split.test)


def gsasrec(split: Split, asked: Asked, seed: int) -> Floats:
    """Rank by SASRec with gSASRec's loss."""
    model = trained(split, asked, seed, loss="gbce", negatives=min(256, split.train.n_items - 1))
    return above(model.score, split.known, split.people, split.test)


def blend(split: Split, asked: Asked, seed: int) -> Floats:
    """Rank by LambdaMART over the others' scores: learned on the validation items, which none of them has seen."""
    network = trained(split, asked, seed)
    model = Rerank(random_state=seed).fit(
        _recommenders(network, split.train, split, asked), split.train, split.people, split.validation
    )
    recommenders = _recommenders(network, split.known, split, asked)
    return above(
        lambda histories, rows: model.score(recommenders, histories, rows), split.known, split.people, split.test
    )


def _recommenders(network: SASRec, learned_from: Sequences, split: Split, asked: Asked) -> dict[str, Scored]:
    """Return what is blended: the network, what follows closely, and what goes together in a whole history."""
    closely = Transitions(**chosen_transitions(split, asked)).fit(learned_from)
    widely = Transitions(last=50, decay=0.95, window=20, fading=0.95, damping=0.5).fit(learned_from)
    return {"sasrec": network.score, "closely": closely.score, "widely": widely.score}


def trained(split: Split, asked: Asked, seed: int, **loss: Any) -> SASRec:
    """Return the network, from its checkpoint where it was trained, or was being trained, before."""
    recipe = recipe_for(split.train) | loss | {name: OF_THE_NETWORK[name](asked) for name in asked.options}
    if recipe["width"] % recipe.get("heads", 2):
        raise BadFile(f"width={recipe['width']} cannot be shared out to {recipe.get('heads', 2)} heads.")
    file: Path = asked.checkpoints.path(f"training of SASRec, seed {seed}, {sorted(recipe.items())}", ".safetensors")
    log = file.with_suffix(".log")

    def tell(said: str) -> None:
        with log.open("a", encoding="utf-8") as lines:
            lines.write(said + "\n")

    question = Question(split.people, split.validation)
    return SASRec(random_state=seed, **recipe).fit(split.train, question=question, checkpoint=file, tell=tell)


def recipe_for(sequences: Sequences) -> dict[str, Any]:
    """Return the published recipe for histories as long as these: long ones carry a larger network, held back less."""
    lengths = sequences.lengths[sequences.lengths > 0]
    if lengths.mean() > _LONG:
        return {"width": 128, "length": 200, "dropout": 0.25, "epochs": 150, "patience": 8, "averaging": 0.998}
    return {"width": 128, "length": _LONG, "dropout": 0.5, "epochs": 60, "patience": 5}


def _whole(name: str, least: int = 1, most: int = 100_000) -> Callable[[Asked], Any]:
    return lambda asked: asked.whole(name, least, least=least, most=most)


def _share(name: str) -> Callable[[Asked], Any]:
    return lambda asked: asked.share(name, 0.0)


# What of SASRec may be set, and how it is read.
OF_THE_NETWORK: Final[Mapping[str, Callable[[Asked], Any]]] = {
    **{name: _whole(name) for name in ("length", "epochs", "every", "patience", "places")},
    "width": _whole("width", most=4096),
    **{name: _whole(name, most=64) for name in ("blocks", "heads")},
    **{name: _whole(name, 0) for name in ("negatives", "warm_up")},
    **{name: _share(name) for name in ("dropout", "averaging", "calibration", "learning_rate")},
}

Model = Callable[[Split, Asked, int], Floats]

MODELS: Final[Mapping[str, Model]] = {
    "popular": popular,
    "transitions": transitions,
    "sasrec": sasrec,
    "gsasrec": gsasrec,
    "blend": blend,
}
