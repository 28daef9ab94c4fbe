"""Metrics against scikit-learn, against arithmetic done by hand, and against what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from mlengine.metrics import bootstrap
from mlengine.metrics.bootstrap import difference, interval
from mlengine.metrics.calibration import calibration_curve, calibration_error
from mlengine.metrics.classification import average_precision, brier, lift, log_loss, roc_auc
from mlengine.metrics.drift import drift, psi
from mlengine.specs import Measure

people = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 20).map(lambda n: n / 20)), min_size=2, max_size=60
).filter(lambda rows: 0 < sum(y for y, _ in rows) < len(rows))


def arrays(rows: list[tuple[int, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([y for y, _ in rows]), np.array([score for _, score in rows])


@given(people)
def test_ranking_metrics_are_those_of_scikit_learn_ties_included(rows: list[tuple[int, float]]) -> None:
    y, score = arrays(rows)
    assert roc_auc(y, score) == pytest.approx(roc_auc_score(y, score))
    assert average_precision(y, score) == pytest.approx(average_precision_score(y, score))
    assert brier(y, score) == pytest.approx(brier_score_loss(y, score))
    assert log_loss(y, np.clip(score, 0.01, 0.99)) == pytest.approx(sklearn_log_loss(y, np.clip(score, 0.01, 0.99)))


@given(people)
def test_order_of_rows_does_not_matter(rows: list[tuple[int, float]]) -> None:
    y, score = arrays(rows)
    order = np.random.default_rng(len(rows)).permutation(len(y))
    for metric in (roc_auc, average_precision, lift):
        assert metric(y[order], score[order]) == pytest.approx(metric(y, score))


@given(people)
def test_turning_scores_round_turns_the_auc_round(rows: list[tuple[int, float]]) -> None:
    y, score = arrays(rows)
    assert roc_auc(y, -score) == pytest.approx(1 - roc_auc(y, score))


@given(people)
def test_calibration_error_lies_between_0_and_1_and_bins_hold_everybody(rows: list[tuple[int, float]]) -> None:
    y, score = arrays(rows)
    assert 0.0 <= calibration_error(y, score) <= 1.0
    assert sum(each.count for each in calibration_curve(y, score)) == len(y)


def test_one_kind_alone_has_no_auc() -> None:
    assert np.isnan(roc_auc(np.ones(3), np.arange(3.0)))
    assert np.isnan(average_precision(np.zeros(3), np.arange(3.0)))
    assert np.isnan(lift(np.zeros(3), np.arange(3.0)))


def test_lift_at_ties_counts_in_proportion() -> None:
    assert lift(np.array([1, 1, 0, 0, 0, 0, 0, 0, 0, 0]), np.zeros(10)) == pytest.approx(1.0)


def test_calibration_error_of_a_constant_is_its_distance_from_the_rate() -> None:
    y = np.tile([0, 0, 0, 1], 50)
    assert calibration_error(y, np.full(200, 0.45), bins=1) == pytest.approx(0.2)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    draws = (rng.random((100, 200)) < 0.3).astype(float)
    share = [interval(lambda y, s: float(y.mean()), y, y, resamples=200, random_state=n) for n, y in enumerate(draws)]
    covered = sum(each.low <= 0.3 <= each.high for each in share if each.low is not None and each.high is not None)
    assert 88 <= covered <= 99


def test_a_paired_difference_is_surer_than_two_intervals() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(2000) < 0.2).astype(int)
    rival = y + rng.normal(size=2000)
    score = rival + 0.2 * y
    found = difference(roc_auc, y, score, rival)
    apart = interval(roc_auc, y, score).low, interval(roc_auc, y, rival).high
    assert found.low is not None
    assert found.low > 0
    assert apart[0] is not None
    assert apart[1] is not None
    assert apart[0] < apart[1]


def width(found: Measure) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


@pytest.mark.parametrize("rows_each", [1, 3])
def test_resamples_of_some_people_give_the_interval_of_all(rows_each: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    y = np.repeat((rng.random(8_000) < 0.3).astype(float), rows_each)
    whose = np.repeat(np.arange(8_000), rows_each)
    sizes: list[int] = []

    def share(y: np.ndarray, score: np.ndarray) -> float:
        sizes.append(len(y))
        return float(y.mean())

    whole = interval(share, y, y, people=whose, resamples=300)
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 500)
    sizes.clear()
    some = interval(share, y, y, people=whose, resamples=300)
    assert sorted(set(sizes)) == [500 * rows_each, 8_000 * rows_each]
    assert some.value == whole.value
    assert width(some) == pytest.approx(width(whole), rel=0.2)
    assert width(some) == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 8_000), rel=0.15)


def test_an_interval_lies_around_a_figure_that_is_larger_of_fewer_people(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    score = rng.random(20_000)
    y = (rng.random(20_000) < score).astype(int)
    monkeypatch.setattr(bootstrap, "MOST_DRAWN", 400)
    found = interval(calibration_error, y, score, resamples=200)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.value < found.high


def test_drift_of_shares_done_by_hand() -> None:
    reference, current = np.repeat([0.0, 1.0], [50, 50]), np.repeat([0.0, 1.0], [25, 75])
    by_hand = (0.25 - 0.5) * np.log(0.25 / 0.5) + (0.75 - 0.5) * np.log(0.75 / 0.5)
    assert psi(reference, current) == pytest.approx(by_hand)


def test_drift_sees_values_that_go_missing_and_columns_that_moved_first() -> None:
    known, half_gone = np.arange(100.0), np.where(np.arange(100) % 2, np.nan, np.arange(100.0))
    assert psi(known, half_gone) > 0.25
    moved = drift({"still": known, "moved": known, "gone": known}, {"still": known, "moved": known + 80})
    assert list(moved) == ["moved", "still"]
    assert moved["still"] == 0.0


def test_drift_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not 0 and 3 rows"):
        psi(np.array([]), np.arange(3.0))


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=50))
def test_drift_from_itself_is_none(values: list[float]) -> None:
    assert psi(np.array(values), np.array(values)) == 0.0
