"""Tables of any columns: what a fitted ensemble knows of data whose answer is known, and what it makes of bad ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from mlengine.estimators import crosses
from mlengine.estimators.crosses import Cross, Crosses
from mlengine.estimators.tables import Encoder
from mlengine.estimators.tabular import Tabular, TabularEnsemble
from mlengine.metrics.calibration import calibration_error
from mlengine.metrics.classification import roc_auc
from mlengine.specs import NotEnoughData

QUICK = Tabular(folds=2)


def made(n: int = 1500, seed: int = 0) -> tuple[pl.DataFrame, NDArray[Any], NDArray[Any]]:
    """Return a table, labels drawn from known probabilities, and those: a bend, a category, and an exclusive or."""
    rng = np.random.default_rng(seed)
    age, left, right = rng.uniform(18, 80, n), rng.integers(0, 2, n), rng.integers(0, 2, n)
    town = rng.choice(["north", "south", "east"], n)
    raw = 2.0 * np.abs(age - 45) / 30 - 1.5 + 1.2 * (town == "south") + 1.6 * (left ^ right)
    p = 1 / (1 + np.exp(-raw))
    table = pl.DataFrame({"age": age, "town": town, "left": left, "right": right, "noise": rng.normal(size=n)})
    return table, (rng.random(n) < p).astype(np.int64), p


@pytest.fixture(scope="module")
def fitted() -> TabularEnsemble:
    table, y, _ = made()
    return QUICK.fit(table, y)


def test_what_was_drawn_from_known_probabilities_is_nearly_found(fitted: TabularEnsemble) -> None:
    table, y, p = made(seed=1)
    said = fitted.probability(table)
    assert roc_auc(y, said) > roc_auc(y, p) - 0.03
    assert calibration_error(y, said) < 0.06
    assert float(np.mean(np.abs(said - p))) < 0.08


def test_a_pair_that_says_something_only_together_is_found() -> None:
    table, y, _ = made()
    X = Encoder.fit(nw.from_native(table))(nw.from_native(table))
    pairs = crosses.find(X, y, np.full(len(y), y.mean()), np.random.default_rng(0), 3)
    assert pairs[0] == (2, 3)
    cell = Cross.fit(X, y, (2, 3))
    alike, unlike = cell(X[X[:, 2] == X[:, 3]]), cell(X[X[:, 2] != X[:, 3]])
    assert alike.max() < unlike.min()


def test_no_row_is_told_its_own_label() -> None:
    """A column that names each row says nothing of it out of fold; told with its own label it would say all."""
    y = np.random.default_rng(0).integers(0, 2, 60).astype(float)
    X = np.column_stack([np.arange(60.0), np.zeros(60)])
    cross = Crosses.fit(X, y, [(0, 1)])
    assert roc_auc(y, cross(X)[:, 2]) == 1.0
    flipped = 1 - y
    told, other = (cross.out_of_fold(X, each, np.random.default_rng(1))[:, 2] for each in (y, flipped))
    for n in range(60):  # what a row is told changes with the others' labels, never with its own alone
        one = y.copy()
        one[n] = 1 - one[n]
        again = cross.out_of_fold(X, one, np.random.default_rng(1))[:, 2]
        assert again[n] == told[n]
    assert not np.array_equal(told, other)


def test_a_model_kept_and_read_again_says_exactly_the_same(fitted: TabularEnsemble, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    table, _, _ = made(200, seed=2)
    assert TabularEnsemble.load(tmp_path).probability(table).tolist() == fitted.probability(table).tolist()
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".npz", ".txt"}


def test_learning_twice_gives_the_same_answers() -> None:
    table, y, _ = made(150)
    first, second = (QUICK.fit(table, y).probability(table).tolist() for _ in range(2))
    assert second == first


def test_a_member_that_only_guesses_has_little_weight() -> None:
    table, y, _ = made(800)
    noise = np.random.default_rng(3).permutation(y)
    known, guessed = QUICK.fit(table, y), QUICK.fit(table, noise)
    assert sum(known.weights.values()) > 0.7
    assert np.std(guessed.probability(table)) < 0.1 < np.std(known.probability(table))


SPOILT: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "a category never seen": lambda table: table.with_columns(town=pl.lit("moon")),
    "nulls": lambda table: table.with_columns(pl.lit(None, pl.Float64).alias("age")),
    "infinities": lambda table: table.with_columns(age=pl.lit(float("inf")), noise=pl.lit(float("-inf"))),
    "not a number": lambda table: table.with_columns(noise=pl.lit(float("nan"))),
    "words for numbers": lambda table: table.with_columns(age=pl.lit("about forty")),
    "a column missing": lambda table: table.drop("town"),
    "a column more": lambda table: table.with_columns(extra=pl.lit(1)),
    "columns in another order": lambda table: table.select(reversed(table.columns)),
    "far beyond what was seen": lambda table: table.with_columns(age=pl.lit(1e300), noise=pl.lit(-1e300)),
}


@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_spoilt_table_still_gets_probabilities(fitted: TabularEnsemble, spoilt: str) -> None:
    table, _, _ = made(50, seed=4)
    said = fitted.probability(SPOILT[spoilt](table))
    assert said.shape == (50,)
    assert np.all((said > 0) & (said < 1))


def test_nobody_is_answered_with_nothing(fitted: TabularEnsemble) -> None:
    assert fitted.probability(made(5)[0].clear()).shape == (0,)


def test_a_table_may_hold_anything_to_learn_from() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    table = pl.DataFrame(
        {
            "same": ["a"] * 120,
            "nothing": pl.Series([None] * 120, dtype=pl.String),
            "ids": [f"id {n}" for n in range(120)],
            "flag": [bool(each) for each in y],
            "mixed": [" 12 ", "", "7.5", None] * 30,
            "wild": [float("inf"), float("-inf"), float("nan"), None] * 30,
            "when": pl.Series([n * 10**9 for n in range(120)]).cast(pl.Datetime("us")),
        }
    )
    model = QUICK.fit(table, y)
    assert model.encoder.names == ("flag", "mixed", "when")
    assert roc_auc(y, model.probability(table)) > 0.95


@pytest.mark.parametrize(("did", "rows"), [(0, 100), (100, 100), (3, 100), (0, 0)])
def test_too_few_of_a_label_is_refused_with_what_there_is(did: int, rows: int) -> None:
    table, _, _ = made(rows)
    y = np.array([1] * did + [0] * (rows - did))
    with pytest.raises(NotEnoughData, match=f"{did} of {rows}"):
        QUICK.fit(table, y)


def test_a_table_in_which_nobody_differs_is_refused() -> None:
    with pytest.raises(NotEnoughData, match="one value throughout"):
        QUICK.fit(pl.DataFrame({"a": [1.0] * 40, "b": ["x"] * 40}), np.array([0, 1] * 20))


def test_ten_rows_are_enough_to_answer() -> None:
    table, _, _ = made(10)
    said = QUICK.fit(table, np.array([0, 1] * 5)).probability(table)
    assert np.all((said > 0) & (said < 1))
