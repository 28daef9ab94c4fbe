"""The task of value on files of any kind: what it says of good ones, and what of bad."""

from pathlib import Path

import polars as pl
import pytest

from mlengine.benchmarks import Asked, BadFile, value
from mlengine.benchmarks.checkpoints import Checkpoints
from tests.mlengine.test_value import lives


def measured(frame: pl.DataFrame, below: Path, **options: str) -> dict[tuple[str, str], float]:
    asked = Asked(checkpoints=Checkpoints(below), estimators=("rate_so_far", "pareto_nbd"), options=options)
    return {(line.estimator, line.metric): line.value for line in value.run(frame, asked)}


def shop() -> pl.DataFrame:
    return lives().select(customer=pl.col("user").cast(pl.String), at="occurred_at", amount="value")


def test_every_estimator_is_judged_by_purchases_and_by_money(tmp_path: Path) -> None:
    found = measured(shop(), tmp_path)
    assert {metric for _, metric in found} == {*value.METRICS, *(f"spend_{name}" for name in value.METRICS)}
    assert found["pareto_nbd", "rmse"] < found["rate_so_far", "rmse"]
    assert found["pareto_nbd", "spend_rmse"] < found["rate_so_far", "spend_rmse"]


def test_dates_as_words_and_amounts_that_are_missing_are_read(tmp_path: Path) -> None:
    words = shop().with_columns(pl.col("at").dt.strftime("%Y-%m-%d %H:%M"), amount=pl.lit(None, pl.Float64))
    by_date = measured(shop(), tmp_path / "a", until="2025-06-30", days="90")
    by_word = measured(words, tmp_path / "b", until="2025-06-30", days="90")
    assert by_word["rate_so_far", "mae"] == by_date["rate_so_far", "mae"]


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        ({"currency": pl.Series(["CNY", "USD"] * 450 + ["CNY"] * 20_000)}, {}, "several currencies .*: CNY, USD"),
        ({"at": pl.lit("soon")}, {}, "must be dates"),
        ({"at": pl.lit(None, pl.Datetime)}, {}, "rows without at"),
        ({"amount": pl.lit(float("inf"))}, {}, "infinite"),
        ({}, {"until": "tomorrow"}, "no date like"),
        ({}, {"until": "2030-01-01"}, "Nothing to learn from, or to judge by"),
    ],
)
def test_bad_files_are_told_what_is_bad(
    change: dict[str, pl.Expr | pl.Series], options: dict[str, str], said: str, tmp_path: Path
) -> None:
    frame = shop()
    bad = {name: one.head(len(frame)) if isinstance(one, pl.Series) else one for name, one in change.items()}
    with pytest.raises(BadFile, match=said):
        measured(frame.with_columns(**bad), tmp_path, **options)


def test_dates_as_whole_numbers_are_days_of_the_calendar(tmp_path: Path) -> None:
    numbers = shop().with_columns(pl.col("at").dt.strftime("%Y%m%d").cast(pl.Int64))
    assert measured(numbers, tmp_path / "a") == measured(shop(), tmp_path / "b")
