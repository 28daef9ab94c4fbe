"""Staying away, week by week: on people of whom it is known who left, and what the answers hold together by."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from mlengine.columns import Log
from mlengine.estimators.hazard import Hazards, StayingAway
from mlengine.estimators.weeks import PERIOD, expanded
from mlengine.labels import weeks_until_next
from mlengine.metrics.survival import concordance
from mlengine.specs import NotEnoughData
from tests.mlengine.frames import log_of, purchases
from tests.mlengine.shoppers import BEGIN, shoppers

DAY = timedelta(days=1)
CUTOFF = datetime(2024, 8, 10)  # 222 days after the beginning; a horizon of 56 fits before the end
TASK = StayingAway(horizon=56 * DAY, activity_window=90 * DAY, rounds=40, most_cutoffs=4)
AWAY = [f"away_{days}" for days in range(7, 57, 7)]


@pytest.fixture(scope="module")
def log() -> Log:
    return shoppers()[0]


@pytest.fixture(scope="module")
def model(log: Log) -> Hazards:
    return TASK.fit(log, CUTOFF)


def test_whoever_stopped_is_expected_back_last_and_the_figures_say_so(log: Log, model: Hazards) -> None:
    answers = TASK.predict(model, log, CUTOFF)
    _, stops = shoppers()
    scores = dict(zip(answers["user"].to_list(), answers["score"].to_list(), strict=True))
    day = (CUTOFF - BEGIN).days
    gone = [scores[user] for user, stop in stops.items() if day - 80 < stop < day - 30 and user in scores]
    there = [score for user, score in scores.items() if user not in stops]
    assert len(gone) >= 10
    assert min(gone) > 40  # days
    assert np.mean(there) < 10
    found = TASK.evaluate(answers, log, CUTOFF)
    assert found["days_error"].value < 5
    assert found["concordance"].low is not None
    assert 0.8 < found["concordance"].low < found["concordance"].value


def test_a_longer_absence_is_never_likelier_than_a_shorter_and_the_score_is_their_sum(log: Log, model: Hazards) -> None:
    answers = TASK.predict(model, log, CUTOFF)
    assert answers.columns == ["user", "score", *AWAY]
    away = answers.select(AWAY).to_numpy()
    assert np.all((away > 0) & (away < 1))
    assert np.all(np.diff(away, axis=1) < 0)
    assert_allclose(answers["score"].to_numpy(), 7 + 7 * away[:, :-1].sum(axis=1))


def test_rare_people_of_a_known_rhythm_get_probabilities_that_mean_what_they_say() -> None:
    """Everybody comes back each week with chance one half, so that k weeks away have probability 2 ** -k."""
    rng = np.random.default_rng(0)
    rows = [
        (user, BEGIN + (7 * week + 3) * DAY, 10.0) for user in range(1, 800) for week in range(40) if rng.random() < 0.5
    ]
    events = purchases(rows).with_columns(item=pl.lit(1, dtype=pl.Int64), discount=pl.lit(0.0))
    log = log_of(events, pl.DataFrame({"item": [1], "category": ["all"]}))
    cutoff = BEGIN.replace(hour=0) + 210 * DAY
    many = replace(TASK, most_cutoffs=8)
    answers = many.predict(many.fit(log, cutoff), log, cutoff)
    assert_allclose(answers.select(AWAY[:4]).to_numpy().mean(axis=0), [0.5, 0.25, 0.125, 0.0625], atol=0.03)


def test_weeks_not_over_yet_are_not_learned_from(log: Log) -> None:
    """A cutoff ten days before the end teaches its first week only, and each row ends with coming back or the end."""
    short = TASK.learned_from(log, CUTOFF)
    ahead, y = short.X[:, -1], short.y
    assert short.names[-1] == PERIOD
    assert ahead.min() == 0
    assert ahead.max() == 6  # the earliest of four cutoffs, 49 days before the end
    assert set(ahead[y == 1]) <= set(range(7))
    one = expanded(("x",), np.array([[1.0]]), np.array([5.0]), seen=1)
    assert (one.X.tolist(), one.y.tolist()) == ([[1.0, 0.0]], [0])


def test_the_week_of_coming_back_begins_at_the_cutoff() -> None:
    rows = [(1, CUTOFF, 1.0), (2, CUTOFF + 7 * DAY, 1.0), (3, CUTOFF + 7 * DAY - timedelta(seconds=1), 1.0)]
    rows += [(4, CUTOFF - timedelta(seconds=1), 1.0), (5, CUTOFF + 56 * DAY, 1.0), (1, CUTOFF + 20 * DAY, 1.0)]
    found = weeks_until_next(log_of(purchases(rows)), CUTOFF, 56 * DAY).collect("polars").sort("user")
    assert found.rows() == [(1, 0), (2, 1), (3, 0)]


def test_what_comes_after_the_cutoff_is_not_learned_from(log: Log, model: Hazards) -> None:
    known = log.until(CUTOFF)
    without = TASK.predict(TASK.fit(known, CUTOFF), known, CUTOFF)
    assert TASK.predict(model, log, CUTOFF).rows() == without.rows()


def test_a_model_kept_and_read_again_says_exactly_the_same(log: Log, tmp_path: Path) -> None:
    for name, task in {"trees": TASK, **TASK.baselines()}.items():
        (where := tmp_path / name).mkdir()
        made = task.fit(log, CUTOFF)
        made.save(where)
        before, after = (task.predict(each, log, CUTOFF).rows() for each in (made, task.load(where)))
        assert after == before


def test_reasons_speak_of_the_person_and_pull_up_for_who_is_gone(log: Log, model: Hazards) -> None:
    answers = TASK.predict(model, log, CUTOFF).sort("score", descending=True)
    user = answers["user"].to_list()[0]
    reasons = TASK.explain(model, log, CUTOFF, [user])[user]
    assert reasons[0].contribution > 0
    assert all("?" not in reason.say(language) for reason in reasons for language in ("en", "zh-hans"))
    assert PERIOD not in model.importances()
    assert sum(model.importances().values()) == pytest.approx(1.0)


def test_too_short_a_log_is_refused_with_what_there_is() -> None:
    log, _ = shoppers(people=20, days=95)
    with pytest.raises(NotEnoughData, match="Needs 98 days of purchase events before the cutoff, has 94"):
        TASK.fit(log, BEGIN.replace(hour=0) + 95 * DAY)


def test_equal_waits_are_no_pairs_and_equal_scores_half_right() -> None:
    assert concordance(np.array([0, 0, 1]), np.array([1.0, 2.0, 2.0])) == 0.75
    assert np.isnan(concordance(np.array([3, 3]), np.array([1.0, 2.0])))
