"""When somebody comes: hours of the day and days of the week."""

from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import KIND, OCCURRED_AT, PURCHASE, SESSION, USER, Log
from mlengine.features.days import days_ago, within


def clock(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return the usual hour and weekday of somebody's baskets in the last 182 days.

    Columns: ``hour_mean``, ``hour_std`` (hours), ``morning_share`` (before 12), ``evening_share`` (from 18),
    ``weekend_share`` (Saturday and Sunday), ``weekday_top_share`` (of the most usual weekday).
    """
    purchases = log.until(cutoff).events.filter(nw.col(KIND) == PURCHASE)
    recent = purchases.with_columns(days_ago=days_ago(nw.col(OCCURRED_AT), cutoff)).filter(within(182))
    baskets = (
        recent.group_by(USER, "days_ago", SESSION)
        .agg(nw.col(OCCURRED_AT).min())
        .with_columns(
            hour=nw.col(OCCURRED_AT).dt.hour().cast(nw.Float64),
            # From the day's number, since dt.weekday() calls Sunday 7 on Polars and 0 on Spark; here it is 0.
            weekday=(nw.lit(cutoff.toordinal()) - nw.col("days_ago")) % 7,
        )
    )
    hours = baskets.group_by(USER).agg(
        nw.col("hour").mean().alias("hour_mean"),
        nw.col("hour").std().alias("hour_std"),
        _share(nw.col("hour") < 12).alias("morning_share"),
        _share(nw.col("hour") >= 18).alias("evening_share"),
        _share(nw.col("weekday").is_in([6, 0])).alias("weekend_share"),
    )
    return hours.join(_usual_weekday(baskets), on=USER, how="left")


def _share(condition: nw.Expr) -> nw.Expr:
    return nw.when(condition).then(1.0).otherwise(0.0).mean()


def _usual_weekday(baskets: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    counts = baskets.group_by(USER, "weekday").agg(nw.len().cast(nw.Float64).alias("n"))
    return counts.group_by(USER).agg((nw.col("n").max() / nw.col("n").sum()).alias("weekday_top_share"))
