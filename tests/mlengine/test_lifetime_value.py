"""Buying till you die: published figures, data made so that the answer is known, and people at the edge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad

from mlengine.benchmarks import Asked
from mlengine.benchmarks.checkpoints import Checkpoints
from mlengine.benchmarks.value import Purchases, _to_the_last_day
from mlengine.estimators.lifetime_value.bg_nbd import BgNbd
from mlengine.estimators.lifetime_value.customers import Customers
from mlengine.estimators.lifetime_value.gamma_gamma import GammaGamma
from mlengine.estimators.lifetime_value.histories import Histories
from mlengine.estimators.lifetime_value.likely import STEP, Likely
from mlengine.estimators.lifetime_value.pareto_nbd import ParetoNbd
from mlengine.metrics.values import correlation, mean_absolute_error, root_mean_squared_error
from mlengine.specs import NotEnoughData
from tests.benchmarks.ml.money import cdnow

PARETO = ParetoNbd(r=0.553, alpha=10.578, s=0.606, beta=11.669)  # of CDNOW, in weeks: Fader & Hardie (2005)
BG = BgNbd(r=0.243, alpha=4.414, a=0.793, b=2.426)
EITHER = pytest.mark.parametrize("model", [PARETO, BG], ids=["pareto_nbd", "bg_nbd"])


def person(frequency: float, recency: float, T: float, spend: float = 20.0) -> Histories:
    """Return one person's history."""
    spends = frequency + 1 if spend > 0 else 0.0
    return Histories(
        **{
            name: np.array([value])
            for name, value in {
                "frequency": frequency,
                "recency": recency,
                "T": T,
                "monetary_value": spend,
                "spends": spends,
            }.items()
        }
    )


def records() -> tuple[Histories, np.ndarray]:
    """Return what is known of the record shop's customers after 39 weeks, and what each bought in the 39 after."""
    asked = Asked(checkpoints=Checkpoints(Path("none are kept")), options={"until": "1997-09-30", "days": "273"})
    bought = Purchases.of(cdnow(), asked)
    people, told = Histories.of_purchases(bought.person, bought.day, bought.amount, bought.cutoff)
    told = _to_the_last_day(told)
    return replace(told, recency=told.recency / 7, T=told.T / 7), bought.after(people)["purchases"]


def test_the_published_parameters_of_the_record_shop_are_found() -> None:
    told, _ = records()
    assert len(told) == 2357
    pareto, bg = ParetoNbd.fit(told), BgNbd.fit(told)
    assert list(pareto.facts().values()) == pytest.approx([0.553, 10.578, 0.606, 11.669], abs=6e-4)
    assert list(bg.facts().values()) == pytest.approx([0.243, 4.414, 0.793, 2.426], abs=6e-4)
    assert pareto.log_likelihood(told).sum() == pytest.approx(-9595.0, abs=0.05)
    assert bg.log_likelihood(told).sum() == pytest.approx(-9582.4, abs=0.05)


def test_the_published_figures_of_the_record_shop_are_reached() -> None:
    told, bought = records()
    said = PARETO.purchases(told, 39)
    assert mean_absolute_error(bought, said) == pytest.approx(0.7545, abs=5e-5)
    assert root_mean_squared_error(bought, said) == pytest.approx(1.6028, abs=5e-5)
    assert correlation(bought, said) == pytest.approx(0.630, abs=5e-4)
    said = BG.purchases(told, 39)
    assert mean_absolute_error(bought, said) == pytest.approx(
        0.7855, abs=2e-4
    )  # its parameters are published to three digits
    assert root_mean_squared_error(bought, said) == pytest.approx(1.6080, abs=1e-4)


def test_published_persons_are_told_as_published() -> None:
    """Customer 1 of the notes on both models: 2 repeats, the last in week 30.43 of 38.86."""
    told = person(2, 30.43, 38.86)
    assert BG.purchases(told, 39)[0] == pytest.approx(1.226, abs=5e-4)
    assert BG.alive(told)[0] == pytest.approx(0.726, abs=1e-3)


@pytest.mark.parametrize(("x", "last", "T"), [(0, 0, 38.9), (2, 30.4, 38.9), (40, 20.0, 38.9), (3, 38.9, 38.9)])
@pytest.mark.parametrize(
    "model", [PARETO, ParetoNbd(r=0.3, alpha=4.0, s=2.0, beta=0.05), ParetoNbd(r=2, alpha=0.01, s=0.5, beta=30)]
)
def test_the_quadrature_is_the_integral_that_it_stands_for(model: ParetoNbd, x: float, last: float, T: float) -> None:
    def falls(y: float) -> float:
        return float(model.s * (model.alpha + y) ** -(model.r + x) * (model.beta + y) ** -(model.s + 1))

    area = quad(falls, last, T, limit=500, epsabs=0, epsrel=1e-10)[0]
    stays = (model.alpha + T) ** -(model.r + x) * (model.beta + T) ** -model.s
    assert model.alive(person(x, last, T))[0] == pytest.approx(stays / (stays + area), rel=1e-6)


def drawn(model: ParetoNbd, people: int, age: float, horizon: float) -> tuple[Histories, np.ndarray, np.ndarray]:
    """Return people who live as the model says: what is known at ``age``, what they buy after, who is still there."""
    rng = np.random.default_rng(7)
    rate, leaves = (
        rng.gamma(model.r, 1 / model.alpha, people),
        rng.exponential(1 / rng.gamma(model.s, 1 / model.beta, people)),
    )
    before = rng.poisson(rate * np.minimum(leaves, age))
    last = np.where(before > 0, np.minimum(leaves, age) * rng.random(people) ** (1 / np.maximum(before, 1)), 0.0)
    after = rng.poisson(rate * np.clip(leaves - age, 0, horizon))
    spent = np.full(people, 10.0)
    told = Histories(frequency=before, recency=last, T=np.full(people, age), monetary_value=spent, spends=before + 1)
    return told, after, leaves > age


@pytest.mark.parametrize(("x", "last", "T"), [(0, 0, 39), (3, 20, 39), (12, 39, 39)])
def test_chances_of_each_number_of_purchases_add_up_to_the_expected_number(x: float, last: float, T: float) -> None:
    told = person(x, last, T)
    more = [1.0 - PARETO.at_most(told, 39.0, np.array([float(count)]))[0] for count in range(120)]
    assert sum(more) == pytest.approx(PARETO.purchases(told, 39.0)[0], rel=1e-6)
    assert more == sorted(more, reverse=True)


def test_what_to_reckon_with_lies_a_little_nearer_to_the_median_than_the_mean() -> None:
    told, after, _ = drawn(PARETO, 20_000, age=39.0, horizon=39.0)
    mean = PARETO.purchases(told, 39.0)
    little, much = (Likely(pareto=PARETO, step=step).purchases(told, 39.0) for step in (STEP, 0.2))
    assert mean_absolute_error(after, much) < mean_absolute_error(after, little) < mean_absolute_error(after, mean)
    assert root_mean_squared_error(after, little) < 1.0001 * root_mean_squared_error(after, mean)
    assert (little >= np.floor(mean)).all()


def test_all_that_was_published_of_the_record_shop_is_held_by_one_number_a_person() -> None:
    told, bought = records()
    said = Likely.fit(told).purchases(told, 39.0)
    assert mean_absolute_error(bought, said) <= 0.7545
    assert root_mean_squared_error(bought, said) <= 1.603
    assert correlation(bought, said) >= 0.630


def test_of_people_made_to_the_model_its_parameters_are_found_again() -> None:
    made = ParetoNbd(r=1.2, alpha=15.0, s=1.5, beta=60.0)
    told, _, _ = drawn(made, 3_000, age=100.0, horizon=50.0)
    found = ParetoNbd.fit(told)
    assert found.r / found.alpha == pytest.approx(made.r / made.alpha, rel=0.05)
    assert found.r == pytest.approx(made.r, rel=0.15)
    assert found.s / found.beta == pytest.approx(made.s / made.beta, rel=0.25)


def test_expectations_and_probabilities_hold_of_people_made_to_the_model() -> None:
    """By tenths of what is said, what happens lies within four standard errors."""
    told, after, is_there = drawn(PARETO, 60_000, age=39.0, horizon=39.0)
    for said, happened in ((PARETO.purchases(told, 39.0), after), (PARETO.alive(told), is_there * 1.0)):
        for tenth in np.array_split(np.argsort(said, kind="stable"), 10):
            error = happened[tenth].std() / np.sqrt(len(tenth))
            assert abs(said[tenth].mean() - happened[tenth].mean()) < 4 * error + 1e-9


def test_spends_made_to_gamma_gamma_are_found_again() -> None:
    rng, n = np.random.default_rng(3), 6_000
    made = GammaGamma(p=6.25, q=3.74, gamma=15.44)  # of CDNOW: Fader & Hardie (2013)
    times = rng.integers(1, 8, n)
    means = rng.gamma(made.p * times, 1 / rng.gamma(made.q, 1 / made.gamma, n)) / times
    told = Histories(frequency=times - 1, recency=times - 1, T=times, monetary_value=means, spends=times)
    found = GammaGamma.fit(told)
    assert found.log_likelihood(told).sum() >= made.log_likelihood(told).sum()
    assert found.average == pytest.approx(made.average, rel=0.03)
    assert found.spend(told) == pytest.approx(made.spend(told), rel=0.08)
    assert made.average == pytest.approx(35.2, abs=0.1)  # p * gamma / (q - 1)
    assert made.spend(person(0, 0, 1, spend=0.0))[0] == made.average  # of whom nothing was seen
    assert (
        means.min() < made.spend(told)[means.argmin()] < made.average < made.spend(told)[means.argmax()] < means.max()
    )


@EITHER
@pytest.mark.parametrize(
    ("x", "last", "T"),
    [(0, 0, 0), (0, 0, 1e-6), (0, 0, 5_000), (1, 0, 0), (100_000, 99.9, 100), (100_000, 1, 100), (100_000, 100, 100)],
    ids=[
        "just come",
        "an instant",
        "once, long ago",
        "twice at once",
        "incessant",
        "incessant, then gone",
        "to the end",
    ],
)
def test_people_at_the_edge_have_finite_answers(model: ParetoNbd | BgNbd, x: float, last: float, T: float) -> None:
    told = person(x, last, T)
    alive, soon, later = model.alive(told)[0], model.purchases(told, 10)[0], model.purchases(told, 20)[0]
    assert np.isfinite(model.log_likelihood(told)[0])
    assert 0 <= alive <= 1
    assert 0 <= soon <= later < 1e6
    assert np.isfinite(Customers(often=model, much=GammaGamma(p=6.25, q=3.74, gamma=15.44)).next_order(told)[0])


@EITHER
def test_silence_makes_less_of_the_same_purchases(model: ParetoNbd | BgNbd) -> None:
    still, silent = person(10, 38, 39), person(10, 10, 39)
    assert model.alive(silent)[0] < 0.1
    assert model.alive(still)[0] > 0.9
    assert model.purchases(silent, 39)[0] < 0.1 * model.purchases(still, 39)[0]


def test_parameters_at_which_closed_forms_divide_by_nothing_are_those_beside_them() -> None:
    told = person(3, 20, 39)
    at_one, beside = replace(PARETO, s=1.0), replace(PARETO, s=1.0 + 1e-5)
    assert at_one.purchases(told, 39)[0] == pytest.approx(beside.purchases(told, 39)[0], rel=1e-4)
    at_one_bg, beside_bg = replace(BG, a=1.0), replace(BG, a=1.0 + 1e-5)
    assert at_one_bg.purchases(told, 39)[0] == pytest.approx(beside_bg.purchases(told, 39)[0], rel=1e-4)


def test_histories_fold_days_and_look_at_nothing_after_the_cutoff() -> None:
    who = np.array([7, 7, 7, 7, 3, 7])
    day = np.array([10.0, 10.2, 14.0, 20.0, 19.0, 30.0])
    amount = np.array([5.0, 15.0, 10.0, -8.0, np.inf, 999.0])
    people, told = Histories.of_purchases(who, day, amount, cutoff=30)
    assert people.tolist() == [3, 7]
    assert told.frequency.tolist() == [0, 2]
    assert told.recency.tolist() == [0, 10]
    assert told.T.tolist() == [11, 20]
    assert told.monetary_value.tolist() == [0, 15]  # 20 and 10 were paid; a refund is no purchase of less than nothing
    assert told.spends.tolist() == [0, 2]


def test_impossible_histories_are_refused() -> None:
    with pytest.raises(ValueError, match="after the cutoff"):
        person(1, 5, 4)
    with pytest.raises(ValueError, match="T must be finite"):
        person(0, 0, np.nan)


def test_too_few_people_are_said_to_be() -> None:
    told = person(1, 2, 3)
    with pytest.raises(NotEnoughData, match="Needs 10 people who purchased, there are 1"):
        ParetoNbd.fit(told)
    with pytest.raises(NotEnoughData):
        GammaGamma.fit(told)


def test_people_who_are_all_alike_can_be_learned_from() -> None:
    told = person(4, 8, 10).rows(np.zeros(50, dtype=int))
    for model in (ParetoNbd.fit(told), BgNbd.fit(told)):
        assert model.purchases(told, 10)[0] == pytest.approx(4, rel=0.5)


def test_customers_are_kept_and_loaded(tmp_path: Path) -> None:
    kept = Customers(often=BG, much=GammaGamma(p=6.25, q=3.74, gamma=15.44))
    kept.save(tmp_path)
    assert Customers.load(tmp_path) == kept
