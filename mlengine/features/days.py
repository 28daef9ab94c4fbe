"""Shopping days: purchases folded to one row a person and calendar day, the grain that most families start from.

Durations have no common spelling over the engines (Spark's intervals cannot be turned to seconds by Narwhals), so days
are counted as whole numbers from the Gregorian calendar.
"""

from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import DISCOUNT, KIND, OCCURRED_AT, PURCHASE, QUANTITY, SESSION, USER, VALUE, Log


def day_number(moment: nw.Expr) -> nw.Expr:
    """Return the calendar day of a time as a count of days, the same as ``datetime.toordinal``."""
    years = moment.dt.year().cast(nw.Int64) - 1
    leap_days = (years // 4) - (years // 100) + (years // 400)
    return years * 365 + leap_days + moment.dt.ordinal_day().cast(nw.Int64)


def days_ago(moment: nw.Expr, cutoff: datetime) -> nw.Expr:
    """Return how many calendar days before the cutoff's day a time lies (yesterday is 1)."""
    return nw.lit(cutoff.toordinal()) - day_number(moment)


def shopping_days(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return one row a person and day with purchases before ``cutoff``.

    Returns
    -------
    LazyFrame
        ``user``, ``days_ago`` (1 = the day before a midnight cutoff), ``value`` (money), ``discount`` (money saved),
        ``quantity``, ``lines`` (rows), ``sessions`` (distinct baskets).
    """
    purchases = log.until(cutoff).events.filter(nw.col(KIND) == PURCHASE)
    return (
        purchases.with_columns(days_ago=days_ago(nw.col(OCCURRED_AT), cutoff))
        .group_by(USER, "days_ago")
        .agg(
            nw.col(VALUE).sum(),
            nw.col(DISCOUNT).sum(),
            nw.col(QUANTITY).sum(),
            nw.len().cast(nw.Int64).alias("lines"),
            nw.col(SESSION).n_unique().cast(nw.Int64).alias("sessions"),
        )
    )


def within(days: int) -> nw.Expr:
    """Return whether a row of shopping days lies in the last ``days`` days."""
    return nw.col("days_ago") <= days


def between(nearest: int, farthest: int) -> nw.Expr:
    """Return whether a row lies from ``nearest`` to ``farthest`` days ago, both included."""
    return (nw.col("days_ago") >= nearest) & (nw.col("days_ago") <= farthest)


def count_where(condition: nw.Expr) -> nw.Expr:
    """Count the rows of a group for which ``condition`` holds (Spark cannot add up booleans)."""
    return nw.when(condition).then(1).otherwise(0).cast(nw.Int64).sum()


def sum_where(condition: nw.Expr, column: str) -> nw.Expr:
    """Add up a column over the rows of a group for which ``condition`` holds; 0.0 if none."""
    return nw.when(condition).then(nw.col(column)).otherwise(0.0).sum()
