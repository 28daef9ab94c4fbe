"""Repurchase: rhythms that are known come back as dates, and stopping is told from waiting."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from mlengine.estimators.renewal import Renewal, Rhythm
from mlengine.estimators.repurchase import Repurchase, Rhythms
from mlengine.specs import NotEnoughData
from tests.mlengine.frames import log_of

CUTOFF = datetime(2026, 1, 1)
DAY = timedelta(days=1)
TASK = Repurchase(horizon=28 * DAY, activity_window=182 * DAY)


def bought(rows: list[tuple[int, int, float]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user": [user for user, _, _ in rows],
            "item": [item for _, item, _ in rows],
            "kind": ["purchase"] * len(rows),
            "occurred_at": [CUTOFF - ago * DAY for _, _, ago in rows],
            "session": [str(n) for n, _ in enumerate(rows)],
        }
    )


def every(user: int, item: int, days: float, times: int, last: float) -> list[tuple[int, int, float]]:
    return [(user, item, last + n * days) for n in range(times)]


ITEMS = pl.DataFrame({"item": [1, 2], "category": ["food", "care"], "subcategory": ["milk", None]})
# Milk is bought every 7 days and razors every 60, by twenty people each; everybody's last purchase is some days ago.
SHOP = [row for user in range(20) for row in every(user, 1, 7.0, 12, 1.5 + user % 5)] + [
    row for user in range(20) for row in every(user, 2, 60.0, 4, 45.5 + user % 5)
]


def test_what_is_bought_every_week_is_due_a_week_after_the_last_time() -> None:
    log = log_of(bought(SHOP), ITEMS)
    answers = TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF).to_native()
    milk = answers.filter((pl.col("user") == 0) & (pl.col("item") == 1)).row(0, named=True)
    assert milk["due"] == pytest.approx(7.0 - 1.5, abs=1.0)
    assert (milk["times"], milk["last_days"], milk["category"]) == (12, 1.5, "milk")
    assert milk["every_days"] == pytest.approx(7.0, abs=0.3)
    assert milk["due_from"] < milk["due"] < milk["due_until"]
    assert milk["score"] > 0.9
    razors = answers.filter((pl.col("user") == 0) & (pl.col("item") == 2)).row(0, named=True)
    assert razors["due"] == pytest.approx(60.0 - 45.5, abs=5.0)
    assert razors["category"] == "care"


def test_whole_categories_stand_beside_items_and_ranks_have_no_holes() -> None:
    log = log_of(bought(SHOP), ITEMS)
    answers = TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF).to_native()
    mine = answers.filter(pl.col("user") == 3)
    assert mine["rank"].to_list() == list(range(1, len(mine) + 1))
    assert mine["score"].is_sorted(descending=True)
    assert set(mine.filter(pl.col("item").is_null())["category"]) == {"milk", "care"}


def test_who_has_been_silent_for_ten_gaps_is_thought_to_have_stopped() -> None:
    lapsed = [row for user in range(20, 30) for row in every(user, 1, 7.0, 6, 75.5)]
    log = log_of(bought([*SHOP, *lapsed]), ITEMS)
    model = TASK.fit(log, CUTOFF)
    answers = TASK.predict(model, log, CUTOFF).to_native()
    assert answers.filter((pl.col("user") == 25) & (pl.col("item") == 1)).is_empty()
    assert model.items.dropout_[5] == pytest.approx(1 / 3, abs=0.02)  # ten of thirty stopped after six times
    assert model.items.dropout_[0] < 0.05  # and nobody after one


def test_two_purchases_on_one_day_are_no_rhythm() -> None:
    log = log_of(bought([*every(1, 1, 7.0, 3, 2.0), (2, 2, 5.1), (2, 2, 5.2)]), ITEMS)
    answers = TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF).to_native()
    assert answers.filter(pl.col("user") == 2).is_empty()


def test_nobody_who_came_twice_is_nothing_to_learn_from() -> None:
    log = log_of(bought([(1, 1, 3.0), (2, 1, 4.0)]), ITEMS)
    with pytest.raises(NotEnoughData, match="on two days"):
        TASK.fit(log, CUTOFF)


def test_what_was_learned_survives_the_disk(tmp_path: Path) -> None:
    log = log_of(bought(SHOP), ITEMS)
    model = TASK.fit(log, CUTOFF)
    model.save(tmp_path)
    one, other = (TASK.predict(kept, log, CUTOFF).to_native() for kept in (model, Rhythms.load(tmp_path)))
    assert one.equals(other)
    assert {path.suffix for path in tmp_path.iterdir()} == {".npz"}


def test_nothing_after_the_cutoff_changes_an_answer() -> None:
    before, after = (log_of(bought([*SHOP, *more]), ITEMS) for more in ([], [(0, 2, -3.0), (0, 1, -1.0)]))
    one, other = (TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF).to_native() for log in (before, after))
    assert one.equals(other)


def test_items_that_came_after_the_training_have_the_mean_of_all() -> None:
    log = log_of(bought(SHOP), ITEMS)
    model = TASK.fit(log, CUTOFF)
    later = CUTOFF + 30 * DAY
    grown = log_of(bought([*SHOP, *every(1, 9, 5.0, 3, -20.0)]), ITEMS)
    answers = TASK.predict(model, grown, later).to_native()
    assert answers.filter((pl.col("user") == 1) & (pl.col("item") == 9))["times"].to_list() == [3]


def test_the_model_finds_what_made_the_data() -> None:
    """Gaps with a known spread around people's own means, around one mean, and a third who stop after each purchase."""
    rng, n = np.random.default_rng(0), 4000
    own = rng.normal(2.5, 0.4, n)
    since, times, logs, squares = np.empty(n), np.empty(n, np.int64), np.zeros(n), np.zeros(n)
    for pair in range(n):
        at, times[pair] = rng.uniform(0, 300), 1
        while rng.random() > 1 / 3:
            gap = np.exp(rng.normal(own[pair], 0.5))
            if at - gap < 0:
                break
            at, times[pair] = at - gap, times[pair] + 1
            logs[pair], squares[pair] = logs[pair] + np.log(gap), squares[pair] + np.log(gap) ** 2
        since[pair] = max(at, 0.5)
    rhythm = Rhythm(thing=np.zeros(n, np.int64), times=times, logs=logs, squares=squares, since=since)
    model = Renewal().fit(rhythm, np.array([7]))
    assert model.mean_ == pytest.approx(2.5, abs=0.1)
    assert model.within_ == pytest.approx(0.25, abs=0.03)
    assert model.between_ == pytest.approx(0.16, abs=0.06)
    assert model.dropout_[:4] == pytest.approx(1 / 3, abs=0.06)
