"""What a top-k measurement is made of: people × items in three parts, and the scores of one estimator on them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from scipy import sparse

from mlengine.benchmarks import BadFile, as_words, check_filled
from mlengine.estimators.ease import Ease
from mlengine.estimators.ials import ImplicitALS
from mlengine.estimators.infinite import InfiniteAutoencoder
from mlengine.estimators.item_knn import ItemKNN
from mlengine.estimators.leading import leading
from mlengine.interactions import Bools, Floats, Ints, Matrix
from mlengine.metrics import ranking

K: Final = 10
MOST_CELLS: Final = 300_000_000  # people judged × items: 1.2 GB of scores
_PARTS: Final = {"0": 0, "1": 1, "2": 2, "0.0": 0, "1.0": 1, "2.0": 2, "train": 0, "validation": 1, "test": 2}
Scores = Any


@dataclass(frozen=True, kw_only=True)
class Cut:
    """People × items, 1 where a person took an item, apart for learning, choosing and judging."""

    train: Matrix
    validation: Matrix
    test: Matrix

    @property
    def known(self) -> Matrix:
        """What may be learned from once everything is chosen."""
        return sparse.csr_array(self.train + self.validation)


class Popular:
    """Every item by how many took it."""

    def fit(self, X: Matrix) -> "Popular":
        self.taken = np.asarray(X.sum(axis=0), dtype=np.float32)
        return self

    def score(self, X: Matrix) -> Scores:
        return np.tile(self.taken, (X.shape[0], 1))


# What each may choose from, on the validation part; ranges that are known to work from sparse to dense data.
CHOICES: Final[Mapping[str, tuple[Callable[..., Any], tuple[Mapping[str, Any], ...]]]] = {
    "popular": (Popular, ({},)),
    "item_knn": (ItemKNN, ({"min_common": 1},)),
    "ease_plain": (Ease, ({"l2": 200.0}, {"l2": 400.0}, {"l2": 1000.0})),
    "ease": (
        Ease,
        (
            {"l2": 50.0, "by_item": 0.5},
            {"l2": 300.0, "by_item": 0.3, "by_person": 0.3},
            {"l2": 600.0, "by_item": 0.4, "by_person": 0.3},
        ),
    ),
    "infinite": (InfiniteAutoencoder, ({"l2": 2.0}, {"l2": 4.0, "by_item": 0.3}, {"l2": 8.0})),
    "ials": (
        ImplicitALS,
        (
            {"factors": 128, "alpha": 0.03, "l2": 0.02, "iterations": 10},
            {"factors": 64, "alpha": 0.2, "l2": 0.02, "iterations": 10},
            {"factors": 128, "alpha": 0.5, "l2": 0.004, "iterations": 10},
        ),
    ),
}
TASTES: Final = ("ease", "infinite", "ials")
SHARES: Final = (
    (1.0, 1.0, 1.0), (1.0, 1.0, 0.0), (1.0, 1.0, 0.5), (1.0, 0.0, 1.0), (0.0, 1.0, 1.0), (0.0, 0.5, 1.0),
    (0.3, 0.3, 1.0), (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0),
)  # fmt: skip


def numbered(frame: pl.DataFrame) -> tuple[pl.DataFrame, tuple[int, int]]:
    """Return the file's pairs once each, people and items numbered by rank; a pair counts for its earliest part."""
    asked = [name for name in ("user", "item", "part") if name in frame.columns]
    check_filled(frame, asked)
    ranked = frame.select(
        *(pl.col(name).rank("dense").cast(pl.Int64) - 1 for name in ("user", "item")), *map(pl.col, asked[2:])
    )
    if "part" in asked:
        words = as_words(ranked["part"].cast(pl.Float64) if ranked["part"].dtype.is_decimal() else ranked["part"])
        odd = sorted(set(words.unique()) - set(_PARTS))
        if odd:
            raise BadFile(f"part is {', '.join(odd[:5])}{', …' if odd[5:] else ''}; known are {', '.join(_PARTS)}.")
        ranked = ranked.with_columns(part=words.replace_strict(_PARTS, return_dtype=pl.Int64)).sort("part")
    pairs = ranked.unique(["user", "item"], keep="first", maintain_order=True).sort("user", "item")
    shape = (int(ranked["user"].max()) + 1, int(ranked["item"].max()) + 1)  # type: ignore[arg-type]
    return pairs, shape


def cut_by_part(pairs: pl.DataFrame, shape: tuple[int, int]) -> Cut:
    """Return the parts that the file names."""
    of = [_matrix(pairs.filter(pl.col("part") == part), shape) for part in range(3)]
    return Cut(train=of[0], validation=of[1], test=of[2])


def cut_by_person(pairs: pl.DataFrame, shape: tuple[int, int], seed: int, share: float = 0.75) -> Cut:
    """Return a share of each person's items to learn from, and of these 15 % to choose by.

    As few as will do: what is best for less data is not best for all of it.
    """
    draw = np.random.default_rng(seed)
    learn = _first_of_each(pairs["user"].to_numpy(), share, draw)
    known = pairs.filter(pl.Series(learn))
    train = _first_of_each(known["user"].to_numpy(), 0.85, draw)
    parts = known.filter(pl.Series(train)), known.filter(pl.Series(~train)), pairs.filter(pl.Series(~learn))
    return Cut(**dict(zip(("train", "validation", "test"), (_matrix(part, shape) for part in parts), strict=True)))


def judged(scores: Scores, seen: Matrix, wanted: Matrix) -> tuple[Bools, Ints]:
    """Return hits among the best ten that were not seen, and how many were wanted, of each row."""
    scores[seen.nonzero()] = -np.inf
    return ranking.hits(leading(scores, K)[0], wanted), np.diff(wanted.indptr)


def measures(hit: Bools, wanted: Ints) -> dict[str, Floats]:
    """Return each person's value by metric; MAP divides by how many items were wanted."""
    places = np.arange(1, K + 1)
    return {
        "ndcg_at_10": ranking.ndcg(hit, wanted, K),
        "map_at_10": np.asarray((hit * np.cumsum(hit, axis=1) / places).sum(axis=1) / wanted),
        "precision_at_10": hit.mean(axis=1),
        "recall_at_10": np.asarray(hit.sum(axis=1) / wanted),
    }


def people_asked(wanted: Matrix, most: int, seed: int) -> Ints:
    """Return the rows of people with something to find, at most so many of them."""
    there = np.flatnonzero(np.diff(wanted.indptr))
    if len(there) > most:
        there = np.sort(np.random.default_rng(seed).choice(there, most, replace=False))
    return there


def _first_of_each(user: Ints, share: float, draw: np.random.Generator) -> Bools:
    """Return a random ``share`` of each person's rows; rows are sorted by person."""
    order = np.lexsort((draw.random(len(user)), user))
    place = np.arange(len(user)) - np.searchsorted(user, user)
    found = np.zeros(len(user), bool)
    found[order] = place < np.round(share * np.bincount(user)[user])
    return found


def _matrix(pairs: pl.DataFrame, shape: tuple[int, int]) -> Matrix:
    place = pairs["user"].to_numpy(), pairs["item"].to_numpy()
    return sparse.csr_array((np.ones(len(pairs), np.float32), place), shape=shape)
