"""How much somebody waits for a bargain."""

from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import DISCOUNT, KIND, OCCURRED_AT, PURCHASE, USER, VALUE, Log
from mlengine.features.days import days_ago, sum_where, within


def discounts(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return the share of the price that was saved, and of purchases with any saving.

    Columns: ``discount_share_28``, ``discount_share_182`` (money saved over money saved and paid),
    ``discounted_lines_182`` (share of purchase lines with a discount); null without purchases in the window.
    """
    purchases = log.until(cutoff).events.filter(nw.col(KIND) == PURCHASE)
    lines = purchases.with_columns(
        days_ago=days_ago(nw.col(OCCURRED_AT), cutoff), saved=nw.col(DISCOUNT).fill_null(0.0)
    ).filter(within(182))
    return lines.group_by(USER).agg(
        _saved_share(28).alias("discount_share_28"),
        _saved_share(182).alias("discount_share_182"),
        nw.when(nw.col("saved") > 0.0).then(1.0).otherwise(0.0).mean().alias("discounted_lines_182"),
    )


def _saved_share(days: int) -> nw.Expr:
    saved = sum_where(within(days), "saved")
    full = saved + sum_where(within(days), VALUE)
    return nw.when(full > 0.0).then(saved / full)
