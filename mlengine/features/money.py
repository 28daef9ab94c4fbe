"""Recency, frequency and money over several windows."""

from datetime import datetime
from math import log as ln
from typing import Any, Final

import narwhals as nw

from mlengine.columns import USER, VALUE, Log
from mlengine.features.days import count_where, shopping_days, sum_where, within

WINDOWS: Final = (7, 14, 28, 56, 91, 182)
HALF_LIVES: Final = (7, 14, 28, 56)


def recency_frequency_money(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return when somebody last purchased, how often and for how much.

    Columns: ``days_since_last_purchase`` and ``days_since_first_purchase``; for each window of days
    ``shopping_days_<n>`` and ``value_<n>``; ``sessions_91``; ``value_per_day_91`` (null without a purchase in it);
    ``pace_<n>``: shopping days per day, each day weighing half as much as one ``n`` days later.
    """
    days = shopping_days(log, cutoff)
    return days.group_by(USER).agg(
        nw.col("days_ago").min().alias("days_since_last_purchase"),
        nw.col("days_ago").max().alias("days_since_first_purchase"),
        *[count_where(within(n)).alias(f"shopping_days_{n}") for n in WINDOWS],
        *[sum_where(within(n), VALUE).alias(f"value_{n}") for n in WINDOWS],
        nw.when(within(91)).then(nw.col("sessions")).otherwise(0).sum().alias("sessions_91"),
        nw.when(within(91)).then(nw.col(VALUE)).mean().alias("value_per_day_91"),
        *[_pace(half_life).alias(f"pace_{half_life}") for half_life in HALF_LIVES],
    )


def _pace(half_life: int) -> nw.Expr:
    rate = ln(2) / half_life
    return (nw.col("days_ago").cast(nw.Float64) * -rate).exp().sum() * rate
