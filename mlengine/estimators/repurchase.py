"""Repurchase: when each person will want an item, or anything of a category, again."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import narwhals as nw
import numpy as np
import polars as pl
from scipy import sparse

from mlengine.columns import CATEGORY, ITEM, KIND, OCCURRED_AT, PURCHASE, RANK, SCORE, USER, Log
from mlengine.estimators.recommender import leading_of_group
from mlengine.estimators.renewal import Names, Renewal, Rhythm
from mlengine.interactions import Floats, Interactions, Ints, interactions
from mlengine.metrics import ranking
from mlengine.specs import Measure, NotEnoughData

DUE, DUE_FROM, DUE_UNTIL = "due", "due_from", "due_until"  # days after the cutoff
TIMES, EVERY, LAST = "times", "every_days", "last_days"
COLUMNS: Final[Mapping[str, Any]] = {
    USER: pl.Int64, ITEM: pl.Int64, CATEGORY: pl.String, RANK: pl.Int64, SCORE: pl.Float64, DUE: pl.Float64,
    DUE_FROM: pl.Float64, DUE_UNTIL: pl.Float64, TIMES: pl.Int64, EVERY: pl.Float64, LAST: pl.Float64,
}  # fmt: skip
_DAY = timedelta(days=1)


class Rhythms:
    """What was learned of items, and of categories."""

    def __init__(self, items: Renewal, categories: Renewal) -> None:
        self.items = items
        self.categories = categories

    def save(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.items.save(directory / "items.npz")
        self.categories.save(directory / "categories.npz")

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls(Renewal.load(directory / "items.npz"), Renewal.load(directory / "categories.npz"))

    @property
    def facts(self) -> Mapping[str, Any]:
        return {
            "items with a rhythm": len(self.items.ids_),
            "categories with a rhythm": len(self.categories.ids_),
            "dropout after purchase 1 to 8": [round(float(d), 2) for d in self.items.dropout_],
            "usual gap in days": round(float(np.exp(self.items.mean_)), 1),
        }


class Repurchase:
    """The date on which what was bought before will likely be bought again, by a renewal with dropout.

    Parameters
    ----------
    horizon : timedelta
        The probability is of a purchase within it.
    activity_window : timedelta
        Only people who bought within it before the cutoff are answered for.
    most : int
        How many items, and how many categories, each person gets.
    least_probability : float
        What is less probable is not told.
    by : str
        ``renewal``, or a baseline: ``own_pace`` (as often as so far), ``times`` (what was bought most often).
    """

    def __init__(
        self,
        *,
        horizon: timedelta,
        activity_window: timedelta,
        most: int = 20,
        least_probability: float = 0.05,
        by: str = "renewal",
    ) -> None:
        self.horizon = horizon
        self.activity_window = activity_window
        self.most = most
        self.least_probability = least_probability
        self.by = by

    def fit(self, log: Log, cutoff: datetime) -> Rhythms:
        """Learn the rhythms of items and categories.

        Raises
        ------
        NotEnoughData
            Nobody bought anything on two days.
        """
        x = interactions(log, cutoff)
        by_category, names = _as_categories(x, log)
        if not (_rhythm(x)[1].gaps > 0).any():
            raise NotEnoughData("Nobody has bought anything on two days yet.")
        return Rhythms(Renewal().fit(_rhythm(x)[1], x.items), Renewal().fit(_rhythm(by_category)[1], names))

    def predict(self, model: Rhythms, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return what each active person bought on two days or more, the likeliest first; see ``COLUMNS``.

        Rows without an item are of a whole category.
        """
        x = interactions(log, cutoff)
        by_category, names = _as_categories(x, log)
        of_item = {item: str(names[code]) for item, code in zip(x.items.tolist(), _codes(x, log), strict=True)}
        items = self._answers(model.items.about(x.items), x)
        items = items.rename({"thing": ITEM}).with_columns(
            pl.Series(CATEGORY, [of_item[item] for item in items["thing"].to_list()], pl.String)
        )
        whole = self._answers(model.categories.about(names), by_category)
        whole = whole.rename({"thing": CATEGORY}).with_columns(pl.lit(None, pl.Int64).alias(ITEM))
        both = pl.concat(
            [one.with_columns(pl.lit(0, pl.Int64).alias(RANK)).select(list(COLUMNS)) for one in (items, whole)]
        )
        ranked = both.sort(USER, SCORE, CATEGORY, ITEM, descending=[False, True, False, False])
        return nw.from_native(ranked.with_columns((pl.int_range(pl.len()).over(USER) + 1).alias(RANK)), eager_only=True)

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge items by what was bought again within the horizon: order, probability, and the date.

        ``ndcg_at_10`` and ``recall_at_10`` are over people who bought something again that they had bought on two days
        before; ``days_off`` is the median distance of the expected date from the real one where there was one.
        """
        x = interactions(log, cutoff)
        after = _bought_again(log, cutoff, cutoff + self.horizon, x)
        told: pl.DataFrame = predictions.to_native().filter(pl.col(ITEM).is_not_null())
        rows, columns = (
            np.searchsorted(ids, told[name].to_numpy()) for ids, name in ((x.users, USER), (x.items, ITEM))
        )
        lists = _lists(rows, columns, x.shape[0])
        wanted = sparse.csr_array((np.ones(len(after)), after[["row", "column"]].to_numpy().T), shape=x.shape)
        people = np.flatnonzero(np.diff(wanted.indptr) > 0)
        if not len(people):
            raise NotEnoughData(
                f"Nobody bought anything again within {self.horizon.days} days from {cutoff:%Y-%m-%d} on."
            )
        hit, n_wanted = ranking.hits(lists[people], wanted[people]), np.diff(wanted.indptr)[people]
        judged = told.select(SCORE, DUE).with_columns(row=pl.Series(rows), column=pl.Series(columns))
        judged = judged.join(after, on=["row", "column"], how="left")
        came = judged.filter(pl.col("days").is_not_null())
        error = (judged[SCORE] - judged["days"].is_not_null().cast(pl.Float64)) ** 2
        off = (came[DUE] - came["days"]).abs()
        return {
            "ndcg_at_10": ranking.mean_with_interval(ranking.ndcg(hit, n_wanted)),
            "recall_at_10": ranking.mean_with_interval(ranking.recall(hit, n_wanted)),
            "brier": Measure(value=float(np.mean(error.to_numpy())) if len(error) else float("nan")),
            "days_off": Measure(value=float(np.median(off.to_numpy())) if len(off) else float("nan")),
        }

    def baselines(self) -> Mapping[str, "Repurchase"]:
        return {name: Repurchase(**{**vars(self), "by": name}) for name in ("own_pace", "times")}

    def load(self, directory: Path) -> Rhythms:
        return Rhythms.load(directory)

    def _answers(self, model: Renewal, x: Interactions) -> pl.DataFrame:
        user, rhythm = _rhythm(x)
        days = self.horizon / _DAY
        score, due = self._scored(model, rhythm, days)
        latest = np.full(x.shape[0], np.inf)
        np.minimum.at(latest, user, rhythm.since)
        kept = (rhythm.gaps > 0) & (score >= self.least_probability) & (latest[user] <= self.activity_window / _DAY)
        kept[np.flatnonzero(kept)] = leading_of_group(user[kept], score[kept], self.most)
        mean, _spread = model.expected(rhythm)
        return pl.DataFrame(
            {
                USER: x.users[user[kept]], "thing": model.ids_[rhythm.thing[kept]], SCORE: score[kept],
                DUE: due[0.5][kept], DUE_FROM: due[0.25][kept], DUE_UNTIL: due[0.75][kept],
                TIMES: rhythm.times[kept], EVERY: np.exp(mean)[kept], LAST: rhythm.since[kept],
            }
        )  # fmt: skip

    def _scored(self, model: Renewal, rhythm: Rhythm, days: float) -> tuple[Floats, Mapping[float, Floats]]:
        shares = (0.25, 0.5, 0.75)
        if self.by == "renewal":
            return model.probability(rhythm, days), {share: model.due(rhythm, share) for share in shares}
        pace = np.exp(rhythm.logs / np.maximum(rhythm.gaps, 1))  # days from one to the next
        wait = {share: np.maximum(pace * 2 * share - rhythm.since, 0.0) for share in shares}
        if self.by == "own_pace":
            return 1.0 - np.exp(-days / np.maximum(pace, rhythm.since)), wait
        return rhythm.times / (rhythm.times + 4.0), wait


def _rhythm(x: Interactions) -> tuple[Ints, Rhythm]:
    """Return the row of each (person, thing) ever bought, and its rhythm; what was bought on one day counts once."""
    day = np.floor(x.age)
    fresh = np.r_[True, (np.diff(x.user) != 0) | (np.diff(x.item) != 0) | (np.diff(day) != 0)][: len(x.user)]
    user, item, age = x.user[fresh], x.item[fresh], x.age[fresh]
    start = np.flatnonzero(np.r_[True, (np.diff(user) != 0) | (np.diff(item) != 0)][: len(user)])
    if not len(start):
        nothing, none = np.empty(0), np.empty(0, np.int64)
        return none, Rhythm(thing=none, times=none, logs=nothing, squares=nothing, since=nothing)
    gap = np.log(np.maximum(-np.diff(age, prepend=age[0]), 0.5))
    gap[start] = 0.0
    end = np.r_[start[1:], len(user)] - 1
    return user[start], Rhythm(
        thing=item[start],
        times=end - start + 1,
        logs=np.add.reduceat(gap, start),
        squares=np.add.reduceat(gap**2, start),
        since=age[end],
    )


def _codes(x: Interactions, log: Log) -> list[int]:
    """Return which of the sorted names of categories each item has."""
    names = _category_names(x, log)
    codes: list[int] = np.searchsorted(np.unique(names), names).tolist()
    return codes


def _category_names(x: Interactions, log: Log) -> Names:
    """Return the narrowest category of each item, empty where it has none."""
    found: pl.DataFrame = log.items.select(ITEM, CATEGORY, "subcategory").collect("polars").to_native()
    known = found.unique(ITEM, keep="first", maintain_order=True)
    told = pl.DataFrame({ITEM: x.items}).join(known, on=ITEM, how="left", maintain_order="left")
    return np.array(
        told.select(pl.coalesce("subcategory", CATEGORY).fill_null("")).to_series().to_list(), dtype=np.str_
    )


def _as_categories(x: Interactions, log: Log) -> tuple[Interactions, Names]:
    """Return the same purchases by category, sorted as before, and the categories' names."""
    names, code = np.unique(_category_names(x, log), return_inverse=True)
    column = code[x.item] if len(code) else x.item
    named = names[column] != "" if len(names) else np.zeros(0, bool)
    order = np.lexsort((-x.age, column, x.user))
    order = order[named[order]]
    made = replace(
        x, items=np.arange(len(names)), user=x.user[order], item=column[order], age=x.age[order],
        basket=x.basket[order], discounted=x.discounted[order], categories=np.arange(len(names)),
        available=np.ones(len(names), bool), known=None, memo={},
    )  # fmt: skip
    return made, names


def _bought_again(log: Log, start: datetime, end: datetime, x: Interactions) -> pl.DataFrame:
    """Return row, column and days until it of what was bought after, among what was bought on two days before."""
    at = nw.col(OCCURRED_AT)
    events = log.events.filter((nw.col(KIND) == PURCHASE) & (at >= start) & (at < end) & ~nw.col(ITEM).is_null())
    found: pl.DataFrame = events.group_by(USER, ITEM).agg(at.min()).collect("polars").to_native()
    user, rhythm = _rhythm(x)
    twice = rhythm.gaps > 0
    before = pl.DataFrame({"row": user[twice], "column": rhythm.thing[twice]})
    before = before.with_columns(pl.Series(USER, x.users[user[twice]]), pl.Series(ITEM, x.items[rhythm.thing[twice]]))
    days = (pl.col(OCCURRED_AT) - pl.lit(start).cast(pl.Datetime("us"))).dt.total_seconds() / 86_400
    return before.join(found, on=[USER, ITEM], how="inner").select("row", "column", days.alias("days"))


def _lists(rows: Ints, columns: Ints, people: int, k: int = 10) -> Ints:
    """Return people × ranks of item columns from pairs that stand in order, −1 where there are no more."""
    order = np.argsort(rows, kind="stable")
    rows, columns = rows[order], columns[order]
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    lists = np.full((people, k), -1, dtype=np.int64)
    lists[rows[rank < k], rank[rank < k]] = columns[rank < k]
    return lists
