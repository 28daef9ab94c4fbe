"""The adjusted effect in worlds made so that the truth is known, where the plain difference is far off."""

import numpy as np
import pytest

from mlengine.estimators.treated_effect import TooFew, effects

TRUTH = 5.0


def world(seed: int, n: int = 1200, hidden: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return people of whom good customers are chosen more often, and spend more whether chosen or not."""
    draw = np.random.default_rng(seed)
    spend, visits, noise = draw.gamma(2, 30, n), draw.poisson(6, n), draw.normal(size=n)
    secret = draw.normal(size=n)
    chance = 1 / (1 + np.exp(2.2 - 0.8 * np.log1p(spend) / 2 - 0.12 * (visits - 6) - hidden * secret))
    treated = (draw.random(n) < chance).astype(float)
    y = 0.8 * spend + 4 * np.sqrt(visits) + 15 * hidden * secret + TRUTH * treated + draw.normal(0, 12, n)
    return np.column_stack([spend, visits, noise]), treated, y


def test_what_differs_already_is_taken_off() -> None:
    X, treated, y = world(1, 2500)
    (found,), overlap = effects(X, treated, y[:, None])
    assert found.raw > TRUTH + 4 * found.raw_error
    assert abs(found.effect - TRUTH) < 2.5 * found.error
    assert overlap.apart > 0.2
    assert overlap.apart_weighted < 0.1
    assert overlap.treated + overlap.left_out == treated.sum()


@pytest.mark.nightly
def test_the_interval_holds_as_often_as_it_says() -> None:
    covered = naive = 0
    for seed in range(60):
        X, treated, y = world(100 + seed)
        (found,), _ = effects(X, treated, y[:, None], random_state=seed)
        covered += abs(found.effect - TRUTH) < 1.96 * found.error
        naive += abs(found.raw - TRUTH) < 1.96 * found.raw_error
    assert covered >= 52  # 57 expected of 60; fewer than 52 happen once in 200
    assert naive <= 10


def test_nothing_is_found_where_nothing_was_done() -> None:
    X, treated, y = world(3, 2000)
    placebo = y - TRUTH * treated
    both, _ = effects(X, treated, np.column_stack([y, placebo]))
    assert abs(both[1].effect) < 2.5 * both[1].error
    assert both[0].effect - both[1].effect == pytest.approx(TRUTH, abs=0.6)


def test_what_no_column_knows_cannot_be_adjusted() -> None:
    """The estimator promises no more than it can: with a hidden cause it is sure, and wrong."""
    X, treated, y = world(5, 4000, hidden=1.0)
    (found,), _ = effects(X, treated, y[:, None])
    assert found.effect > TRUTH + 4 * found.error


def test_whoever_has_nobody_alike_is_left_out() -> None:
    X, treated, y = world(7, 2000)
    X = np.column_stack([X, np.where(treated > 0, np.arange(2000) % 2, 0) * 50.0])  # half the chosen are marked
    (found,), overlap = effects(X, treated, y[:, None])
    assert overlap.left_out > 0.3 * treated.sum()
    assert abs(found.effect - TRUTH) < 3 * found.error


@pytest.mark.parametrize("number", [0, 24, 1190])
def test_few_are_not_compared(number: int) -> None:
    X, _treated, y = world(9)
    treated = (np.arange(1200) < number).astype(float)
    with pytest.raises(TooFew):
        effects(X, treated, y[:, None])
