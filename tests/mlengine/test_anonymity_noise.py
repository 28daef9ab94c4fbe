"""Noise keeps what it states: audited on neighbouring data, and a mechanism with half the noise is caught (G13)."""

from collections import Counter
from itertools import pairwise
from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta, chisquare, kstest, norm

from mlengine.anonymity.accounting import spent
from mlengine.anonymity.noise import Bound, Mechanism
from mlengine.anonymity.tidying import consistent, tidied

# Of each night, and of every day: enough to catch half the noise, and to be sharper than the tests ask for.
DRAWS, FEWER = 200_000, 60_000
CONFIDENCE = 1e-4  # of a false alarm, for each event that is looked at

each_size = pytest.mark.parametrize("count", [FEWER, pytest.param(DRAWS, marks=pytest.mark.nightly)])
Sample = NDArray[np.int64]


def draws(mechanism: Mechanism, true: int, count: int) -> Sample:
    return np.array(mechanism.noisy([true] * count), dtype=np.int64)


def audited(here: Sample, there: Sample, delta: float = 0.0) -> float:
    """Return a lower bound of epsilon from samples on two neighbouring data sets.

    For every threshold t: the Clopper-Pearson bounds of P(answer > t) on both, the worse for the mechanism on each
    side (Ding et al. 2018; Jagielski, Ullman and Oprea 2020). Half of each sample chooses the event, the other half
    measures it, so that choosing costs no confidence.
    """
    return max(_one_sided(here, there, delta), _one_sided(-there, -here, delta))


def _one_sided(low: Sample, high: Sample, delta: float) -> float:
    half = len(low) // 2
    thresholds = np.quantile(high[:half], np.linspace(0.001, 0.999, 60)).astype(np.int64)
    choosing = [_ratio(low[:half], high[:half], t, delta) for t in thresholds]
    best = thresholds[int(np.argmax(choosing))]
    return _ratio(low[half:], high[half:], best, delta)


def _ratio(low: Sample, high: Sample, threshold: int, delta: float) -> float:
    n = len(high)
    hits, misses = int((high > threshold).sum()), int((low > threshold).sum())
    least = beta.ppf(CONFIDENCE, hits, n - hits + 1) if hits else 0.0
    most = beta.ppf(1 - CONFIDENCE, misses + 1, n - misses) if misses < n else 1.0
    return log((least - delta) / most) if least > delta else 0.0


@each_size
@pytest.mark.parametrize("epsilon", [0.25, 1.0])
def test_an_audit_of_laplace_noise_finds_no_more_than_was_stated(epsilon: float, count: int) -> None:
    mechanism = Mechanism.laplace(epsilon, Bound())
    found = audited(draws(mechanism, 100, count), draws(mechanism, 101, count))
    assert found <= mechanism.epsilon() == pytest.approx(epsilon)
    assert found > 0.75 * epsilon - 0.05  # the audit is sharp enough to mean something


@each_size
def test_an_audit_of_a_sum_uses_all_that_one_person_may_add(count: int) -> None:
    mechanism = Mechanism.laplace(1.0, Bound(most=50))
    assert 0.7 < audited(draws(mechanism, 1000, count), draws(mechanism, 1050, count)) <= 1.0


@each_size
def test_an_audit_of_gaussian_noise_finds_no_more_than_was_stated(count: int) -> None:
    mechanism = Mechanism.gaussian(0.5, Bound())
    stated = mechanism.epsilon(1e-3)
    found = audited(draws(mechanism, 100, count), draws(mechanism, 101, count), delta=1e-3)
    assert 0.4 * stated < found <= stated


class HalfTheNoise(Mechanism):
    """What a bug would look like: it states what it should and adds half of it."""

    def noisy(self, counts: Any) -> list[int]:
        return [round(true + (noisy - true) / 2) for true, noisy in zip(counts, super().noisy(counts), strict=True)]


@each_size
@pytest.mark.parametrize("epsilon", [0.25, 1.0])
def test_half_the_noise_is_caught(epsilon: float, count: int) -> None:
    broken = HalfTheNoise.laplace(epsilon, Bound())
    assert audited(draws(broken, 100, count), draws(broken, 101, count)) > epsilon


@each_size
def test_half_of_gaussian_noise_is_caught(count: int) -> None:
    broken = HalfTheNoise.gaussian(0.5, Bound())
    assert audited(draws(broken, 100, count), draws(broken, 101, count), delta=1e-3) > broken.epsilon(1e-3)


@each_size
def test_laplace_noise_has_its_distribution(count: int) -> None:
    """P(n) is (1 - a) / (1 + a) a^|n| with a = exp(-1 / scale): the two-sided geometric distribution."""
    mechanism = Mechanism.laplace(0.25, Bound())
    seen = Counter((draws(mechanism, 0, count)).tolist())
    a = exp(-1 / mechanism.scale)
    inside = range(-20, 21)
    expected = [(1 - a) / (1 + a) * a ** abs(n) * count for n in inside]
    counts = [seen[n] for n in inside]
    rest = count - sum(counts)
    assert chisquare([*counts, rest], [*expected, count - sum(expected)]).pvalue > 1e-6


@each_size
def test_gaussian_noise_has_its_distribution(count: int) -> None:
    mechanism = Mechanism.gaussian(0.0002, Bound())  # sigma 50: one step is a hundredth of a percent of the mass
    jitter = np.random.default_rng(1).uniform(-0.5, 0.5, count)  # whole numbers have ties, which the test does not like
    assert kstest(draws(mechanism, 0, count) + jitter, norm(scale=sqrt(mechanism.scale**2 + 1 / 12)).cdf).pvalue > 1e-6


@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_the_margin_holds_the_truth_as_often_as_it_says(kind: str) -> None:
    mechanism = Mechanism.laplace(0.25, Bound()) if kind == "laplace" else Mechanism.gaussian(0.02, Bound(cells=13))
    distance = np.abs(draws(mechanism, 0, 50_000))
    inside, tighter = ((distance <= mechanism.margin() - less).mean() for less in (0, 2))
    assert inside >= 0.946
    assert tighter < 0.95


@each_size
def test_a_key_that_one_person_has_shows_as_rarely_as_delta_says(count: int) -> None:
    mechanism = Mechanism.unknown_keys(1.0, 1e-3, Bound())
    assert 0.0 < mechanism.delta <= 1e-3
    lonely = {str(n): 1 for n in range(count)}
    shown = len(mechanism.noisy_keys(lonely))
    most = beta.ppf(1 - CONFIDENCE, shown + 1, count - shown)
    least = beta.ppf(CONFIDENCE, shown, count - shown + 1) if shown else 0.0
    assert least <= mechanism.delta <= 1.25 * most  # no more often than stated, and the threshold is not wasteful
    assert mechanism.noisy_keys({}) == {}


def test_unknown_keys_below_the_threshold_are_not_told() -> None:
    told = Mechanism.unknown_keys(0.25, 1e-8, Bound()).noisy_keys({"上海": 4_000, "拉萨": 3})
    assert set(told) == {"上海"}


@pytest.mark.parametrize("bad", [1.5, "3", None, True, 2**60])
def test_noise_is_added_to_whole_numbers_only(bad: Any) -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        Mechanism.laplace(1, Bound()).noisy([bad])


@pytest.mark.parametrize("epsilon", [0, -1, float("nan"), float("inf")])
def test_privacy_is_a_number_above_zero(epsilon: float) -> None:
    for make in (Mechanism.laplace, Mechanism.gaussian):
        with pytest.raises(ValueError, match="above 0"):
            make(epsilon, Bound())
    with pytest.raises(ValueError, match="at least one cell"):
        Bound(cells=0)


# -- what many answers cost --


def test_few_answers_cost_the_sum_and_many_less() -> None:
    tenth = Mechanism.laplace(0.1, Bound())
    assert spent({}, 1e-6) == 0.0
    assert spent({tenth: 10}, 0.0) == pytest.approx(1.0)
    assert spent({tenth: 10}, 1e-6) <= 1.0
    assert 4.5 < spent({tenth: 100}, 1e-6) < 6.0
    assert spent({tenth: 100}, 0.0) == pytest.approx(10.0)


def test_a_hundred_gaussian_answers_cost_what_was_measured() -> None:
    """PRIVACY.md 3.3: 100 times sigma 4 at delta 1e-6 is 14.5 by privacy loss distribution, 15.3 by Renyi."""
    four = Mechanism(kind="gaussian", scale=4.0, bound=Bound())
    assert spent({four: 100}, 1e-6) == pytest.approx(14.45, abs=0.05)


def test_answers_of_different_kinds_cost_more_together_than_any_alone_and_less_than_the_sum() -> None:
    parts = [
        {Mechanism.laplace(0.25, Bound(cells=4)): 5},
        {Mechanism.gaussian(0.02, Bound(cells=13, most=100)): 5},
        {Mechanism.unknown_keys(0.25, 1e-8, Bound()): 20},
    ]
    alone = [spent(part, 5e-7) for part in parts]
    together = spent({mechanism: count for part in parts for mechanism, count in part.items()}, 1e-6)
    assert max(alone) < together < sum(alone)


def test_thresholds_use_up_delta() -> None:
    keys = Mechanism.unknown_keys(0.01, 1e-8, Bound())
    assert spent({keys: 10}, 1e-6) < float("inf")
    assert spent({keys: 10}, 5 * keys.delta) == float("inf")


# -- made fit to be read --


@given(st.lists(st.integers(-500, 5000), max_size=40))
def test_parts_are_not_negative_and_add_up_to_the_whole(noisy: list[int]) -> None:
    made = consistent(noisy)
    assert all(count >= 0 for count in made)
    assert sum(made) == (max(0, sum(noisy)) if noisy else 0)


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=20), st.integers(0, 100_000))
def test_parts_follow_a_total_that_was_released_itself_and_keep_their_order(noisy: list[int], total: int) -> None:
    made = consistent(noisy, total)
    assert sum(made) == total
    ordered = [count for _noisy, count in sorted(zip(noisy, made, strict=True))]
    assert all(after - before >= -1 for before, after in pairwise(ordered))


@given(st.dictionaries(st.text(max_size=3), st.integers(-50, 500), max_size=20))
def test_small_cells_are_named_but_not_counted_and_nothing_is_lost(noisy: dict[str, int]) -> None:
    made = tidied(noisy)
    assert made.total == sum(made.told.values()) + made.rest
    assert set(made.told) | set(made.small) == set(noisy)
    assert all(count >= 10 for count in made.told.values())


def test_what_is_consistent_already_stays() -> None:
    assert consistent([5, 0, 7]) == [5, 0, 7]
