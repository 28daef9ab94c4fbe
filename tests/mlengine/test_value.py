"""What people will spend: intervals that hold what they should, reasons that add up, and logs as bad as they come."""

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine import labels, summaries
from mlengine.columns import PURCHASE, SCORE, USER, Log
from mlengine.estimators.lifetime_value.two_stage import LEVELS, Residuals
from mlengine.estimators.value import Value, ValueModel
from mlengine.models import PredictionRun
from mlengine.reasons import TEXTS
from mlengine.specs import SPECS, NotEnoughData
from tests.mlengine.frames import log_of, purchases

DAY = timedelta(days=1)
MINUTES = timedelta(minutes=2)
OPENED, END = datetime(2025, 1, 1), datetime(2026, 1, 1)
CUTOFF = END - 56 * DAY
TASK = Value(horizon=56 * DAY, activity_window=120 * DAY, most_cutoffs=2, growing={"rounds": 40, "seeds": 1})
PEOPLE = 500


@cache
def lives() -> pl.DataFrame:
    """Return a year of purchases: rates, sizes and departures of everybody's own, all by chance."""
    rng = np.random.default_rng(5)
    rows = []
    for user in range(PEOPLE):
        rate, size = rng.gamma(1.0, 1 / 12), rng.lognormal(3.0, 0.6)
        begins, stays = rng.uniform(0, 200), rng.exponential(500)
        at = begins
        while at < min(365, begins + stays):
            rows.append((user, OPENED + at * DAY, round(size * rng.lognormal(0, 0.4), 2)))
            at += rng.exponential(1 / max(rate, 1e-4))
    return purchases(rows)


@cache
def learned() -> tuple[Log, ValueModel]:
    log = log_of(lives())
    return log, TASK.fit(log, CUTOFF)


def test_nineteen_in_twenty_spend_what_their_interval_says() -> None:
    log, model = learned()
    found = TASK.evaluate(TASK.predict(model, log, CUTOFF), log, CUTOFF)
    assert 0.92 <= found["coverage_95"].value <= 0.98
    assert found["total_ratio"].value == pytest.approx(1.0, abs=0.15)
    # The second is how these people were made; the first is what anybody would reckon.
    for name, share in (("rate_so_far", 0.95), ("pareto_nbd", 1.15)):
        rival = TASK.baselines()[name]
        theirs = rival.evaluate(rival.predict(rival.fit(log, CUTOFF), log, CUTOFF), log, CUTOFF)
        assert found["mean_absolute_error"].value < share * theirs["mean_absolute_error"].value, name


def test_intervals_of_a_known_distribution_hold_ninety_five_in_a_hundred() -> None:
    rng = np.random.default_rng(1)
    expected = rng.lognormal(3, 1, 20_000)
    spread = np.where(expected < np.median(expected), 0.9, 0.3)  # those who spend little are harder to tell
    residuals = Residuals.of(expected, expected * rng.lognormal(-(spread**2) / 2, spread))
    spent = expected * rng.lognormal(-(spread**2) / 2, spread)
    low, high = (expected * residuals.at(expected, np.full(20_000, level)) for level in (0.025, 0.975))
    for group in (spread == 0.9, spread == 0.3):
        assert np.mean((spent >= low) & (spent <= high)) == pytest.approx(0.95, abs=0.02)
        assert np.mean(((spent >= low) & (spent <= high))[group]) == pytest.approx(0.95, abs=0.02)


def test_few_residuals_make_one_group() -> None:
    residuals = Residuals.of(np.array([10.0, 20.0]), np.array([20.0, 10.0]))
    assert residuals.quantiles.shape == (1, len(LEVELS))
    assert residuals.at(np.array([5.0]), np.array([0.0]))[0] == pytest.approx(0.5)
    assert residuals.at(np.array([5.0]), np.array([1.0]))[0] == pytest.approx(2.0)


def test_everybody_active_has_a_score_in_its_interval_and_the_facts_of_the_spec() -> None:
    log, model = learned()
    answers = TASK.predict(model, log, CUTOFF)
    active = labels.active(log, CUTOFF, TASK.activity_window).collect()[USER].to_list()
    assert sorted(active) == answers[USER].to_list()
    assert answers.columns == [USER, SCORE, "low", "high", *SPECS["value"].facts]
    rows = answers.to_native()
    assert rows.select(pl.all().is_finite().all()).row(0) == (True,) * len(answers.columns)
    assert rows.filter(
        (pl.col("low") > pl.col(SCORE)) | (pl.col(SCORE) > pl.col("high")) | (pl.col("low") < 0)
    ).is_empty()
    assert rows.filter((pl.col("alive") < 0) | (pl.col("alive") > 1) | (pl.col("year") < pl.col(SCORE))).is_empty()


def test_what_comes_after_the_cutoff_changes_nothing() -> None:
    log, model = learned()
    now = log_of(lives().filter(pl.col("occurred_at") < CUTOFF))
    assert (
        TASK.predict(TASK.fit(now, CUTOFF), now, CUTOFF)
        .to_native()
        .equals(TASK.predict(model, log, CUTOFF).to_native())
    )


def test_a_model_that_was_kept_answers_the_same(tmp_path: Path) -> None:
    log, model = learned()
    model.save(tmp_path)
    again = TASK.load(tmp_path)
    assert TASK.predict(again, log, CUTOFF).to_native().equals(TASK.predict(model, log, CUTOFF).to_native())
    assert again.facts == model.facts


def test_reasons_say_what_raises_the_expected_spend() -> None:
    log, model = learned()
    answers = TASK.predict(model, log, CUTOFF).sort(SCORE)[USER].to_list()
    least, most = answers[0], answers[-1]
    why = TASK.explain(model, log, CUTOFF, [least, most])
    assert sum(reason.contribution for reason in why[most]) > 0 > sum(reason.contribution for reason in why[least])
    assert {reason.code for reasons in why.values() for reason in reasons} <= set(TEXTS)
    assert all("?" not in reason.say(language) for reason in why[most] for language in ("en", "zh-hans"))


def with_more(*frames: pl.DataFrame) -> Log:
    return log_of(pl.concat([lives(), *frames], how="diagonal"))


def test_bad_amounts_and_somebody_with_a_hundred_thousand_purchases_spoil_nobody_else() -> None:
    amounts = [-50.0, np.inf, np.nan, -np.inf, 20.0]
    odd = purchases([(PEOPLE, CUTOFF - n * DAY, amount) for n, amount in enumerate(amounts, 1)])
    many = pl.DataFrame({"occurred_at": [CUTOFF - n * MINUTES for n in range(1, 100_001)]}).with_columns(
        user=pl.lit(PEOPLE + 1, pl.Int64), kind=pl.lit(PURCHASE), value=pl.lit(1.0), session=pl.lit("one")
    )
    log, model = learned()
    worse = with_more(odd, many)
    answers = TASK.predict(TASK.fit(worse, CUTOFF), worse, CUTOFF).to_native()
    [one] = answers.filter(pl.col(USER) == PEOPLE).to_dicts()
    assert 0 <= one["low"] <= one[SCORE] <= one["high"] < 1e4
    assert answers.filter(pl.col(USER) == PEOPLE + 1)["purchases"][0] > 40  # days: one each day so far
    before = TASK.predict(model, log, CUTOFF).to_native()
    assert answers.filter(pl.col(USER) < PEOPLE)[SCORE].sum() == pytest.approx(before[SCORE].sum(), rel=0.1)


def test_spending_is_net_of_refunds_and_never_negative() -> None:
    rows = [(1, CUTOFF - DAY, 5.0), (2, CUTOFF - DAY, 5.0), (3, CUTOFF - DAY, 5.0)]
    rows += [(1, CUTOFF, 30.0), (1, CUTOFF + DAY, -10.0), (2, CUTOFF + DAY, -10.0), (3, CUTOFF + 56 * DAY, 99.0)]
    found = labels.spending(log_of(purchases(rows)), CUTOFF, 56 * DAY, 120 * DAY).sort(USER).collect("polars")
    assert found["days"].to_list() == [2, 1, 0]
    assert found["spend"].to_list() == [20.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("frame", "missing"),
    [
        (purchases([(1, CUTOFF - 100 * DAY, 5.0)]), "Needs 140 days of purchase events before the cutoff, has 100"),
        (purchases([(n, CUTOFF - 300 * DAY, 5.0) for n in range(30)]), "Needs 50 buyers to learn from, has 0"),
    ],
    ids=["too short", "nobody came back"],
)
def test_too_little_is_said_to_be(frame: pl.DataFrame, missing: str) -> None:
    with pytest.raises(NotEnoughData, match=missing):
        TASK.fit(log_of(frame), CUTOFF)


def test_a_few_who_spend_most_do_not_hide_the_others_in_the_distribution() -> None:
    rng = np.random.default_rng(0)
    values = np.append(rng.uniform(0, 100, 1_000), [1e6, 2e6])
    answers = nw.from_native(pl.DataFrame({USER: np.arange(len(values)), SCORE: values}))
    told = summaries.of_scores(answers, PredictionRun(spec="value"), None)
    histogram = told["histogram"]
    assert (histogram["edges"][0], histogram["open"]) == (0.0, True)
    assert 95 < histogram["edges"][-1] < 101
    assert sum(histogram["counts"]) == 1_002
    assert max(histogram["counts"]) < 100
    assert "bands" not in told
    shares = nw.from_native(pl.DataFrame({USER: [1, 2], SCORE: [0.1, 0.9]}))
    assert summaries.of_scores(shares, PredictionRun(spec="churn"), None)["histogram"]["edges"][-1] == 1.0
