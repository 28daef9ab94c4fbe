"""What several recommenders of sequences propose, ranked anew: LambdaMART over their scores and context.

Burges 2010, by LightGBM. It learns from people whose next item is known and which none of the recommenders has seen.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from mlengine.estimators.leading import leading
from mlengine.estimators.recommender import Scores
from mlengine.estimators.sequences import Sequences
from mlengine.interactions import Bools, Floats, Ints

Scored = Callable[[Sequences, Ints], Scores]
Table = npt.NDArray[np.float32]

_TREES: Final = "trees.txt"
_PEOPLE_AT_ONCE: Final = 256
_JUDGES: Final = 5  # one person in so many decides how many trees
_PATIENCE: Final = 60  # trees
_ROUNDS_UNJUDGED: Final = 30  # where people are too few to keep some aside
_RECENT: Final = 5  # items of everybody's history that are what is taken lately
_NOT_AMONG_THEM: Final = np.nan
_BOOSTING: Final[dict[str, Any]] = {
    "objective": "lambdarank",
    "metric": "ndcg",
    "eval_at": [10],
    "lambdarank_truncation_level": 15,
    "num_leaves": 15,
    "learning_rate": 0.03,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 20.0,
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "verbose": -1,
}


class Rerank:
    """The items that each recommender holds to be best, in the order that trees make of all their scores.

    Parameters
    ----------
    depth : int
        How many of each recommender's best take part.
    most_people : int
        As many, drawn, are learned from at most.
    rounds : int
        Trees at most; people kept aside say when more do not help.
    random_state : int

    Attributes
    ----------
    trees_ : lightgbm.Booster or None
        None where nobody could be learned from: the first recommender's order is kept.
    """

    def __init__(self, *, depth: int = 100, most_people: int = 8_000, rounds: int = 400, random_state: int = 0) -> None:
        self.depth = depth
        self.most_people = most_people
        self.rounds = rounds
        self.random_state = random_state

    def fit(self, recommenders: Mapping[str, Scored], histories: Sequences, people: Ints, wanted: Ints) -> Self:
        """Learn which of the proposed items each person took next; who took none of them teaches nothing."""
        random = np.random.default_rng(self.random_state)
        drawn = random.permutation(len(people))[: self.most_people]
        parts = [self._examples(recommenders, histories, people[rows], wanted[rows]) for rows in _chunks(drawn)]
        parts = [part for part in parts if len(part[0])]
        if not parts:
            self.trees_: lgb.Booster | None = None
            return self
        judges = len(parts) // _JUDGES
        stop: list[Callable[..., Any]] = [lgb.early_stopping(_PATIENCE, verbose=False)] if judges else []
        self.trees_ = lgb.train(
            _BOOSTING | {"seed": self.random_state},
            _dataset(parts[judges:]),
            num_boost_round=self.rounds if judges else _ROUNDS_UNJUDGED,
            valid_sets=[_dataset(parts[:judges])] if judges else None,
            callbacks=stop,
        )
        return self

    def score(self, recommenders: Mapping[str, Scored], histories: Sequences, people: Ints) -> Scores:
        """Return (n, n_items) scores; −inf of what no recommender proposes."""
        proposed, table = self._table(recommenders, histories, people)
        scores = np.full(proposed.shape, -np.inf)
        if len(table):
            scores[proposed] = self.trees_.predict(table, num_threads=1) if self.trees_ else np.nan_to_num(table[:, 0])
        return scores

    @property
    def trees(self) -> int:
        """How many trees rank."""
        return self.trees_.num_trees() if self.trees_ else 0

    def save(self, directory: Path) -> None:
        """Keep the trees, if there are any."""
        if self.trees_:
            self.trees_.save_model(directory / _TREES)

    def restore(self, directory: Path) -> Self:
        """Take up what was kept."""
        file = directory / _TREES
        self.trees_ = lgb.Booster(model_file=file) if file.exists() else None
        return self

    def _examples(
        self, recommenders: Mapping[str, Scored], histories: Sequences, people: Ints, wanted: Ints
    ) -> tuple[Table, Floats, Ints]:
        """Return rows, 1 where the person took the item, and how many rows each person has; of who took one of them."""
        proposed, table = self._table(recommenders, histories, people)
        right = np.zeros(proposed.shape, bool)
        right[np.arange(len(people)), wanted] = True
        taught = (right & proposed).any(axis=1)
        kept = np.repeat(taught, proposed.sum(axis=1))
        return table[kept], right[proposed][kept].astype(float), proposed.sum(axis=1)[taught]

    def _table(self, recommenders: Mapping[str, Scored], histories: Sequences, people: Ints) -> tuple[Bools, Table]:
        """Return which (person, item) are proposed, and a row for each of them, in that order."""
        every = {name: np.array(score(histories, people), dtype=np.float64) for name, score in recommenders.items()}
        proposed = np.zeros((len(people), histories.n_items), bool)
        columns = []
        for scores in every.values():
            scores[histories.taken[people].nonzero()] = -np.inf
            best, _ = leading(scores, self.depth)
            row, rank = np.nonzero(best >= 0)
            proposed[row, best[row, rank]] = True
        for scores in every.values():
            columns += _columns(scores, proposed, self.depth)
        columns += [column[np.nonzero(proposed)] for column in _context(histories, people)]
        return proposed, np.column_stack(columns).astype(np.float32)


def _columns(scores: Scores, proposed: Bools, depth: int) -> list[Floats]:
    """Return of the proposed: how far below the person's best a score is, its share of all, and its rank."""
    best = scores.max(axis=1, keepdims=True)
    best = np.where(np.isfinite(best), best, 0.0)
    below = scores - best
    total = np.log(np.exp(below).sum(axis=1, keepdims=True) + 1e-300)
    ranks = np.full(scores.shape, _NOT_AMONG_THEM)
    items, _ = leading(scores, depth)
    row, rank = np.nonzero(items >= 0)
    ranks[row, items[row, rank]] = rank
    finite = np.where(np.isfinite(below), below, _NOT_AMONG_THEM)
    return [finite[proposed], (finite - total)[proposed], ranks[proposed]]


def _context(histories: Sequences, people: Ints) -> list[Floats]:
    """Return people × items: how many took an item, how many lately, and how long the person's history is."""
    taken = np.bincount(histories.item, minlength=histories.n_items)
    last = histories.last(_RECENT)
    lately = np.bincount(last[last >= 0], minlength=histories.n_items)
    shape = (len(people), histories.n_items)
    return [
        np.broadcast_to(np.log1p(taken), shape),
        np.broadcast_to(np.log1p(lately) - np.log1p(taken), shape),
        np.broadcast_to(np.log1p(histories.lengths[people])[:, None], shape),
    ]


def _chunks(rows: Ints) -> list[Ints]:
    return [rows[start : start + _PEOPLE_AT_ONCE] for start in range(0, len(rows), _PEOPLE_AT_ONCE)]


def _dataset(parts: list[tuple[Table, Floats, Ints]]) -> lgb.Dataset:
    table, right, groups = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return lgb.Dataset(table, right, group=groups, free_raw_data=False)
