"""The same features on Spark as on Polars, over the same Parquet."""

import logging
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pytest

from mlengine.columns import USER, Log
from mlengine.estimators.examples import sampled
from mlengine.features import FAMILIES
from mlengine.labels import churn
from tests.mlengine.frames import complete_journey_log

pytestmark = [pytest.mark.slow, pytest.mark.spark]

CUTOFF = datetime(2017, 10, 6)


@pytest.fixture(scope="module")
def on_spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    sql = pytest.importorskip("pyspark.sql")
    where = tmp_path_factory.mktemp("lake")
    logging.getLogger("py4j").setLevel(logging.ERROR)  # it tells of closing its sockets after everything is closed
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    session = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    try:
        log = complete_journey_log()
        frames = {name: _written(session, getattr(log, name), where / f"{name}.parquet") for name in _FRAMES}
        yield Log(events=frames["events"], items=frames["items"], profiles=frames["profiles"])
    finally:
        session.stop()


_FRAMES = ("events", "items", "profiles")


def _written(session: Any, frame: nw.LazyFrame[Any], path: Path) -> nw.LazyFrame[Any]:
    frame.collect("polars").to_native().write_parquet(path)
    read: nw.LazyFrame[Any] = nw.from_native(session.read.parquet(str(path)))
    return read


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")  # Spark's own
def test_polars_and_spark_agree_to_nine_decimals(on_spark: Log) -> None:
    for name, family in FAMILIES.items():
        here = family(complete_journey_log(), CUTOFF).sort(USER).collect("polars").to_native()
        there = family(on_spark, CUTOFF).collect("polars").to_native().sort(USER)
        assert there.columns == here.columns, name
        assert there.null_count().equals(here.null_count()), name
        for column in here.columns:
            a, b = here[column].cast(float).to_numpy(), there[column].cast(float).to_numpy()
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-9, err_msg=f"{name}.{column}")


@pytest.mark.filterwarnings("ignore")
def test_labels_agree_exactly(on_spark: Log) -> None:
    here, there = (
        churn(log, CUTOFF, timedelta(days=28), timedelta(days=90)).collect("polars").to_native().sort(USER)
        for log in (complete_journey_log(), on_spark)
    )
    assert there.rows() == here.rows()


def test_both_take_the_same_people_for_a_sample(on_spark: Log) -> None:
    asked = [sampled(log, 0.3).events.select(USER).unique() for log in (complete_journey_log(), on_spark)]
    here, there = (sorted(frame.collect("polars")[USER].to_list()) for frame in asked)
    assert here == there
    assert 0.25 < len(here) / 2500 < 0.35
