"""social: which ten items does each person take that they have not taken yet, where it is known who their friends are?

Columns: ``user`` and ``item`` (any values), ``part`` (0 or train, 2 or test; 1 or validation if there is one), and
``friend``: a row with a friend and no item says that the two know each other, in both directions.

Protocol, metrics and estimators are those of ``top_k``; without a validation part a fifth of each person's items in the
train part is drawn by the seed to choose by. Two more: ``tastes`` stands for people's own purchases alone, and
``friends`` adds to it a part of what the tastes of a person's friends are on average, a part that is chosen too.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import polars as pl
from scipy import sparse

from mlengine.benchmarks import Asked, BadFile, Line, as_words
from mlengine.benchmarks.top_k import Run, lines
from mlengine.benchmarks.top_k_parts import CHOICES, Cut, cut_by_part, cut_by_person, numbered
from mlengine.estimators.social import friends_share, with_friends
from mlengine.interactions import Ints, Matrix

COLUMNS: Final = ("user", "item", "part", "friend")
ESTIMATORS: Final = (*CHOICES, "tastes", "friends")
OPTIONS: Final = ()
STRENGTHS: Final = (0.0, 0.05, 0.1, 0.2, 0.3)
PROTOCOL: Final = (
    "the file's own test part, all items ranked but those seen, k = 10, chosen by NDCG on a fifth of the train part by "
    "seed, then learned from all of it; 95 % by bootstrap over people"
)


def run(frame: pl.DataFrame, asked: Asked) -> Iterator[Line]:
    """Yield four lines for each estimator."""
    seed = asked.seeds[0] if asked.seeds else 42
    took = frame.filter(pl.col("item").is_not_null())
    if took.is_empty():
        raise BadFile("The file has no row with an item.")
    pairs, shape = numbered(took.select("user", "item", "part"))
    friends = _friends(frame, took["user"])
    found = FriendsRun(_cut(pairs, shape, seed), friends, asked, f"seed {seed}")
    for name in (*CHOICES, "tastes", "friends"):
        if asked.wants(name):
            yield from asked.unless_refused(name, lines("social", name, [found], PROTOCOL, (seed,)))


class FriendsRun(Run):
    """One cut, and who knows whom."""

    def __init__(self, cut: Cut, friends: Matrix, asked: Asked, key: str) -> None:
        everybody = replace(asked, options={**asked.options, "people": str(cut.train.shape[0])})
        super().__init__(cut, everybody, f"{key}, everybody scored")
        self.friends = friends

    def _scored(self) -> list[Ints]:
        # A friend counts whether or not she is judged herself: who has a test part may not be known to any model.
        return [np.arange(self.cut.train.shape[0])] * 2

    def _judged(self, name: str) -> dict[str, list[float]]:
        if name != "friends":
            return super()._judged(name)
        strength = self.asked.checkpoints.once(f"strength, {self.key}", self._best_strength)
        return self._values(self._with_friends(strength, test=True))

    def _best_strength(self) -> float:
        tried = {s: self._on_validation(self._with_friends(s, test=False)) for s in STRENGTHS}
        return max(tried, key=lambda strength: tried[strength])

    def _with_friends(self, strength: float, *, test: bool) -> Any:
        return with_friends(self.tastes(test=test), friends_share(self.friends), strength)


def _cut(pairs: pl.DataFrame, shape: tuple[int, int], seed: int) -> Cut:
    of = cut_by_part(pairs, shape)
    if of.validation.nnz:
        return of
    drawn = cut_by_person(pairs.filter(pl.col("part") < 2), shape, seed, share=0.8)
    # Its "test" is the fifth that is set aside; both of the others are learned from.
    return Cut(train=drawn.known, validation=drawn.test, test=of.test)


def _friends(frame: pl.DataFrame, users: pl.Series) -> Matrix:
    rows = frame.filter(pl.col("item").is_null() & pl.col("friend").is_not_null()).select("user", "friend")
    # A column with gaps may have been read as another kind of number, or as words.
    alike = _compared(users.dtype, frame["friend"].dtype)
    rows = pl.DataFrame([alike(rows["user"]), alike(rows["friend"])])
    known = pl.DataFrame({"user": alike(users.unique().sort())}).with_row_index("n")
    placed = rows.join(known, on="user").join(known.rename({"user": "friend", "n": "m"}), on="friend")
    if placed.is_empty():
        raise BadFile("The file has no row with a friend and no item.")
    one, other = placed["n"].to_numpy(), placed["m"].to_numpy()
    both = np.r_[one, other], np.r_[other, one]
    made = sparse.csr_array((np.ones(len(both[0]), np.float32), both), shape=(len(known), len(known)))
    made.sum_duplicates()
    made.data[:] = 1.0
    return made


def _compared(users: pl.DataType, friends: pl.DataType) -> Callable[[pl.Series], pl.Series]:
    if users.is_numeric() and friends.is_numeric():
        return lambda values: values.cast(pl.Float64)
    return as_words
