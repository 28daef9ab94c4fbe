"""Lift against published figures, and against worlds made so that the truth is known."""

from math import sqrt

import numpy as np
import pytest
from scipy.stats import chisquare, norm

from campaigns.reporting import lift
from campaigns.reporting.lift import Moments, Stratum

ASPIRIN = Stratum(
    treated=Moments(n=11034, y=189, yy=189), held=Moments(n=11037, y=104, yy=104)
)  # heart attacks under placebo and under aspirin: Agresti, "Categorical Data Analysis", section 2.1


def test_a_difference_of_proportions_is_the_textbooks() -> None:
    found = lift.difference(ASPIRIN)
    assert round(found.effect, 4) == 0.0077
    assert round(sqrt(found.variance), 4) == 0.0015
    assert [round(end, 3) for end in lift.classical(found)] == [0.005, 0.011]


def test_the_interval_is_the_formula_of_the_paper() -> None:
    """Waudby-Smith et al., theorem 2.2, for the mean of t numbers: written there with ρ² = 1 / η and V = tσ²."""
    t, sigma, rho_squared, alpha = 500, 2.0, 0.01, 0.05
    theirs = sigma * sqrt(2 * (t * rho_squared + 1) / (t**2 * rho_squared) * np.log(sqrt(t * rho_squared + 1) / alpha))
    planned = sigma**2 / t * (1 / (rho_squared * t)) * (-2 * np.log(alpha) + np.log(-2 * np.log(alpha)) + 1)
    ours = lift.interval(lift.Estimate(effect=0.0, variance=sigma**2 / t), lift.tuned(planned))
    assert ours.high == pytest.approx(theirs, rel=1e-12)


def test_the_p_value_crosses_alpha_where_the_interval_touches_zero() -> None:
    for effect in (1.0, 2.9, 3.1, 8.0):
        found = lift.interval(lift.Estimate(effect=effect, variance=1.0), lift.tuned(1.0))
        assert (found.p < 0.05) == found.sure
    edge = lift.interval(lift.Estimate(effect=0.0, variance=1.0), lift.tuned(1.0)).high
    assert lift.interval(lift.Estimate(effect=edge, variance=1.0), lift.tuned(1.0)).p == pytest.approx(0.05)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
def test_history_takes_away_the_square_of_the_correlation(rho: float) -> None:
    draw = np.random.default_rng(3)

    def group(n: int, effect: float) -> Moments:
        before = draw.normal(size=n)
        after = rho * before + sqrt(1 - rho**2) * draw.normal(size=n) + effect
        return Moments.of(after, before)

    found = lift.difference(Stratum(treated=group(100_000, 0.05), held=group(50_000, 0.0)))
    assert found.spared == pytest.approx(rho**2, abs=0.006)
    assert found.effect == pytest.approx(0.05, abs=4 * sqrt(found.variance))


def test_a_chance_difference_from_before_is_taken_off() -> None:
    before = np.array([0.0, 1, 2, 3, 4, 5])
    found = lift.difference(
        Stratum(treated=Moments.of(2 * before + 7, before), held=Moments.of(2 * before[:3], before[:3]))
    )
    assert found.effect == pytest.approx(7)


def test_runs_are_judged_each_by_itself() -> None:
    """Both runs double nothing, but the good one held many out: pooled plainly it would look as if sending did harm."""
    good = Stratum(treated=Moments(n=1000, y=500, yy=500), held=Moments(n=1000, y=500, yy=500))
    poor = Stratum(treated=Moments(n=9000, y=900, yy=900), held=Moments(n=1000, y=100, yy=100))
    found = lift.together([good, poor])
    assert found.effect == pytest.approx(0)
    assert found.variance == pytest.approx(
        0.1**2 * lift.difference(good).variance + 0.9**2 * lift.difference(poor).variance
    )


def test_sample_ratio_is_the_chi_square_test() -> None:
    assert lift.sample_ratio([505, 495], [0.5, 0.5]) == chisquare([505, 495]).pvalue
    assert lift.sample_ratio([821588, 815482], [1, 1]) == pytest.approx(1.8e-6, rel=0.02)  # Fabijan et al., KDD 2019
    assert lift.sample_ratio([0, 0], [1, 9]) == 1.0


def test_the_number_that_a_test_needs_is_the_textbooks() -> None:
    """3,841 in each group tell 10 % from 12 % with a power of 80 % (Fleiss' formula without continuity)."""
    assert lift.detectable(3841, 3841, 0.10) == pytest.approx(0.02, rel=1e-3)
    assert lift.detectable(0, 100, 0.1) is None
    assert lift.detectable(2, 2, 0.9) is None


def test_what_is_detectable_is_detected_as_often_as_wished() -> None:
    rise = lift.detectable(9000, 1000, 0.05)
    assert rise is not None
    draw = np.random.default_rng(5)
    treated, held = draw.binomial(9000, 0.05 + rise, 20_000), draw.binomial(1000, 0.05, 20_000)
    pooled = (treated + held) / 10_000
    z = (treated / 9000 - held / 1000) / np.sqrt(pooled * (1 - pooled) * (1 / 9000 + 1 / 1000))
    assert (abs(z) > norm.isf(0.025)).mean() == pytest.approx(0.8, abs=0.02)


def test_several_variants_are_corrected_together() -> None:
    assert lift.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # R: p.adjust(…, "holm")
    assert lift.holm([]) == []


def test_a_group_of_one_says_nothing() -> None:
    with pytest.raises(ValueError, match="two people"):
        lift.difference(Stratum(treated=Moments.of([1, 0]), held=Moments.of([1])))
