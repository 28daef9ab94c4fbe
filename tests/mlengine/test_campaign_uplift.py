"""Whom a campaign makes buy: found where it is known, refused where nothing can be known."""

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.cards import as_json
from mlengine.columns import SCORE, USER
from mlengine.estimators.campaign_uplift import CampaignUplift
from mlengine.estimators.effect import Effect
from mlengine.metrics.uplift import qini, uplift_interval
from mlengine.offers import trials
from mlengine.specs import NotEnoughData
from tests.mlengine.campaign_worlds import DAY, ENDS, HOLDOUT, RUNS, world

TASK = CampaignUplift(horizon=28 * DAY, activity_window=182 * DAY, least=150, again=4)
TASKS: dict[str, Any] = {"model": TASK, **TASK.baselines()}


@cache
def fitted(name: str = "model") -> Effect:
    made: Effect = TASKS[name].fit(world(), RUNS[2])
    return made


def test_whom_a_campaign_makes_buy_comes_first_and_others_do_not() -> None:
    log, model = world(), fitted()
    assert model.facts["effects_differ"]
    assert (model.facts["runs"], model.facts["treated"] + model.facts["held_out"]) == (2, 1400)
    found = TASK.predict(model, log, RUNS[2]).to_native()
    helped = found[USER].to_numpy() % 2 == 0
    score = found[SCORE].to_numpy()
    first = np.argsort(-score)[: int(0.3 * len(score))]
    assert helped[first].mean() > 0.95
    assert abs(score[~helped].mean()) < 0.12
    assert score[helped].mean() == pytest.approx(0.4, abs=0.12)  # half of those who would not have bought anyway
    assert (found["low"] < found[SCORE]).all()
    assert found["effect_email"].null_count() == 0
    assert (found["effect_email_low"] < found["effect_email"]).all()
    assert found["effect_email"].to_list() == pytest.approx(found[SCORE].to_list())  # every campaign went by e-mail
    assert found["effect_sms"].null_count() == len(found)


def test_the_next_campaign_judges_the_order_and_what_aiming_would_have_brought() -> None:
    log = world()
    said = {name: task.evaluate(task.predict(fitted(name), log, RUNS[2]), log, RUNS[2]) for name, task in TASKS.items()}
    assert said["same_for_all"]["qini"].value == 0.0
    assert said["likely_buyers"]["qini"].value < 0  # those who buy often anyway are the last to be helped
    assert said["model"]["qini"].low is not None
    assert said["model"]["qini"].low > 0
    assert said["model"]["uplift_at_30"].value > 0.25 > said["model"]["uplift_at_100"].value
    low, high = said["model"]["policy_gain_30"].low, said["model"]["policy_gain_30"].high
    assert low is not None
    assert high is not None
    assert 0 < low < 0.3 * 0.4 / 2 < high  # aimed, all of the 30 % are those helped; drawn, half of them


def test_what_sending_by_the_scores_would_have_brought_is_shown_beside_all_and_nobody() -> None:
    log = world()
    found = as_json(TASK.shown(TASK.predict(fitted(), log, RUNS[2]), log, RUNS[2]))
    assert [(one["campaign"], one["channels"]) for one in found["campaigns"]] == [(1, ["email"])]
    assert found["treated"] + found["held_out"] == 700
    ways = {one["name"]: one for one in found["policies"]}
    assert [ways[name]["share"] for name in ("nobody", "targeted", "by_lot", "everybody")] == [0, 0.3, 0.3, 1]
    assert ways["nobody"]["more"]["value"] == 0.0
    # Every second person is helped: half of the seven tenths of them who would not have bought in the two weeks.
    for name, share in (("everybody", 0.5), ("targeted", 0.3)):
        more = ways[name]["more"]
        assert more["low"] < share * 0.5 * 0.7 < more["high"]
    assert ways["by_lot"]["more"]["value"] == pytest.approx(0.3 * ways["everybody"]["more"]["value"], abs=0.01)
    assert ways["targeted"]["more"]["low"] > 0
    assert ways["targeted"]["ips"] == pytest.approx(ways["targeted"]["bought"]["value"], abs=0.05)
    curve = found["curve"]
    assert (curve["shares"][0], curve["shares"][6], curve["gained"][0]) == (0.0, pytest.approx(0.3), 0.0)
    assert curve["gained"][6] == pytest.approx(ways["targeted"]["more"]["value"], abs=0.02)
    assert curve["gained"][-1] == pytest.approx(ways["everybody"]["more"]["value"], abs=1e-6)
    assert all(
        low <= middle <= high for low, middle, high in zip(curve["low"], curve["gained"], curve["high"], strict=True)
    )
    nobody = TASK.predict(fitted(), log, RUNS[2]).head(0)
    assert TASK.shown(nobody, log, RUNS[2]) == {}


def test_it_names_the_campaigns_it_learned_from() -> None:
    first, second = as_json(fitted().facts)["trials"]
    assert (first["at"], second["at"]) == (f"{RUNS[1]:%Y-%m-%d}", f"{RUNS[0]:%Y-%m-%d}")
    assert first["treated"] + first["held_out"] == 700


def test_where_effects_do_not_differ_nothing_is_claimed() -> None:
    log = world(effect=0.0)
    model = TASK.fit(log, RUNS[2])
    assert model.facts["effects_differ"] is False
    found = TASK.predict(model, log, RUNS[2]).to_native()
    assert found[SCORE].n_unique() == 1
    assert found["low"][0] < 0 < found["high"][0]
    assert TASK.evaluate(TASK.predict(model, log, RUNS[2]), log, RUNS[2])["qini"].value == 0.0


def test_nothing_at_or_after_the_cutoff_is_learned_from() -> None:
    log = world()
    cut = log.until(RUNS[2])
    whole, known = TASK.predict(fitted(), log, RUNS[2]), TASK.predict(TASK.fit(cut, RUNS[2]), cut, RUNS[2])
    assert whole.to_native().equals(known.to_native())


def test_it_is_judged_at_campaigns_with_one_before_to_learn_from() -> None:
    assert TASK.judged_at(world(), ENDS, 4) == [RUNS[1], RUNS[2]]
    with pytest.raises(NotEnoughData, match="150 people drawn to get a message and 150 held out"):
        TASK.judged_at(world(people=200), ENDS, 4)


def test_a_campaign_of_the_last_weeks_neither_is_a_cutoff_nor_judges_before_its_days_are_over() -> None:
    early = RUNS[2] + 13 * DAY
    # After 20 days the window of 14 is over, and the horizon of 28 is not: the regular date a horizon ago judges it.
    assert TASK.judged_at(world(), RUNS[2] + 20 * DAY, 4) == [RUNS[1], RUNS[2] - 8 * DAY]
    assert TASK.judged_at(world(), RUNS[2] + 28 * DAY, 4) == [RUNS[1], RUNS[2]]
    told = nw.from_native(pl.DataFrame({USER: range(1, 701), SCORE: np.linspace(1.0, 0.0, 700)}), eager_only=True)
    assert TASK.evaluate(told, world().until(early), RUNS[2]) == {}
    assert TASK.evaluate(told, world().until(early + 2 * DAY), RUNS[2]) != {}


def test_whoever_was_drawn_in_two_runs_is_one_person_in_the_intervals() -> None:
    rng = np.random.default_rng(3)
    y, treated, score = (rng.random(600) for _ in range(3))
    once = [y < 0.3, treated < 0.5, score, np.ones(600)]
    twice = [np.concatenate([each, each]).astype(float) for each in once]
    y, treated, score, weight = (each.astype(float) for each in once)
    of_rows = uplift_interval(qini, y, score, treated, weight)
    people = np.tile(np.arange(600), 2)
    of_people = uplift_interval(qini, twice[0], twice[2], twice[1], twice[3], people=people)
    assert of_people.value == pytest.approx(of_rows.value)
    assert of_people.low == pytest.approx(of_rows.low)
    assert of_people.high == pytest.approx(of_rows.high)
    too_sure = uplift_interval(qini, twice[0], twice[2], twice[1], twice[3])
    assert None not in (too_sure.low, too_sure.high, of_people.low, of_people.high)
    ratio = (too_sure.high - too_sure.low) / (of_people.high - of_people.low)  # type: ignore[operator]
    assert ratio == pytest.approx(0.5**0.5, abs=0.12)


def test_without_a_lot_nothing_is_said_about_causes() -> None:
    with pytest.raises(NotEnoughData, match=r"No campaign held anybody out by lot.*3 runs without"):
        TASK.fit(world(held_out=0.0), RUNS[2] + 20 * DAY)
    with pytest.raises(NotEnoughData, match="No campaign held anybody out by lot"):
        TASK.fit(replace(world(), offers=None, memo={}), RUNS[2])


def test_groups_of_another_size_than_drawn_are_not_believed() -> None:
    found = trials(world(told=0.2), ENDS, 14 * DAY)
    assert (found.mismatched, len(found.rows)) == (3, 0)
    assert trials(world(told=HOLDOUT), ENDS, 14 * DAY).mismatched == 0


def test_somebody_told_twice_counts_once_and_who_waits_for_her_window_not_yet() -> None:
    log = world(people=200)
    assert log.offers is not None
    rows = log.offers.collect().to_native()
    twice = replace(log, offers=nw.from_native(pl.concat([rows, rows]).lazy()), memo={})
    assert trials(twice, ENDS, 14 * DAY).rows.equals(trials(log, ENDS, 14 * DAY).rows)
    assert len(trials(log, RUNS[1] + timedelta(days=14, hours=9), 14 * DAY).rows) == 400
    assert len(trials(log, RUNS[1] + timedelta(days=14, hours=8), 14 * DAY).rows) == 200


def test_a_model_read_back_says_the_same(tmp_path: Path) -> None:
    log = world()
    model = fitted()
    model.save(tmp_path)
    again = Effect.load(tmp_path)
    assert TASK.predict(again, log, RUNS[2]).to_native().equals(TASK.predict(model, log, RUNS[2]).to_native())
    assert again.importances() == model.importances()
    kept = json.loads((tmp_path / "model.json").read_text())
    for lever in kept["levers"].values():  # as a release before kept them
        del lever["error"], lever["again"]
    (tmp_path / "model.json").write_text(json.dumps(kept))
    former = TASK.predict(Effect.load(tmp_path), log, RUNS[2]).to_native()
    assert former["effect_email_low"].null_count() == len(former)
    reasons = TASK.explain(model, log, RUNS[2], [2, 3])
    assert set(reasons) == {2, 3}
    assert all(1 <= len(each) <= 3 for each in reasons.values())
