"""Recommendations: which items each person will want within the horizon, with the reason for each."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import numpy as np
import polars as pl
from scipy import sparse

from mlengine.assortment import described
from mlengine.columns import ITEM, KIND, OCCURRED_AT, PURCHASE, RANK, REASON, SCORE, USER, Log
from mlengine.estimators.blend import Blend
from mlengine.estimators.collaborative import (
    EaseRecommender,
    IALSRecommender,
    InfiniteRecommender,
    ItemKNNRecommender,
    TastesRecommender,
)
from mlengine.estimators.content import Content
from mlengine.estimators.new_item_places import with_fresh
from mlengine.estimators.own_history import OwnHistory
from mlengine.estimators.popular import Popular, PopularInSegment
from mlengine.estimators.recommendation_causes import Causes
from mlengine.estimators.recommender import Lists, Recommender, recommend
from mlengine.estimators.sequential import SASRecRecommender, SequenceBlendRecommender, TransitionsRecommender
from mlengine.estimators.social import SocialRecommender
from mlengine.estimators.text_vectors import OWN
from mlengine.interactions import Floats, Interactions, Ints, Matrix, interactions
from mlengine.metrics import ranking
from mlengine.specs import Measure, NotEnoughData

RECOMMENDERS: Final[dict[str, type[Recommender]]] = {
    "popular": Popular,
    "own_history": OwnHistory,
    "item_knn": ItemKNNRecommender,
    "ease": EaseRecommender,
    "ials": IALSRecommender,
    "transitions": TransitionsRecommender,
    "sasrec": SASRecRecommender,
    "sequence_blend": SequenceBlendRecommender,
    "infinite": InfiniteRecommender,
    "tastes": TastesRecommender,
    "social": SocialRecommender,
    "content": Content,
    "blend": Blend,
}
_DAY = timedelta(days=1)


class Recommendations:
    """The items people will buy within the horizon, best first, out of all that is bought and available.

    Parameters
    ----------
    horizon : timedelta
        How far ahead an item must be bought to count as wanted.
    activity_window : timedelta
        Only people who bought within it before the cutoff are judged; everybody gets recommendations.
    k : int
        How many each person gets.
    recommender : str
        A key of ``RECOMMENDERS``.
    recommender_parameters : mapping, optional
        Of the recommender; its own defaults where not given.
    fresh : int
        How many of the ``k`` go to new items that nobody has bought yet, at the end of the list and said openly.
    texts : str
        Dotted path of what turns items' texts into vectors; see `Content`.
    new_only : bool
        Leave out what a person already bought. Off by default, since groceries repeat.
    segment_by : tuple of str
        Coarse attributes; people without purchases get what is popular where the first known one is the same.
    min_people, min_purchases : int
        What it takes to learn at all.
    """

    def __init__(  # noqa: PLR0913 (a table of settings, all by name)
        self,
        *,
        horizon: timedelta,
        activity_window: timedelta,
        k: int = 20,
        recommender: str = "blend",
        recommender_parameters: Mapping[str, Any] | None = None,
        new_only: bool = False,
        fresh: int = 0,
        texts: str = OWN,
        segment_by: tuple[str, ...] = ("age_band", "province"),
        min_people: int = 50,
        min_purchases: int = 1000,
    ) -> None:
        self.horizon = horizon
        self.activity_window = activity_window
        self.k = k
        self.recommender = recommender
        self.recommender_parameters = recommender_parameters or {}
        self.new_only = new_only
        self.fresh = fresh
        self.texts = texts
        self.segment_by = segment_by
        self.min_people = min_people
        self.min_purchases = min_purchases

    def fit(self, log: Log, cutoff: datetime) -> Recommender:
        """Learn from what was bought before the cutoff.

        Raises
        ------
        NotEnoughData
            Too few people, items or purchases, or too short a history for the recommender.
        """
        known = self._interactions(log, cutoff)
        self._refuse_too_little(known)
        made = RECOMMENDERS[self.recommender]
        own: Mapping[Any, dict[str, Any]] = {Blend: {"horizon": self.horizon / _DAY}, Content: {"texts": self.texts}}
        return made(**{**own.get(made, {}), **self.recommender_parameters}).fit(known)

    def predict(self, model: Recommender, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return user, item, rank (from 1), score and reason (JSON of code and values) for all known profiles."""
        known = self._interactions(log, cutoff)
        segments = PopularInSegment(known)
        warm, cold = np.flatnonzero(~known.cold), np.flatnonzero(known.cold)
        lists = [
            recommend(scorer, known, people, self.k, new_only=self.new_only)
            for scorer, people in ((model.scorer(known), warm), (segments, cold))
            if len(people)
        ]
        causes = Causes(known, segments, model)
        frame = pl.concat([_frame(known, part, causes) for part in lists]).sort(USER, RANK)
        return nw.from_native(with_fresh(frame, known, self.fresh, self.k, self.texts), eager_only=True)

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge the first ten of each list by what was bought from the cutoff to the horizon; see `ranking`.

        Judged are people who bought within the activity window and bought something of the catalogue afterwards; the
        catalogue is every item bought before the cutoff.
        """
        known, _, lists, wanted = self._judgeable(predictions, log, cutoff)
        found = {name: ranking.mean_with_interval(values) for name, values in _per_person(lists, wanted, known).items()}
        return found | {"coverage": Measure(value=ranking.coverage(lists, known.shape[1]))}

    def served(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return each judged person's own figures, and how much is known of her: in thirds by purchases so far."""
        known, people, lists, wanted = self._judgeable(predictions, log, cutoff)
        lines = np.bincount(known.user, minlength=known.shape[0])[people]
        few, many = np.quantile(lines, [1 / 3, 2 / 3])
        history = np.select([lines <= few, lines <= many], [f"≤ {few:.0f}", f"≤ {many:.0f}"], f"> {many:.0f}")
        frame = {USER: known.users[people], **_per_person(lists, wanted, known), "purchases": history}
        return nw.from_native(pl.DataFrame(frame), eager_only=True)

    def exposed(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return the items that are or were bought, or shown: places among the first ten, and purchases of late."""
        known = self._interactions(log, cutoff)
        late = known.age <= self.activity_window / _DAY
        bought = np.bincount(known.item[late], minlength=known.shape[1])
        sold = pl.DataFrame({ITEM: known.items, "sold": bought})
        shown: pl.DataFrame = predictions.filter(nw.col(RANK) <= ranking.FIRST).to_native()
        places = shown.group_by(ITEM).agg(pl.len().cast(pl.Int64).alias("places"))
        counted = sold.join(places, on=ITEM, how="full", coalesce=True).sort(ITEM).fill_null(0)
        return nw.from_native(counted.join(described(log), on=ITEM, how="left", maintain_order="left"), eager_only=True)

    def _judgeable(
        self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime
    ) -> tuple[Interactions, Ints, Ints, Matrix]:
        """Return what was known, who can be judged, their lists, and what they wanted."""
        known = self._interactions(log, cutoff)
        wanted = _bought_after(log, cutoff, cutoff + self.horizon, known)
        if self.new_only:
            wanted = sparse.csr_array(wanted - wanted.multiply(known.bought))
            wanted.eliminate_zeros()
        active = np.diff(known.within(self.activity_window / _DAY).indptr) > 0
        people = np.flatnonzero(active & (np.diff(wanted.indptr) > 0))
        if not len(people):
            raise NotEnoughData(
                f"Nobody bought anything known within {self.horizon.days} days from {cutoff:%Y-%m-%d} on."
            )
        return known, people, _lists(predictions, known)[people], wanted[people]

    def baselines(self) -> Mapping[str, "Recommendations"]:
        """Return what a champion must beat: popular items, and each person's own history."""
        return {name: self.with_recommender(name) for name in ("popular", "own_history")}

    def with_recommender(self, name: str) -> "Recommendations":
        """Return the same question answered by another recommender."""
        return Recommendations(**{**vars(self), "recommender": name, "recommender_parameters": None})

    def load(self, directory: Path) -> Recommender:
        return RECOMMENDERS[self.recommender].load(directory)

    def _interactions(self, log: Log, cutoff: datetime) -> Interactions:
        return interactions(log, cutoff, segment_by=self.segment_by)

    def _refuse_too_little(self, known: Interactions) -> None:
        there = {
            "people who bought": (int((~known.cold).sum()), self.min_people),
            "items bought": (known.shape[1], self.k),
            "purchases": (len(known.age), self.min_purchases),
            # Without any it would be tastes under another name, and a search would try the same twice.
            "relations between people": (
                0 if known.friends is None else known.friends.nnz,
                self.recommender == "social",
            ),
        }
        missing = [f"{int(least)} {what} (there are {n})" for what, (n, least) in there.items() if n < least]
        if missing:
            raise NotEnoughData(f"Recommendations need at least {', '.join(missing)}.")


def _frame(known: Interactions, lists: Lists, causes: Causes) -> pl.DataFrame:
    row, rank = np.nonzero(lists.items >= 0)
    reasons = [json.dumps({"code": code, "values": values}) for person in causes.of(lists) for code, values in person]
    return pl.DataFrame(
        {
            USER: known.users[lists.users[row]],
            ITEM: known.items[lists.items[row, rank]],
            RANK: rank + 1,
            SCORE: lists.scores[row, rank],
            REASON: reasons,
        },
        schema={USER: pl.Int64, ITEM: pl.Int64, RANK: pl.Int64, SCORE: pl.Float64, REASON: pl.String},
    )


def _lists(predictions: nw.DataFrame[Any], known: Interactions, k: int = ranking.FIRST) -> Ints:
    """Return people × ranks of item columns, −1 where nothing, or nothing of the catalogue, is recommended."""
    first = predictions.filter(nw.col(RANK) <= k)
    user, item, rank = (first[name].to_numpy() for name in (USER, ITEM, RANK))
    there = np.isin(user, known.users) & np.isin(item, known.items)
    lists = np.full((known.shape[0], k), -1, dtype=np.int64)
    rows, columns = np.searchsorted(known.users, user[there]), np.searchsorted(known.items, item[there])
    lists[rows, rank[there] - 1] = columns
    return lists


def _bought_after(log: Log, start: datetime, end: datetime, known: Interactions) -> Matrix:
    """Return people × items, 1 where a known item was bought from ``start`` up to before ``end``."""
    at = nw.col(OCCURRED_AT)
    wanted = log.events.filter((nw.col(KIND) == PURCHASE) & (at >= start) & (at < end)).select(USER, ITEM).unique()
    found: pl.DataFrame = wanted.collect("polars").to_native()
    there = found.drop_nulls().filter(
        pl.col(USER).is_in(known.users.tolist()) & pl.col(ITEM).is_in(known.items.tolist())
    )
    rows = np.searchsorted(known.users, there[USER].to_numpy())
    columns = np.searchsorted(known.items, there[ITEM].to_numpy())
    return sparse.csr_array((np.ones(len(rows)), (rows, columns)), shape=known.shape)


def _per_person(lists: Ints, wanted: Matrix, known: Interactions) -> dict[str, Floats]:
    hit, n_wanted = ranking.hits(lists, wanted), np.diff(wanted.indptr)
    people = int((~known.cold).sum())
    return {
        "ndcg_at_10": ranking.ndcg(hit, n_wanted),
        "recall_at_10": ranking.recall(hit, n_wanted),
        "novelty": ranking.novelty(lists, known.buyers, people),
        "popularity_share": ranking.popularity_share(lists, known.buyers),
    }
