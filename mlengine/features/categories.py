"""What somebody buys: how broad the choice is, and which categories it is made of."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import CATEGORY, ITEM, KIND, OCCURRED_AT, PURCHASE, USER, VALUE, Log
from mlengine.features.days import days_ago, sum_where, within

DAYS = 182


def category_mix(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return how many categories and different items somebody bought lately, and how concentrated the spending is.

    Columns: ``categories_28``, ``categories_182``; ``items_28``, ``items_182`` (different ones);
    ``category_entropy`` (nats, of the shares of money in 182 days), ``category_top_share`` (of the largest).
    """
    lines = _lines(log, cutoff)
    items = lines.group_by(USER, ITEM).agg(nw.col("days_ago").min())
    breadth = items.group_by(USER).agg(
        nw.when(within(28)).then(1).otherwise(0).sum().alias("items_28"), nw.len().cast(nw.Int64).alias("items_182")
    )
    return breadth.join(_concentration(_by_category(log, lines)), on=USER, how="left")


def category_shares(log: Log, cutoff: datetime, categories: Sequence[str]) -> nw.LazyFrame[Any]:
    """Return the share of money that went to each of the named categories in the last 182 days.

    Columns: ``share_<n>`` for the n-th category named; a purchase of an item without category belongs to none.
    """
    spent = _by_category(log, _lines(log, cutoff))
    total = nw.col("spent").sum()
    return spent.group_by(USER).agg(
        *[
            nw.when(total > 0.0).then(sum_where(nw.col(CATEGORY) == name, "spent") / total).alias(f"share_{n}")
            for n, name in enumerate(categories)
        ]
    )


def top_categories(log: Log, cutoff: datetime, k: int) -> list[str]:
    """Return the ``k`` categories that took most money in the last 182 days, the largest first, ties by name."""
    spent = _by_category(log, _lines(log, cutoff)).filter(~nw.col(CATEGORY).is_null())
    totals = spent.group_by(CATEGORY).agg(nw.col("spent").sum()).collect("polars")
    return [str(row[0]) for row in sorted(totals.iter_rows(), key=lambda row: (-row[1], row[0]))[:k]]


def _lines(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    purchases = log.until(cutoff).events.filter(nw.col(KIND) == PURCHASE)
    return purchases.with_columns(days_ago=days_ago(nw.col(OCCURRED_AT), cutoff)).filter(within(DAYS))


def _by_category(log: Log, lines: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return one row a person and category: ``spent`` and ``days_ago`` of the last purchase."""
    # Folding to items first keeps the join small: one row a person and item, not one a purchase.
    by_item = lines.group_by(USER, ITEM).agg(nw.col(VALUE).sum().alias("spent"), nw.col("days_ago").min())
    named = by_item.join(log.items.select(ITEM, CATEGORY), on=ITEM, how="left")
    return named.group_by(USER, CATEGORY).agg(nw.col("spent").sum(), nw.col("days_ago").min())


def _concentration(spent: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    shares = spent.with_columns(total=nw.col("spent").sum().over(USER)).with_columns(
        share=nw.when(nw.col("total") > 0.0).then(nw.col("spent") / nw.col("total"))
    )
    # The limit of -x log x at 0 is 0; returns may make a category's sum negative, which counts as nothing.
    bits = nw.when(nw.col("share") > 0.0).then(-nw.col("share") * nw.col("share").log()).otherwise(0.0)
    return shares.group_by(USER).agg(
        nw.when(within(28)).then(1).otherwise(0).sum().alias("categories_28"),
        nw.len().cast(nw.Int64).alias("categories_182"),
        bits.sum().alias("category_entropy"),
        nw.col("share").max().alias("category_top_share"),
    )
