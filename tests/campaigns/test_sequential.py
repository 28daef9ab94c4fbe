"""The sequential test of a rate: how often it errs when somebody looks all the time, and how soon it sees."""

from math import log

import numpy as np
import pytest
from numpy.typing import NDArray

from campaigns.guarding import guardrails, sequential
from campaigns.guarding.bands import DEFAULTS
from campaigns.models import Guardrail

RATES = {signal: DEFAULTS[signal] for signal in Guardrail.RATES}


def boundary(usual: float, worst: float, alpha: float, looks: int) -> NDArray[np.int64]:
    """Return of how many mishaps each number of messages is called ill, from 1 on; by halving, for evidence grows."""
    of = np.arange(1, looks + 1)
    low, high = np.zeros(looks, np.int64), of + 1  # well, and ill or more than there are
    while (high - low > 1).any():
        middle = (low + high) // 2
        terms = [weight + middle * up + (of - middle) * down for weight, up, down in sequential._mixture(usual, worst)]
        ill = np.logaddexp.reduce(terms) >= -log(alpha)
        low, high = np.where(ill, low, middle), np.where(ill, middle, high)
    return high


def first_alarms(rate: float, usual: float, worst: float, alpha: float, paths: int, looks: int) -> NDArray[np.int64]:
    """Return after how many messages each path is called ill, looking after every one; ``looks`` + 1 is never."""
    chance, bound = np.random.default_rng(7), boundary(usual, worst, alpha, looks)
    found = np.full(paths, looks + 1)
    for path in range(paths):
        ill = np.cumsum(chance.random(looks) < rate) >= bound
        if ill.any():
            found[path] = int(ill.argmax()) + 1
    return found


@pytest.mark.parametrize("of", [1, 5, 60, 1000, 5000])
def test_the_simulation_calls_ill_what_the_product_does(of: int) -> None:
    count = int(boundary(0.02, 0.05, 0.001, of)[-1])
    assert not sequential.is_proven(sequential.evidence(count - 1, of, 0.02, 0.05), 0.001)
    if count <= of:
        assert sequential.is_proven(sequential.evidence(count, of, 0.02, 0.05), 0.001)


@pytest.mark.parametrize(("usual", "worst"), [(0.02, 0.05), (0.05, 0.2), (0.2, 0.3)])
def test_looking_after_every_message_errs_no_more_often_than_was_promised(usual: float, worst: float) -> None:
    paths, alpha = 1500, 0.05
    wrong = float(np.mean(first_alarms(usual, usual, worst, alpha, paths, 3000) <= 3000))
    assert wrong <= alpha + 3 * (alpha * (1 - alpha) / paths) ** 0.5


def test_a_test_for_one_look_would_err_often_if_one_looked_all_the_time() -> None:
    """What is guarded against: the same paths, by the usual test at 5 % after every message from the thirtieth on."""
    chance, paths, looks, usual = np.random.default_rng(7), 500, 3000, 0.02
    of = np.arange(1, looks + 1)
    counts = np.cumsum(chance.random((paths, looks)) < usual, axis=1)
    scores = (counts - usual * of) / np.sqrt(usual * (1 - usual) * of)
    assert float(np.mean((scores[:, 30:] > 1.645).any(axis=1))) > 0.3


@pytest.mark.parametrize("signal", RATES)
@pytest.mark.parametrize("times", [1.0, 2.0, 5.0])
def test_what_is_not_to_be_borne_is_seen_soon(signal: str, times: float) -> None:
    """The mean delay is compared with Wald's: the least that any test of the two rates could do with."""
    usual, worst = RATES[signal]
    rate, alpha = min(worst * times, 0.9), guardrails.ALPHA
    bound = -log(alpha) / (rate * log(rate / usual) + (1 - rate) * log((1 - rate) / (1 - usual)))
    looks = int(12 * bound) + 50
    delays = first_alarms(rate, usual, worst, alpha, 150, looks)
    assert (delays <= looks).mean() > 0.99
    assert delays.mean() < 1.6 * bound + 10


@pytest.mark.parametrize("signal", RATES)
def test_a_rate_just_above_what_is_usual_wakes_nobody(signal: str) -> None:
    usual, worst = RATES[signal]
    alarms = first_alarms(usual * 1.15, usual, worst, guardrails.ALPHA, 20, 100_000)
    assert (alarms > 100_000).all()


def test_feedback_that_has_not_come_yet_never_makes_evidence() -> None:
    for of in (10, 1000):
        told = [sequential.evidence(count, of, 0.02, 0.05) for count in range(of + 1)]
        assert told == sorted(told)


def test_the_band_may_begin_at_nothing() -> None:
    assert sequential.evidence(1, 100, 0.0, 0.01) > 7  # one where there must be none
    assert sequential.evidence(0, 10**7, 0.0, 0.01) < 0
