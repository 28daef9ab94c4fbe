"""What every score owes its reader: reasons in both languages, the same each time, and what the model goes by."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.admin.words import THEMES
from mlengine.anonymity.tidying import FLOOR
from mlengine.columns import USER, Log
from mlengine.estimators import parts
from mlengine.estimators.boosted import BoostedTrees
from mlengine.estimators.churn import Churn, LogisticChurn
from mlengine.estimators.dependence import dependences, grid, steadiness
from mlengine.estimators.examples import matrix
from mlengine.reasons import OTHER, TEXTS, code_of
from mlengine.specs import SPECS, Explains, Ripens, Spec, Watched
from tests.mlengine.quick import quick
from tests.mlengine.shoppers import BEGIN, shoppers

CUTOFF = datetime(2024, 8, 24)
SCORES = [spec for spec in SPECS.values() if spec.answers == "score"]
every_score = pytest.mark.parametrize("spec", SCORES, ids=lambda spec: spec.name)


TASK = Churn(
    horizon=timedelta(days=28),
    activity_window=timedelta(days=90),
    rounds=60,
    seeds=2,
    most_cutoffs=3,
    columns_share=0.9,
)


@pytest.fixture(scope="module")
def log() -> Log:
    """Return shoppers of whom lots decided, every other week, who gets a campaign; some use the coupon it brings."""
    found = shoppers(people=240)[0]
    rng = np.random.default_rng(1)
    lots: list[dict[str, Any]] = [
        {
            "user": user,
            "kind": "assigned",
            "occurred_at": BEGIN + timedelta(days=14 * n),
            "received_at": BEGIN + timedelta(days=14 * n),
            "session": f"run {n}",
            "channel": "email",
            "campaign": 1,
            "variant": int(rng.integers(0, 2)),
            "propensity": 0.5,
            "machine": 0,
        }
        for user in range(1, 241)
        for n in range(4, 16)
    ]
    for lot in [each for each in lots if each["variant"]]:
        sent = {**lot, "kind": "sent", "occurred_at": lot["occurred_at"] + timedelta(hours=lot["user"] % 12)}
        lots.append({**sent, "received_at": sent["occurred_at"]})
        if rng.random() < 0.1 + 0.5 * (lot["user"] % 2):
            at = sent["occurred_at"] + timedelta(hours=1)
            lots.append({**sent, "kind": "clicked", "occurred_at": at, "received_at": at})
    columns = {"occurred_at": pl.Datetime("us"), "received_at": pl.Datetime("us")}
    offers = pl.DataFrame(lots).cast(columns)  # type: ignore[arg-type]
    used = offers.filter(pl.col("kind") == "clicked", pl.col("user") % 3 == 0).with_columns(kind=pl.lit("redeemed"))
    events = found.events.collect("polars").to_native()
    told = pl.concat([events, used.select(set(used.columns) & set(events.columns))], how="diagonal_relaxed")
    return replace(found, events=nw.from_native(told.lazy()), offers=nw.from_native(offers.lazy()))


@pytest.fixture(scope="module")
def churn(log: Log) -> BoostedTrees:
    return TASK.fit(log, CUTOFF)


def users_of(log: Log) -> list[int]:
    return [int(user) for user in TASK.people(log, CUTOFF)[USER].to_list()]


def test_every_theme_of_reasons_has_a_title() -> None:
    assert set(TEXTS) <= set(THEMES)


@every_score
def test_every_score_can_give_its_reasons(spec: Spec) -> None:
    assert isinstance(spec.verbs, Explains)


@every_score
def test_every_score_can_be_laid_beside_what_came_after_unless_nobody_can_see_it(spec: Spec) -> None:
    assert isinstance(spec.verbs, Ripens) or spec.unit == "effect"


@every_score
def test_reasons_are_given_to_everybody_and_stay_the_same(spec: Spec, log: Log, tmp_path: Path) -> None:
    task = quick(spec).verbs
    assert isinstance(task, Explains)
    model = task.fit(log, CUTOFF)
    users = task.predict(model, log, CUTOFF)[USER].to_list()
    told = task.explain(model, log, CUTOFF, users)
    assert set(told) == set(users)
    for reasons in told.values():
        assert (spec.unit != "effect") <= len(reasons) <= 3  # an effect may be found to be alike for everybody
        assert [abs(each.contribution) for each in reasons] == sorted(
            (abs(each.contribution) for each in reasons), reverse=True
        )
        assert OTHER not in {each.code for each in reasons}
        for each in reasons:
            assert each.say("en") != each.say("zh-hans")
    model.save(tmp_path)
    alone = users[len(users) // 2]
    assert task.explain(task.load(tmp_path), log, CUTOFF, [alone]) == {alone: told[alone]}


@every_score
def test_every_column_a_score_goes_by_has_words(spec: Spec, log: Log) -> None:
    task = spec.verbs
    if isinstance(task, Watched):
        columns = [name for name in task.people(log, CUTOFF).columns if name != USER]
        assert [name for name in columns if code_of(name) == OTHER] == []


def test_a_line_explains_by_its_weights(log: Log) -> None:
    task = LogisticChurn(horizon=TASK.horizon, activity_window=TASK.activity_window)
    model = task.fit(log, CUTOFF)
    X = matrix(task.people(log, CUTOFF), model.names)
    log_odds = np.log(model.probability(X) / (1 - model.probability(X)))
    rest = log_odds - model.contributions(X).sum(axis=1)
    np.testing.assert_allclose(rest, rest[0], atol=1e-9)  # the average person's, the same for all
    found = task.explain(model, log, CUTOFF, users_of(log))
    assert {reason.code for each in found.values() for reason in each} == {"quiet", "frequency", "spending"}
    said = {reason.say() for each in found.values() for reason in each if reason.code == "quiet"}
    assert all(sentence.startswith("No purchase for ") and "?" not in sentence for sentence in said)


def test_a_risk_rises_with_days_of_silence_and_each_point_has_people_near_it(log: Log, churn: BoostedTrees) -> None:
    found = {each.code: each for each in dependences(TASK, churn, log, CUTOFF)}
    assert len(found) > 1
    assert found["silence"].points[-1].mean > found["silence"].points[0].mean + 0.03
    people = len(TASK.people(log, CUTOFF))
    for each in found.values():
        assert all(point.low <= point.mean <= point.high for point in each.points)
        assert all(round(point.people * people) >= FLOOR for point in each.points)
        assert sum(point.people for point in each.points) + each.missing <= 1 + 1e-9


def test_a_point_is_the_mean_of_what_each_seed_says_of_everybody_set_to_its_value(
    log: Log, churn: BoostedTrees
) -> None:
    each = dependences(TASK, churn, log, CUTOFF)[0]
    point = each.points[0]
    X = matrix(TASK.people(log, CUTOFF), churn.names)
    X[:, churn.names.index(each.column)] = point.value
    by_seed = [float(member.probability(X).mean()) for member in churn.members]
    assert len(set(by_seed)) == 2
    assert [point.low, point.high] == pytest.approx([min(by_seed), max(by_seed)])
    assert point.mean == pytest.approx(np.mean(by_seed))


def test_of_many_people_some_are_asked_and_how_many_is_told(
    log: Log, churn: BoostedTrees, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = dependences(TASK, churn, log, CUTOFF)
    assert {each.people for each in everybody} == {len(TASK.people(log, CUTOFF))}
    monkeypatch.setattr(parts, "SOME", 120)
    some = parts.some(log.until(CUTOFF), CUTOFF, TASK.activity_window, TASK.kind)
    asked = set(TASK.people(some, CUTOFF)[USER].to_list())
    found = dependences(TASK, churn, log, CUTOFF)
    assert [each.column for each in found] == [each.column for each in everybody]
    assert {each.people for each in found} == {len(asked)}
    assert 80 < len(asked) < 160
    said: list[set[int]] = []
    whole = Churn.explain

    def noted(self: Churn, model: Any, log: Log, cutoff: datetime, users: Any) -> Any:
        said.append(set(users))
        return whole(self, model, log, cutoff, users)

    monkeypatch.setattr(Churn, "explain", noted)
    assert 0.3 < steadiness(TASK, churn, log, CUTOFF)["all"] <= 1
    assert said == [asked, asked]


def test_no_point_is_drawn_where_hardly_anybody_is() -> None:
    at, share = grid(np.r_[np.zeros(50), np.full(9, 100.0), np.full(41, np.nan)])
    assert (at.tolist(), share.tolist()) == ([0.0], [0.5])
    assert grid(np.full(20, np.nan))[0].tolist() == []


def test_how_steady_reasons_are_is_told_of_models_with_several_seeds(log: Log, churn: BoostedTrees) -> None:
    found = steadiness(TASK, churn, log, CUTOFF)
    first, second = (
        {user: reasons[0].code for user, reasons in TASK.explain(member, log, CUTOFF, users_of(log)).items()}
        for member in churn.members
    )
    assert found["first"] == pytest.approx(np.mean([first[user] == second[user] for user in first]))
    assert found["first"] > 0.3
    assert 0.3 < found["all"] <= 1
    assert steadiness(TASK, churn.members[0], log, CUTOFF) == {}
