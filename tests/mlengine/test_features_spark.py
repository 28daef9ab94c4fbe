"""The same features, labels and answers on Spark as on Polars, over the same Parquet."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine import backtest, labels
from mlengine.columns import USER, Log
from mlengine.estimators import companions, examples, parts, repurchase, segments
from mlengine.estimators.lifetime_value import customers
from mlengine.features import FAMILIES
from mlengine.features.categories import category_shares, top_categories
from mlengine.interactions import interactions
from mlengine.messages import ordered, redeemed, sent
from mlengine.offers import trials
from mlengine.specs import SPECS
from mlengine.spent import coupons_before, spent_before
from tests.mlengine.every_kind import CUTOFF, log_of_every_kind
from tests.mlengine.frames import complete_journey_log
from tests.mlengine.quick import quick

pytestmark = [
    pytest.mark.slow,
    pytest.mark.spark,
    pytest.mark.filterwarnings("ignore"),  # Spark's own
]

DAY = timedelta(days=1)
WINDOW = 90 * DAY
JOURNEY = datetime(2017, 10, 6)


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    logging.getLogger("py4j").setLevel(logging.ERROR)  # it tells of closing its sockets after everything is closed
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    session = (
        sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .getOrCreate()
    )
    yield session
    session.stop()


@pytest.fixture(scope="module")
def here() -> Log:
    return log_of_every_kind()


@pytest.fixture(scope="module")
def there(session: Any, here: Log, tmp_path_factory: pytest.TempPathFactory) -> Log:
    return on_spark(session, here, tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def journey_there(session: Any, tmp_path_factory: pytest.TempPathFactory) -> Log:
    return on_spark(session, complete_journey_log(), tmp_path_factory.mktemp("journey"))


def on_spark(session: Any, log: Log, where: Path) -> Log:
    """Write the frames of a log as Parquet, and return them read by Spark."""

    def read(name: str) -> nw.LazyFrame[Any]:
        getattr(log, name).collect("polars").to_native().write_parquet(where / f"{name}.parquet")
        found: nw.LazyFrame[Any] = nw.from_native(session.read.parquet(str(where / f"{name}.parquet")))
        return found

    offers, relations = (None if getattr(log, name) is None else read(name) for name in ("offers", "relations"))
    return Log(
        events=read("events"), items=read("items"), profiles=read("profiles"), offers=offers, relations=relations
    )


def rows(frame: nw.LazyFrame[Any] | nw.DataFrame[Any] | pl.DataFrame) -> pl.DataFrame:
    """Return a frame of any engine as sorted rows."""
    eager = frame.collect("polars") if isinstance(frame, nw.LazyFrame) else frame
    native: pl.DataFrame = nw.to_native(eager, pass_through=True)
    return native.sort(native.columns)


def assert_same(found: Any, expected: Any, name: str) -> None:
    """Assert that frames, arrays, or what is made of them, agree: whole numbers and text exactly, others to 1e-9."""
    if isinstance(expected, pl.DataFrame):
        assert found.columns == expected.columns, name
        assert found.null_count().equals(expected.null_count()), name
        for column in expected.columns:
            assert_same(found[column].to_numpy(), expected[column].to_numpy(), f"{name}.{column}")
    elif isinstance(expected, np.ndarray) and expected.dtype.kind == "f":
        np.testing.assert_allclose(found.astype(float), expected, rtol=1e-9, atol=1e-9, err_msg=name)
    elif isinstance(expected, np.ndarray):
        assert found.tolist() == expected.tolist(), name
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected), name
        for n, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{name}[{n}]")
    else:
        assert found == expected, name


def _histories(log: Log) -> Any:
    people, told = customers.histories(log, CUTOFF)
    return [people, *(getattr(told, name) for name in told.__dataclass_fields__)]


def _bought(log: Log) -> Any:
    x = interactions(log, CUTOFF)
    friends = [] if x.friends is None else [x.friends.data, x.friends.indices]
    told = [x.users, x.items, x.user, x.item, x.age, x.basket, x.discounted, x.categories, x.available]
    return [*told, x.segments, x.texts, x.fresh, *friends]


def _bought_again(log: Log) -> Any:
    x = interactions(log, CUTOFF)
    return rows(repurchase._bought_again(log, CUTOFF, CUTOFF + 28 * DAY, x))


# What specs ask of the frames beside the families of features, by who asks first.
QUESTIONS: Mapping[str, Callable[[Log], Any]] = {
    "how much there is": lambda log: vars(backtest.extent(log, CUTOFF, WINDOW)),
    "churn: begins": lambda log: examples.begins_at(log, "purchase"),
    "churn: labels": lambda log: rows(labels.churn(log, CUTOFF, 28 * DAY, WINDOW)),
    "churn: a sample": lambda log: rows(parts.sampled(log, 0.3).events.select(USER).unique()),
    "staying_away: labels": lambda log: rows(labels.weeks_until_next(log, CUTOFF, 84 * DAY)),
    "value: labels": lambda log: rows(labels.spending(log, CUTOFF, 84 * DAY, WINDOW)),
    "value: histories": _histories,
    "clusters: top categories": lambda log: top_categories(log, CUTOFF, 4),
    "clusters: shares": lambda log: rows(category_shares(log, CUTOFF, ["c1", "c2", "none"])),
    "rfm: what came after": lambda log: rows(segments._behaviour(log, CUTOFF, CUTOFF + 28 * DAY, "purchase")),
    "companions: sequences": lambda log: rows(companions._sequences(log, CUTOFF)),
    "recommendations, discovery and repurchase: bought": _bought,
    "repurchase: bought again": _bought_again,
    "response: messages": lambda log: rows(sent(log, CUTOFF, 7 * DAY)),
    "conversion: orders": lambda log: rows(ordered(log, CUTOFF, 14 * DAY)),
    "redemption: coupons": lambda log: rows(redeemed(log, CUTOFF, 42 * DAY)),
    "redemption: spent": lambda log: rows(_spent_before(log)),
    "uplift: trials": lambda log: rows(trials(log, CUTOFF, 14 * DAY).rows),
}


def _spent_before(log: Log) -> pl.DataFrame:
    letters = sent(log, CUTOFF, 7 * DAY).sort(USER, "occurred_at")
    return spent_before(coupons_before(letters, log, CUTOFF), log, CUTOFF)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_of_features_agree(name: str, here: Log, there: Log) -> None:
    expected, found = (rows(FAMILIES[name](log, CUTOFF)) for log in (here, there))
    assert len(expected) > 80
    assert_same(found.sort(USER), expected.sort(USER), name)


ALWAYS = ("how much there is", "churn: labels", "churn: a sample", "staying_away: labels", "value: labels")


@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.nightly) for name in QUESTIONS]
)
def test_what_specs_ask_beside_features_agrees(name: str, here: Log, there: Log) -> None:
    assert_same(QUESTIONS[name](there), QUESTIONS[name](here), name)


@pytest.mark.nightly
@pytest.mark.parametrize("name", FAMILIES)
def test_families_agree_on_real_shopping(name: str, journey_there: Log) -> None:
    expected, found = (rows(FAMILIES[name](log, JOURNEY)) for log in (complete_journey_log(), journey_there))
    assert_same(found.sort(USER), expected.sort(USER), name)


@pytest.mark.nightly
@pytest.mark.parametrize("name", SPECS)
def test_a_model_learned_on_spark_answers_there_as_one_learned_here_does_here(name: str, here: Log, there: Log) -> None:
    spec = quick(SPECS[name])
    verbs = replace(spec, parameters={**spec.parameters, **SMALL.get(name, {})}).verbs
    expected, found = (rows(verbs.predict(verbs.fit(log, CUTOFF), log, CUTOFF)) for log in (here, there))
    assert len(expected) > 0
    assert_same(found, expected, name)


SMALL: Mapping[str, Mapping[str, Any]] = {"clusters": {"fewest": 4, "most": 4, "bootstraps": 2}}
