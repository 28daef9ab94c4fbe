"""Looking as often as one likes: simulated campaigns with looks from the first moment at which there are enough."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from campaigns.reporting import intervals
from campaigns.reporting.intervals import ALPHA
from campaigns.reporting.moments import Estimate

Array = NDArray[np.float64]
RUNS = 1000


@dataclass(frozen=True)
class Looks:
    """Of one simulated campaign: at each look the effect so far, its variance and the weight of the pairs."""

    effect: Array
    variance: Array
    weight: Array
    begins: int  # the first look with enough
    truth: Array
    before: float = 0.0  # the variance of what the same people did before

    def half(self) -> Array:
        """Return how far each interval reaches, by the formula of ``intervals.interval`` for many looks at once."""
        first = Estimate(effect=0.0, variance=float(self.variance[self.begins]), variance_before=self.before)
        kept = intervals.fixed(first, float(self.weight[self.begins]))
        eta = np.array([intervals.constant(kept, float(weight)) for weight in self.weight])
        reach: Array = np.sqrt((self.variance + eta) * np.log((self.variance + eta) / (eta * ALPHA**2)))
        return reach


def come(draw: np.random.Generator, *, people: int, rate: float, rise: float, paid: bool = False) -> Looks | None:
    """People come one by one, as a trigger finds them, nine of ten get a message; looks grow rarer, 120 in all."""
    at = np.unique(np.geomspace(40, people, 120).astype(int)) - 1
    held = draw.random(people) < 0.1
    did = draw.random(people) < np.where(held, rate, rate + rise)
    worth = did * draw.lognormal(3.5, 1.0, people) if paid else did.astype(float)
    sums = {side: [np.cumsum(part * who)[at] for part in (np.ones(people), did, worth, worth**2)]
            for side, who in (("held", held), ("treated", ~held))}  # fmt: skip
    enough = np.ones(at.size, bool)
    for n, reached, _y, _yy in sums.values():
        fewest = reached >= intervals.FEWEST_PAID if paid else np.minimum(reached, n - reached) >= intervals.FEWEST
        enough &= fewest
    if not enough.any():
        return None
    begins = int(np.argmax(enough))
    mean, variance, pairs = {}, np.zeros(at.size), np.zeros(at.size)
    for side, (some, _reached, y, yy) in sums.items():
        n = np.maximum(some, 2)
        mean[side] = y / n
        variance += (yy / n - (y / n) ** 2) / (n - 1)
        pairs += 1 / n
    truth = rise * (np.exp(4.0) if paid else 1.0)
    return Looks(mean["treated"] - mean["held"], variance, 1 / pairs, begins, np.full(at.size, truth))


def last_days(draw: np.random.Generator, *, rise: float, history: bool) -> Looks | None:
    """All are assigned at once; who buys does so on one of sixty days, and each morning somebody looks."""
    people, rate = {"treated": 3000, "held": 600}, 0.06
    days = np.arange(1, 61)
    found, variance = {}, np.zeros(60)
    enough = np.ones(60, bool)
    for side, n in people.items():
        when = np.where(draw.random(n) < rate + rise * (side == "treated"), draw.integers(1, 61, n), 99)
        did = (when[:, None] <= days).sum(axis=0)
        found[side] = did / n
        variance += found[side] * (1 - found[side]) / (n - 1)
        enough &= did >= intervals.FEWEST
    weight = np.full(60, 1 / sum(1 / n for n in people.values()))
    before = sum(rate * (1 - rate) / n for n in people.values()) if history else 0.0
    if not enough.any():
        return None
    begins = int(np.argmax(enough))
    return Looks(found["treated"] - found["held"], variance, weight, begins, rise * days / 60, before)


def outside(looks: Looks | None, half: Array | None = None) -> bool:
    """Return whether the truth was ever outside, at a look at which an interval was told."""
    if looks is None:
        return False
    reach = looks.half() if half is None else half
    return bool((abs(looks.effect - looks.truth) > reach)[looks.begins :].any())


def classical(looks: Looks | None) -> Array | None:
    return None if looks is None else 1.96 * np.sqrt(looks.variance)


MOST = 0.05 + 2.33 * np.sqrt(0.05 * 0.95 / RUNS)  # 6.6 %: what 5 % exceeds by chance once in a hundred


@pytest.mark.parametrize("rise", [0.0, 0.01])
def test_peeking_while_strangers_come_does_no_harm(rise: float) -> None:
    """Nobody has a history; missed in 1.4 % and 1.3 %, by the usual interval in 17 % and 18 %."""
    draw = np.random.default_rng(21)
    found = [come(draw, people=12_000, rate=0.03, rise=rise) for _ in range(RUNS)]
    assert sum(map(outside, found)) <= MOST * RUNS
    assert sum(outside(one, classical(one)) for one in found) > 0.1 * RUNS  # or the simulation would show nothing


def test_peeking_at_revenue_of_strangers_does_no_harm() -> None:
    """A few baskets decide: with fifty who paid in each group 1.8 % miss; with ten it were 10.6 %."""
    draw = np.random.default_rng(22)
    found = [come(draw, people=16_000, rate=0.06, rise=0.0, paid=True) for _ in range(RUNS)]
    assert all(found)
    assert sum(map(outside, found)) <= MOST * RUNS


@pytest.mark.parametrize("history", [True, False])
def test_peeking_every_morning_does_no_harm(history: bool) -> None:
    """Missed in 1.2 % with a history and 1.1 % without, by the usual interval in 19 %."""
    draw = np.random.default_rng(23)
    found = [last_days(draw, rise=0.01, history=history) for _ in range(RUNS)]
    assert sum(map(outside, found)) <= MOST * RUNS
    assert sum(outside(one, classical(one)) for one in found) > 0.08 * RUNS


def test_a_real_effect_is_seen_and_earlier_than_at_the_end() -> None:
    """One look at the end would see it in 93 % of the campaigns; 74 % are seen at some look, 56 % of all early."""
    draw = np.random.default_rng(24)
    found = [one for _ in range(RUNS // 2) if (one := come(draw, people=20_000, rate=0.05, rise=0.0185)) is not None]
    seen = [np.flatnonzero((one.effect > one.half())[one.begins :]) for one in found]
    once = np.mean([one.effect[-1] > 1.96 * np.sqrt(one.variance[-1]) for one in found])
    power = np.mean([first.size > 0 for first in seen])
    early = np.mean([first.size > 0 and one.begins + first[0] < one.effect.size - 7
                     for one, first in zip(found, seen, strict=True)])  # fmt: skip
    assert once > 0.85
    assert power > 0.65
    assert early > 0.3  # before three quarters of the people had come
