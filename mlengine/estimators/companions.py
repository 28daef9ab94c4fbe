"""Companions: which items go with an item, by baskets, by people, and by what is looked at next."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import narwhals as nw
import numpy as np
import polars as pl
from scipy import sparse

from mlengine.anonymity.tidying import FLOOR
from mlengine.columns import ITEM, KIND, OCCURRED_AT, RANK, SCORE, SESSION, USER, Log
from mlengine.estimators.item_knn import ItemKNN
from mlengine.estimators.recommender import read_parameters, write_parameters
from mlengine.interactions import Floats, Interactions, Ints, Matrix, interactions
from mlengine.metrics import ranking
from mlengine.specs import Measure, NotEnoughData

OTHER: Final = "other"
PEOPLE: Final = "people"
TOGETHER, SIMILAR, NEXT = "together", "similar", "next"
KINDS: Final = (TOGETHER, SIMILAR, NEXT)
LOOKED_AT: Final = ("view", "cart", "purchase")
_AHEAD, _FADES = 5, 0.8  # of a sequence: so many items ahead count, each step this much less
_FEW = FLOOR  # fewer common people than this are chance, and would also tell who they are
_PAIRS_AT_ONCE = 20_000
_ARRAYS = "links.npz"
_QUESTIONS = 3000


class LinkTable:
    """What was learned: for each kind the ids of items and others, strength and common people, item by item."""

    def __init__(self, links: Mapping[str, tuple[Ints, Ints, Floats, Ints]]) -> None:
        self.links = links

    def save(self, directory: Path) -> None:
        write_parameters(directory, {"kinds": sorted(self.links)})
        arrays: dict[str, Any] = {
            f"{kind}_{n}": part for kind, parts in self.links.items() for n, part in enumerate(parts)
        }
        np.savez_compressed(directory / _ARRAYS, **arrays)

    @classmethod
    def load(cls, directory: Path) -> Self:
        with np.load(directory / _ARRAYS, allow_pickle=False) as kept:
            names = read_parameters(directory)["kinds"]
            return cls({kind: (*(kept[f"{kind}_{n}"] for n in range(4)),) for kind in names})

    @property
    def facts(self) -> Mapping[str, Any]:
        return {f"links: {kind}": len(parts[0]) for kind, parts in self.links.items()}


class Companions:
    """Cosines between items with shrinkage (Sarwar et al. 2001), over baskets, over people, and along sequences.

    Along a sequence (one session, told apart by time) the pairs have a direction, and one ``d`` steps ahead counts
    0.8 to the power of ``d − 1``. Only pairs that ten people have in common are told.

    Parameters
    ----------
    horizon, activity_window : timedelta
        Baskets within the horizon after a cutoff judge; the second is not used.
    k : int
        How many others each item gets.
    min_buyers : int
        Items with fewer buyers are left out.
    by : str
        ``cosine``, or ``popular``: the baseline that gives every item what is bought most.
    """

    def __init__(
        self, *, horizon: timedelta, activity_window: timedelta, k: int = 20, min_buyers: int = 5, by: str = "cosine"
    ) -> None:
        self.horizon = horizon
        self.activity_window = activity_window
        self.k = k
        self.min_buyers = min_buyers
        self.by = by

    def fit(self, log: Log, cutoff: datetime) -> LinkTable:
        """Learn from what was bought, and looked at, before the cutoff.

        Raises
        ------
        NotEnoughData
            No two items have enough in common.
        """
        x = interactions(log, cutoff)
        told = np.flatnonzero(x.buyers >= self.min_buyers)
        if len(told) < 2:
            raise NotEnoughData(f"Companions need 2 items with {self.min_buyers} buyers (there are {len(told)}).")
        people = sparse.csr_array(x.bought[:, told])
        if self.by == "popular":
            return LinkTable({TOGETHER: _popular(people, x.items[told], self.k)})
        found = {TOGETHER: _alike(_baskets(x, told), self.k), SIMILAR: _alike(people, self.k)}
        links = {kind: _named(matrix, people, x.items[told]) for kind, matrix in found.items()}
        return LinkTable(links | {NEXT: _followers(log, cutoff, self.min_buyers, self.k)})

    def predict(self, model: LinkTable, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return item, kind, rank (from 1), other, score and people: what was learned, whoever asks when."""
        parts = [
            pl.DataFrame(
                {ITEM: item, KIND: np.full(len(item), kind), RANK: _ranks(item), OTHER: other, SCORE: s, PEOPLE: n},
                schema={ITEM: pl.Int64, KIND: pl.String, RANK: pl.Int64, OTHER: pl.Int64, SCORE: pl.Float64}
                | {PEOPLE: pl.Int64},
            )
            for kind, (item, other, s, n) in model.links.items()
        ]
        return nw.from_native(pl.concat(parts), eager_only=True)

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge ``together`` by baskets after the cutoff: asked by one item of each, which others lie in it.

        Up to 3,000 baskets, evenly spread; the catalogue is what was bought before the cutoff.
        """
        first = predictions.filter((nw.col(KIND) == TOGETHER) & (nw.col(RANK) <= 10))
        catalogue = np.unique(interactions(log, cutoff).items)
        asked, wanted = _questions(log, cutoff, cutoff + self.horizon, catalogue)
        lists = np.full((len(catalogue), 10), -1, dtype=np.int64)
        item, other, rank = (first[name].to_numpy() for name in (ITEM, OTHER, RANK))
        there = np.isin(item, catalogue) & np.isin(other, catalogue)
        lists[np.searchsorted(catalogue, item[there]), rank[there] - 1] = np.searchsorted(catalogue, other[there])
        hit, n_wanted = ranking.hits(lists[asked], wanted), np.diff(wanted.indptr)
        return {
            "ndcg_at_10": ranking.mean_with_interval(ranking.ndcg(hit, n_wanted)),
            "recall_at_10": ranking.mean_with_interval(ranking.recall(hit, n_wanted)),
            "coverage": Measure(value=ranking.coverage(lists, len(catalogue))),
        }

    def baselines(self) -> Mapping[str, "Companions"]:
        return {"popular": Companions(**{**vars(self), "by": "popular"})}

    def load(self, directory: Path) -> LinkTable:
        return LinkTable.load(directory)


def _baskets(x: Interactions, columns: Ints) -> Matrix:
    """Return baskets × items, 1 where the basket holds the item."""
    place = np.full(x.shape[1], -1)
    place[columns] = np.arange(len(columns))
    kept = place[x.item] >= 0
    names, row = np.unique(x.basket[kept], return_inverse=True)
    made = sparse.csr_array((np.ones(len(row)), (row, place[x.item[kept]])), shape=(len(names), len(columns)))
    made.sum_duplicates()
    made.data[:] = 1.0
    return made


def _alike(X: Matrix, k: int) -> Matrix:
    # Each item keeps more than are told, since pairs of too few people fall out afterwards.
    return ItemKNN(neighbours=2 * k, shrink=10.0, min_common=_FEW).fit(X).similarity_


def _named(matrix: Matrix, people: Matrix, items: Ints, k: int = 20) -> tuple[Ints, Ints, Floats, Ints]:
    """Return the pairs that enough people have in common, by ids, each item's strongest first."""
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    column, value = matrix.indices.astype(np.int64), matrix.data
    common = _common(people, row, column)
    kept = np.flatnonzero(common >= _FEW)
    return _sorted(items[row[kept]], items[column[kept]], value[kept], common[kept], k)


def _common(people: Matrix, one: Ints, other: Ints) -> Ints:
    """Return how many people have both of each pair."""
    by_item = sparse.csr_array(people.T)
    parts = [
        np.asarray(
            by_item[one[at : at + _PAIRS_AT_ONCE]].multiply(by_item[other[at : at + _PAIRS_AT_ONCE]]).sum(axis=1)
        )
        for at in range(0, len(one), _PAIRS_AT_ONCE)
    ]
    return np.concatenate([part.ravel() for part in parts] or [np.empty(0, np.int64)]).astype(np.int64)


def _sorted(item: Ints, other: Ints, value: Floats, people: Ints, k: int) -> tuple[Ints, Ints, Floats, Ints]:
    order = np.lexsort((other, -value, item))
    item, other, value, people = item[order], other[order], value[order], people[order]
    kept = _ranks(item) <= k
    return item[kept], other[kept], value[kept], people[kept]


def _ranks(item: Ints) -> Ints:
    """Return each row's place among those of its item, from 1; items lie together.

    >>> _ranks(np.array([4, 4, 7])).tolist()
    [1, 2, 1]
    """
    changed = np.r_[True, item[1:] != item[:-1]][: len(item)]
    starts = np.flatnonzero(changed)
    return np.arange(len(item)) - np.repeat(starts, np.diff(np.r_[starts, len(item)])) + 1


def _popular(people: Matrix, items: Ints, k: int) -> tuple[Ints, Ints, Floats, Ints]:
    buyers = np.bincount(people.indices, minlength=len(items))
    most = np.argsort(-buyers, kind="stable")[: k + 1]
    row, column = np.repeat(np.arange(len(items)), len(most)), np.tile(most, len(items))
    row, column = row[row != column], column[row != column]
    return _sorted(items[row], items[column], buyers[column].astype(float), buyers[column], k)


def _followers(log: Log, cutoff: datetime, min_buyers: int, k: int) -> tuple[Ints, Ints, Floats, Ints]:
    """Return what people look at after an item in one session, where times tell what came first."""
    seen = _sequences(log, cutoff)
    steps = [_ahead(seen, distance) for distance in range(1, _AHEAD + 1)]
    pairs = pl.concat(steps).group_by(ITEM, OTHER).agg(pl.col("weight").sum(), pl.col(USER).n_unique().alias(PEOPLE))
    told = pairs.filter(pl.col(PEOPLE) >= max(_FEW, min_buyers - 2))
    leaves, comes = (dict(pairs.group_by(name).agg(pl.col("weight").sum()).iter_rows()) for name in (ITEM, OTHER))
    item, other = told[ITEM].to_numpy(), told[OTHER].to_numpy()
    out, into = np.array([leaves[i] for i in item.tolist()]), np.array([comes[i] for i in other.tolist()])
    value = told["weight"].to_numpy() / (np.sqrt(out * into) + 10.0 if len(item) else 1.0)
    return _sorted(item, other, value, told[PEOPLE].to_numpy().astype(np.int64), k)


def _sequences(log: Log, cutoff: datetime) -> pl.DataFrame:
    """Return what was looked at, session by session in time; of what happened at one moment nothing comes first."""
    wanted = nw.col(KIND).is_in(LOOKED_AT) & ~nw.col(ITEM).is_null() & ~nw.col(SESSION).is_null()
    events = log.until(cutoff).events.filter(wanted).select(USER, ITEM, SESSION, OCCURRED_AT)
    found: pl.DataFrame = events.collect("polars").to_native()
    alone = found.select(pl.len().over(USER, SESSION, OCCURRED_AT) == 1).to_series()
    return found.filter(alone).sort(USER, SESSION, OCCURRED_AT)


def _ahead(seen: pl.DataFrame, distance: int) -> pl.DataFrame:
    later = seen.select(
        USER,
        ITEM,
        pl.col(ITEM).shift(-distance).over(USER, SESSION).alias(OTHER),
        pl.lit(_FADES ** (distance - 1)).alias("weight"),
    )
    return later.filter(pl.col(OTHER).is_not_null() & (pl.col(OTHER) != pl.col(ITEM)))


def _questions(log: Log, start: datetime, end: datetime, catalogue: Ints) -> tuple[Ints, Matrix]:
    """Return one item (a column) of each basket asked about, and the others as baskets × items."""
    later = interactions(log, end)
    days = (end - start) / timedelta(days=1)
    new = (later.age <= days) & np.isin(later.items[later.item], catalogue)
    column = np.searchsorted(catalogue, later.items[later.item[new]])
    for together in (later.basket, later.user):  # where baskets hold one item each, people's months judge
        names, row, size = np.unique(together[new], return_inverse=True, return_counts=True)
        several = np.flatnonzero(size > 1)
        if len(several):
            break
    if not len(several):
        raise NotEnoughData(f"No basket of two known items from {start:%Y-%m-%d} to {end:%Y-%m-%d}.")
    chosen = several[:: max(1, len(several) // _QUESTIONS)][:_QUESTIONS]
    place = np.full(len(names), -1)
    place[chosen] = np.arange(len(chosen))
    row, column = place[row][place[row] >= 0], column[place[row] >= 0]
    # The item asked by: one in the middle of the basket's ids, which says nothing about how popular it is.
    order = np.lexsort((column, row))
    row, column = row[order], column[order]
    starts = np.searchsorted(row, np.arange(len(chosen)))
    asked_at = starts + np.diff(np.r_[starts, len(row)]) // 2
    others = np.ones(len(row), bool)
    others[asked_at] = False
    shape = (len(chosen), len(catalogue))
    wanted = sparse.csr_array((np.ones(int(others.sum())), (row[others], column[others])), shape=shape)
    return column[asked_at], wanted
