"""Whether somebody comes more or less than before."""

from datetime import datetime
from typing import Any, Final

import narwhals as nw

from mlengine.columns import USER, VALUE, Log
from mlengine.features.days import between, count_where, shopping_days, sum_where

WEEKS: Final = 13
PAIRS: Final = ((14, 42), (28, 84), (56, 168))


def trend(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return shopping of late beside shopping before, and in how many weeks there was any.

    Columns: ``days_trend_<n>`` and ``value_trend_<n>``: log of (daily rate in the last ``n`` days + 1/n) over (daily
    rate in the twice as long window before + 1/n), 0 when nothing changed; ``weeks_4``, ``weeks_8``, ``weeks_13``:
    weeks with a purchase among the last; ``week_slope``: least-squares slope of shopping days a week over 13 weeks,
    in days a week a week; ``week_std``: how much they differ.
    """
    days = shopping_days(log, cutoff)
    windows = days.group_by(USER).agg(
        *[_days_trend(near, far).alias(f"days_trend_{near}") for near, far in PAIRS],
        *[_value_trend(near, far).alias(f"value_trend_{near}") for near, far in PAIRS],
    )
    return windows.join(_weeks(days), on=USER, how="left").with_columns(
        nw.col("weeks_4", "weeks_8", "weeks_13", "week_slope", "week_std").fill_null(0)
    )


def _days_trend(near: int, far: int) -> nw.Expr:
    recent = count_where(between(0, near)).cast(nw.Float64)
    before = count_where(between(near + 1, far)).cast(nw.Float64)
    return ((recent + 1.0) / (before * (near / (far - near)) + 1.0)).log()


def _value_trend(near: int, far: int) -> nw.Expr:
    recent, before = sum_where(between(0, near), VALUE), sum_where(between(near + 1, far), VALUE)
    return ((recent + 1.0) / (before * (near / (far - near)) + 1.0)).log()


def _weeks(days: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return statistics of the number of shopping days in each of the last 13 weeks, empty weeks included."""
    week = ((nw.max_horizontal(nw.col("days_ago"), nw.lit(1)) - 1) // 7).cast(nw.Int64)
    weeks = (
        days.with_columns(week=week)
        .filter(nw.col("week") < WEEKS)
        .group_by(USER, "week")
        .agg(nw.len().cast(nw.Float64).alias("n"))
    )
    middle = (WEEKS - 1) / 2
    spread = sum((week - middle) ** 2 for week in range(WEEKS))
    # Weeks count backwards, hence the minus: a positive slope means more visits of late.
    slope = ((middle - nw.col("week").cast(nw.Float64)) * nw.col("n")).sum() / spread
    variance = (nw.col("n") ** 2).sum() / WEEKS - (nw.col("n").sum() / WEEKS) ** 2
    return weeks.group_by(USER).agg(
        *[count_where(nw.col("week") < n).alias(f"weeks_{n}") for n in (4, 8, 13)],
        slope.alias("week_slope"),
        variance.clip(0.0).sqrt().alias("week_std"),
    )
