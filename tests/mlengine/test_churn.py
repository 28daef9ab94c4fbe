"""Churn on people of whom it is known who left, and what becomes of a model that is kept, refused or explained."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from mlengine.columns import Log
from mlengine.estimators import examples
from mlengine.estimators.calibration import Isotonic, Platt, choose
from mlengine.estimators.churn import Churn
from mlengine.estimators.examples import matrix
from mlengine.metrics.classification import roc_auc
from mlengine.specs import NotEnoughData
from tests.mlengine.shoppers import BEGIN, shoppers

DAY = timedelta(days=1)
CUTOFF = datetime(2024, 8, 24)  # 236 days after the beginning; a horizon of 28 fits before the end
TASK = Churn(horizon=28 * DAY, activity_window=90 * DAY, rounds=60, seeds=2, most_cutoffs=4)


@pytest.fixture(scope="module")
def log() -> Log:
    return shoppers()[0]


def test_evident_leavers_are_found_and_probabilities_mean_what_they_say(log: Log) -> None:
    measures = TASK.evaluate(TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF), log, CUTOFF)
    assert measures["roc_auc"].value > 0.95
    assert measures["calibration_error"].value < 0.06
    assert measures["brier"].value < 0.06
    for measure in measures.values():
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.value <= measure.high


def test_who_stopped_long_ago_scores_above_whoever_still_comes(log: Log) -> None:
    _, stops = shoppers()
    answers = TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF)
    scores = dict(zip(answers["user"].to_list(), answers["score"].to_list(), strict=True))
    day = (CUTOFF - BEGIN).days
    gone = [scores[user] for user, stop in stops.items() if day - 80 < stop < day - 30 and user in scores]
    there = [score for user, score in scores.items() if user not in stops]
    assert len(gone) >= 10
    assert min(gone) > max(there)


def test_a_model_kept_and_read_again_says_exactly_the_same(log: Log, tmp_path: Path) -> None:
    for name, task in {"churn": TASK, **TASK.baselines()}.items():
        (where := tmp_path / name).mkdir()
        model = task.fit(log, CUTOFF)
        model.save(where)
        again = task.load(where)
        assert {path.suffix for path in where.iterdir()} <= {".json", ".txt"}
        before, after = (task.predict(each, log, CUTOFF)["score"].to_list() for each in (model, again))
        assert after == before


def test_learning_twice_gives_the_same_scores(log: Log) -> None:
    first, second = (TASK.predict(TASK.fit(log, CUTOFF), log, CUTOFF)["score"].to_list() for _ in range(2))
    assert second == first


def test_what_comes_after_the_cutoff_is_not_learned_from(log: Log) -> None:
    known = log.until(CUTOFF)
    with_future, without = (TASK.predict(TASK.fit(each, CUTOFF), each, CUTOFF) for each in (log, known))
    assert with_future["score"].to_list() == without["score"].to_list()


def test_too_short_a_log_is_refused_with_what_there_is() -> None:
    log, _ = shoppers(people=20, days=100)
    with pytest.raises(NotEnoughData, match="Needs 119 days of purchase events before the cutoff, has 99"):
        TASK.fit(log, BEGIN.replace(hour=0) + 100 * DAY)


def test_a_log_in_which_nobody_leaves_is_refused() -> None:
    log, _ = shoppers(people=30, leaving=False)
    with pytest.raises(NotEnoughData, match=r"Needs people who left and people who stayed; of 120 examples .* 0 left"):
        TASK.fit(log, CUTOFF)


def test_an_empty_log_is_refused(log: Log) -> None:
    nothing = log.until(datetime(2000, 1, 1))
    with pytest.raises(NotEnoughData, match="no purchase events at all"):
        TASK.fit(nothing, CUTOFF)


def test_contributions_add_up_to_the_raw_score(log: Log) -> None:
    model = TASK.fit(log, CUTOFF)
    X = matrix(TASK.people(log, CUTOFF), model.names)
    assert isinstance(model.calibrator, Platt)
    rest = model.raw(X) * model.calibrator.slope - model.contributions(X).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-9)  # what is left is the average person, the same for all


def test_reasons_name_the_silence_of_who_is_gone(log: Log) -> None:
    model = TASK.fit(log, CUTOFF)
    answers = TASK.predict(model, log, CUTOFF).sort("score", descending=True)
    user = answers["user"].to_list()[0]
    reasons = TASK.explain(model, log, CUTOFF, [user])[user]
    assert len(reasons) == 3
    assert abs(reasons[0].contribution) >= abs(reasons[1].contribution) >= abs(reasons[2].contribution)
    assert reasons[0].contribution > 0
    assert all("?" not in reason.say(language) for reason in reasons for language in ("en", "zh-hans"))
    assert sum(model.importances().values()) == pytest.approx(1.0)


def test_the_weaker_calibrator_is_not_chosen() -> None:
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(4, 3000)) * 3
    curved = 1 / (1 + np.exp(-np.sign(raw) * raw**2 / 2))  # far from a logistic line in raw
    steps = [(each, (rng.random(3000) < 0.5 * p).astype(int)) for each, p in zip(raw, curved, strict=True)]
    line = [(each, (rng.random(3000) < 1 / (1 + np.exp(-each))).astype(int)) for each in raw]
    assert isinstance(choose(steps), Isotonic)
    assert isinstance(choose([(each[:150], y[:150]) for each, y in line]), Platt)


@pytest.mark.parametrize("kind", [Platt, Isotonic])
def test_calibration_never_turns_a_ranking_round(kind: type[Platt] | type[Isotonic]) -> None:
    rng = np.random.default_rng(3)
    raw = np.sort(rng.normal(size=500))
    y = (rng.random(500) < 1 / (1 + np.exp(-raw))).astype(int)
    probability = kind.fit(raw, y)(raw)
    assert np.all(np.diff(probability) >= 0)
    assert roc_auc(y, probability) == pytest.approx(roc_auc(y, raw), abs=0.005)
    assert probability.mean() == pytest.approx(y.mean(), abs=0.02)


def test_of_many_people_a_share_is_learned_from_the_same_each_time(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Churn(horizon=28 * DAY, activity_window=90 * DAY)
    everybody = question.examples(log, BEGIN + 300 * DAY)
    monkeypatch.setattr(examples, "MOST_ROWS", len(everybody.y) // 4)
    some = question.examples(log, BEGIN + 300 * DAY)
    assert len(everybody.y) / 8 < len(some.y) < len(everybody.y) / 2
    rows = {tuple(row) for row in np.nan_to_num(everybody.X, nan=-1.0).tolist()}
    assert {tuple(row) for row in np.nan_to_num(some.X, nan=-1.0).tolist()} <= rows
    assert np.array_equal(some.X, question.examples(log, BEGIN + 300 * DAY).X, equal_nan=True)
