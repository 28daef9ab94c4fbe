"""What runs the frames: Polars on one machine, or Spark on a cluster over the same Parquet files."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import narwhals as nw
from django.conf import settings

from crm.lake_manifest import root

if TYPE_CHECKING:  # web processes may load this module; an engine is loaded by whoever reads
    import polars as pl


class UnknownEngine(ValueError):
    """ENGINE names nothing that runs frames."""


def scan(paths: Sequence[Path]) -> nw.LazyFrame[Any]:
    """Return Parquet files of one schema as one lazy frame."""
    if _spark():
        found: nw.LazyFrame[Any] = nw.from_native(_session().read.parquet(*map(str, paths)))
        return found
    import polars as pl  # noqa: PLC0415

    return nw.from_native(pl.scan_parquet(list(paths)))


def table(frame: "pl.LazyFrame", name: str) -> nw.LazyFrame[Any]:
    """Return a small table (people, items) for the engine; Spark reads it from a file beside the lake."""
    if not _spark():
        return nw.from_native(frame)
    path = root() / "tables" / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.sink_parquet(path)
    return scan([path])


def kept(frame: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return the frame computed once, where the engine has one memory; a training asks it hundreds of questions."""
    return frame if _spark() else frame.collect().lazy()


def _spark() -> bool:
    if settings.ENGINE not in {"polars", "spark"}:
        raise UnknownEngine(f"ENGINE is {settings.ENGINE!r}; known are 'polars' and 'spark'.")
    return bool(settings.ENGINE == "spark")


def _session() -> Any:
    from pyspark.sql import SparkSession  # noqa: PLC0415 (the extra "spark", only where ENGINE asks for it)

    logging.getLogger("py4j").setLevel(logging.WARNING)  # it tells of every message to the JVM
    return SparkSession.builder.appName("zhiyin").getOrCreate()
