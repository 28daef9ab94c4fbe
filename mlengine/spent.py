"""What somebody had bought, spent, saved and redeemed before a moment, for many moments at once; nothing later counts.

It is what had happened by then, also where it arrived afterwards, as long as it was there by ``until``: an import sent
in one day may tell of two years, and by when it arrived all of them would be of that day, and those before empty.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import narwhals as nw
import polars as pl

from mlengine.columns import DISCOUNT, KIND, OCCURRED_AT, PURCHASE, REDEEMED, USER, VALUE, Log

A_MOMENT: Final = timedelta(microseconds=1)


def bought_before(rows: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
    """Return ``rows`` (user, occurred_at) with how often and how lately each had purchased before.

    Columns ``shopping_days_28`` and ``shopping_days_91``, in the days before the row, and ``days_since_last_purchase``,
    null of whom no purchase is known. A purchase counts when it happened, if it had arrived by ``until``.
    """
    so_far = log.once(("shopping days",), until, lambda: _shopping_days(log.until(until)))
    found = _by_then(_before(rows, so_far, ("shopping_days",), (28, 91)), so_far.select(USER, "at", "last"))
    quiet = (pl.col(OCCURRED_AT) - pl.col("last")).dt.total_hours() / 24
    return found.with_columns(quiet.alias("days_since_last_purchase")).drop("shopping_days_all", "last")


def spent_before(rows: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
    """Return ``rows`` (user, occurred_at) with ``value_28``, ``value_91`` and ``discount_share_182``, in days before.

    The share is of the price that discounts spared; null of whom nothing was bought in that time.
    """
    so_far = log.once(("spent so far",), until, lambda: _spent(log.until(until)))
    found = _before(rows, so_far, ("value", "saved"), (28, 91, 182))
    price = pl.col("value_182") + pl.col("saved_182")
    share = pl.when(price > 0).then(pl.col("saved_182") / price)
    unused = [f"saved_{days}" for days in (28, 91, 182)]
    return found.with_columns(discount_share_182=share).drop("value_182", "value_all", "saved_all", *unused)


def coupons_before(rows: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
    """Return ``rows`` with how many coupons each had used: ``coupons_all``, ``coupons_91``, and ``coupon_days_all``."""
    so_far = log.once(("coupons so far",), until, lambda: _used(log.until(until)))
    return _before(rows, so_far, ("coupons", "coupon_days"), (91,)).drop("coupon_days_91")


def _before(rows: pl.DataFrame, so_far: pl.DataFrame, names: Sequence[str], spans: Sequence[int]) -> pl.DataFrame:
    """Return ``rows`` with what had come together before each, ``<name>_all``, and in so many days, ``<name>_<n>``."""

    def told(ending: str) -> pl.DataFrame:
        return so_far.select(USER, "at", *[pl.col(name).alias(f"{name}_{ending}") for name in names])

    def filled(ending: str) -> list[pl.Expr]:
        return [pl.col(f"{name}_{ending}").fill_null(0.0) for name in names]

    found = _by_then(rows, told("all")).with_columns(filled("all"))
    for days in spans:
        found = _by_then(found, told("then"), timedelta(days=days)).with_columns(filled("then"))
        since = [(pl.col(f"{name}_all") - pl.col(f"{name}_then")).alias(f"{name}_{days}") for name in names]
        found = found.with_columns(since).drop(f"{name}_then" for name in names)
    return found


def _by_then(rows: pl.DataFrame, told: pl.DataFrame, ago: timedelta = timedelta(0)) -> pl.DataFrame:
    """Return ``rows`` with what was last told of each so long before; null where nothing was."""
    asked = rows.with_columns(then=pl.col(OCCURRED_AT) - ago).sort("then")
    found = asked.join_asof(told, left_on="then", right_on="at", by=USER, strategy="backward", check_sortedness=False)
    return found.drop("then", "at", strict=False)


def _shopping_days(log: Log) -> pl.DataFrame:
    """Return when each person's days with a purchase began, how many she had by then, in the order of time."""
    bought = log.events.filter(nw.col(KIND) == PURCHASE).select(USER, OCCURRED_AT)
    rows: pl.DataFrame = bought.collect("polars").to_native()
    day = pl.col(OCCURRED_AT).dt.truncate("1d")
    first = rows.group_by(USER, day.alias("day")).agg(last=pl.col(OCCURRED_AT).min()).sort("last", USER)
    return first.select(
        USER,
        "last",
        shopping_days=pl.col("last").cum_count().over(USER).cast(pl.Float64),
        at=pl.col("last") + A_MOMENT,
    )


def _spent(log: Log) -> pl.DataFrame:
    """Return what each had paid and saved by each moment, in the order of time; an amount that is none is nothing."""
    bought = log.events.filter(nw.col(KIND) == PURCHASE).select(USER, OCCURRED_AT, VALUE, DISCOUNT)
    lines: pl.DataFrame = bought.collect("polars").to_native()
    amounts = {"value": VALUE, "saved": DISCOUNT}
    kept = {
        name: pl.when(pl.col(of).is_finite()).then(pl.col(of).clip(0)).otherwise(0.0) for name, of in amounts.items()
    }
    baskets = lines.with_columns(**kept).group_by(USER, OCCURRED_AT).agg(*[pl.col(name).sum() for name in kept])
    return _added_up(baskets, tuple(kept))


def _used(log: Log) -> pl.DataFrame:
    used = log.events.filter(nw.col(KIND) == REDEEMED).select(USER, OCCURRED_AT)
    rows: pl.DataFrame = used.collect("polars").to_native()
    days = rows.group_by(USER, OCCURRED_AT).agg(coupons=pl.len().cast(pl.Float64)).sort(OCCURRED_AT, USER)
    new = pl.col(OCCURRED_AT).dt.date() != pl.col(OCCURRED_AT).dt.date().shift(1).over(USER)
    return _added_up(
        days.with_columns(coupon_days=new.fill_null(value=True).cast(pl.Float64)), ("coupons", "coupon_days")
    )


def _added_up(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    in_time = rows.sort(OCCURRED_AT, USER)
    return in_time.select(
        USER, *[pl.col(name).cum_sum().over(USER) for name in names], at=pl.col(OCCURRED_AT) + A_MOMENT
    )
