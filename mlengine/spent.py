"""What somebody had spent, saved and redeemed before a moment, for many moments at once; nothing later counts.

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
A_DAY: Final = timedelta(days=1)


def spent_before(rows: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
    """Return ``rows`` (user, occurred_at) with ``value_28``, ``value_91`` and ``discount_share_182``, in days before.

    The share is of the price that discounts spared; null of whom nothing was bought in that time.
    """
    so_far = log.once(("spent so far",), until, lambda: _spent(log.until(until)))
    found = rows
    for days in (28, 91, 182):
        found = _within(found, so_far, ("value", "saved"), days)
    price = pl.col("value_182") + pl.col("saved_182")
    share = pl.when(price > 0).then(pl.col("saved_182") / price)
    return found.with_columns(discount_share_182=share).drop("value_182", "saved_28", "saved_91", "saved_182")


def coupons_before(rows: pl.DataFrame, log: Log, until: datetime) -> pl.DataFrame:
    """Return ``rows`` with how many coupons each had used: ``coupons_all``, ``coupons_91``, and ``coupon_days_all``."""
    so_far = log.once(("coupons so far",), until, lambda: _used(log.until(until)))
    found = _within(_within(rows, so_far, ("coupons", "coupon_days"), None), so_far, ("coupons",), 91)
    return found.with_columns(pl.col("coupons_91").cast(pl.Float64))


def _within(rows: pl.DataFrame, so_far: pl.DataFrame, names: Sequence[str], days: int | None) -> pl.DataFrame:
    """Return ``rows`` with ``<name>_<days>``: what had come together in so many days before each; of all time None."""
    now = _at(rows, so_far, names, "now", timedelta(0))
    if days is None:
        return now.rename({f"{name}_now": f"{name}_all" for name in names})
    both = _at(now, so_far, names, "then", timedelta(days=days))
    told = [(pl.col(f"{name}_now") - pl.col(f"{name}_then")).alias(f"{name}_{days}") for name in names]
    return both.with_columns(told).drop(*(f"{name}_{when}" for name in names for when in ("now", "then")))


def _at(rows: pl.DataFrame, so_far: pl.DataFrame, names: Sequence[str], when: str, ago: timedelta) -> pl.DataFrame:
    told = so_far.select(USER, "at", *[pl.col(name).alias(f"{name}_{when}") for name in names])
    asked = rows.with_columns(then=pl.col(OCCURRED_AT) - ago).sort("then")
    found = asked.join_asof(told, left_on="then", right_on="at", by=USER, strategy="backward", check_sortedness=False)
    filled = [pl.col(f"{name}_{when}").fill_null(0.0) for name in names]
    return found.with_columns(filled).drop("then", "at", strict=False)


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
