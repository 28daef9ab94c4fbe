"""The benchmark tasks with a yes or no: on a file whose answer is known, and on files that cannot be measured."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from mlengine import benchmarks
from mlengine.benchmarks import Asked, BadFile, churn, response_rate, yes_or_no
from mlengine.benchmarks.checkpoints import Checkpoints


def table(n: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    label = np.where(rng.random(n) < 1 / (1 + np.exp(-2 * x)), "Yes", "No")
    return pl.DataFrame({"x": x, "town": rng.choice(["a", "b"], n), "label": label})


@pytest.mark.parametrize(("name", "estimator"), [("churn", "ensemble"), ("response_rate", "logistic")])
def test_a_task_measures_what_is_known(name: str, estimator: str, tmp_path: Path) -> None:
    asked = Asked(checkpoints=Checkpoints(tmp_path), estimators=(estimator,), options={"folds": "2"})
    lines = {line.metric: line for line in benchmarks.task(name).run(table(), asked)}
    assert set(lines) == {"roc_auc", "average_precision", "brier", "calibration_error", "log_loss"}
    auc = lines["roc_auc"]
    assert auc.low is not None
    assert auc.high is not None
    assert 0.74 < auc.low < auc.value < auc.high < 0.95  # the true probabilities reach 0.88
    assert not lines["brier"].higher_is_better
    assert auc.is_baseline == (estimator != "ensemble")


def test_a_row_judged_by_three_parts_is_one_customer_in_the_interval() -> None:
    rng = np.random.default_rng(1)
    rows = np.arange(400)
    y = (rng.random(400) < 0.5).astype(float)

    def share(drawn: NDArray[Any]) -> float:
        return float(y[drawn].mean())

    once, thrice = (yes_or_no._interval([share] * n, [rows] * n) for n in (1, 3))
    assert thrice == pytest.approx(once)
    assert yes_or_no._interval([lambda _: float("nan")], [rows]) == (None, None)


def test_cuts_are_those_of_the_published_protocols() -> None:
    y = np.array([0, 1, 1, 0] * 25)
    three = list(churn.PROTOCOL.cuts(y, 1337))
    assert [(len(learn), len(judge)) for learn, judge in three] == [(75, 25)] * 3
    ten = list(response_rate.PROTOCOL.cuts(y, 42))
    assert sorted(np.concatenate([judge for _, judge in ten]).tolist()) == list(range(100))
    assert all(not set(learn) & set(judge) for learn, judge in three + ten)


@pytest.mark.parametrize(
    ("labels", "said"),
    [(["yes", "maybe"], "also says 'maybe'"), (["yes", None], "also says 'none'"), (["1", "yes"], "the same label")],
)
def test_a_file_that_cannot_be_judged_is_refused(labels: list[str | None], said: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0] * 10, "label": labels * 10})
    with pytest.raises(BadFile, match=said):
        list(churn.run(frame, Asked(checkpoints=Checkpoints(tmp_path))))


def test_too_few_of_one_label_are_refused_before_anything_is_cut(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": np.arange(30.0), "label": [1] * 7 + [0] * 23})
    with pytest.raises(BadFile, match="Needs 8 rows of either label to cut into parts, has 7"):
        list(churn.run(frame, Asked(checkpoints=Checkpoints(tmp_path))))


def test_columns_of_one_value_are_refused_by_every_estimator(tmp_path: Path) -> None:
    told: list[str] = []
    asked = Asked(checkpoints=Checkpoints(tmp_path), refused=lambda name, error: told.append(f"{name}: {error}"))
    frame = pl.DataFrame({"x": [1.0] * 40, "label": [1, 0] * 20})
    assert list(churn.run(frame, asked)) == []
    assert told == [f"{name}: No column tells rows apart: each has one value throughout." for name in churn.ESTIMATORS]
