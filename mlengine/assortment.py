"""What is offered: the items that people bought, and those that nobody has bought yet, with what is known of them."""

from datetime import datetime, timedelta
from typing import Any, Final

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl

from mlengine.columns import ADDED_AT, AVAILABLE_FROM, AVAILABLE_TO, BRAND, CATEGORY, ITEM, TEXT, Log

NEW: Final = timedelta(days=90)
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def catalogue(log: Log, items: Ints) -> pl.DataFrame:
    """Return what is known of each of the items, in their order."""
    return (
        pl.DataFrame({ITEM: items})
        .join(_offered(log), on=ITEM, how="left", maintain_order="left")
        .with_columns(pl.col(TEXT).fill_null(""))
    )


def fresh(log: Log, items: Ints, cutoff: datetime) -> pl.DataFrame:
    """Return what is new, can be had now and can be read about, and what nobody has bought yet.

    New is what has been offered for at most three months, or as long in the catalogue where nobody said since when it
    is offered: what lay there for longer and found no buyer is no news.
    """
    offered = _offered(log).join(pl.DataFrame({ITEM: items}), on=ITEM, how="anti").filter(pl.col(TEXT) != "")
    since = pl.coalesce(AVAILABLE_FROM, ADDED_AT)
    offered = offered.filter((since <= cutoff) & (since > cutoff - NEW))
    return offered.filter(available(offered, cutoff)).select(ITEM, TEXT).sort(ITEM)


def described(log: Log) -> pl.DataFrame:
    """Return what kind of thing each item is, category and brand; None where it is not known."""
    there = log.items.collect_schema().names()
    asked = [name for name in (CATEGORY, BRAND) if name in there]
    found = collected(log.items.select(ITEM, *asked)).unique(ITEM, keep="first", maintain_order=True)
    return found.with_columns(pl.lit(None, pl.String).alias(name) for name in (CATEGORY, BRAND) if name not in there)


def codes(offered: pl.DataFrame) -> Ints:
    """Return one number an item, equal for items of one (category, subcategory)."""
    name = pl.concat_str(CATEGORY, "subcategory", separator="/", ignore_nulls=True)
    found = offered.select(name.rank("dense").cast(pl.Int64) - 1).to_series()
    return found.to_numpy().astype(np.int64)


def available(offered: pl.DataFrame, cutoff: datetime) -> Bools:
    """Return whether each item may be had at the cutoff."""
    since, until = pl.col(AVAILABLE_FROM), pl.col(AVAILABLE_TO)
    open_now = (since.is_null() | (since <= cutoff)) & (until.is_null() | (until > cutoff))
    return offered.select(open_now).to_series().to_numpy().astype(bool)


def _offered(log: Log) -> pl.DataFrame:
    """Return the catalogue; frames that were made before items had texts have none."""
    there = log.items.collect_schema().names()
    later = {TEXT: pl.lit(""), ADDED_AT: pl.lit(None, pl.Datetime("us"))}
    columns = (ITEM, CATEGORY, "subcategory", AVAILABLE_FROM, AVAILABLE_TO, *(name for name in later if name in there))
    found = collected(log.items.select(*columns)).unique(ITEM, keep="first", maintain_order=True)
    return found.with_columns(made.alias(name) for name, made in later.items() if name not in there)


def collected(frame: nw.LazyFrame[Any]) -> pl.DataFrame:
    """Return a frame of any engine as Polars has it."""
    return frame.collect("polars").to_native()  # type: ignore[no-any-return]
