"""Probabilities of answers mean what they say, and are judged by the message that was sent, not by the best one."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine import answers, evaluation, fairness
from mlengine.clicks import LETTERS, Parts, reached, time_of_day
from mlengine.columns import SCORE, USER
from mlengine.estimators.message_conversion import MessageConversion
from mlengine.estimators.message_judging import first_of_each, said_of
from mlengine.estimators.message_line import HER_TIME
from mlengine.estimators.message_response import MessageResponse
from mlengine.messages import sent
from mlengine.metrics.bootstrap import values_only
from mlengine.metrics.calibration import calibration_error
from mlengine.metrics.classification import brier
from mlengine.specs import SPECS
from tests import api, factories
from tests.mlengine.message_worlds import BEGAN, DAY, TIMES, World, shop

HOUR = timedelta(hours=1)
CLICKS = MessageResponse(horizon=28 * DAY, activity_window=182 * DAY)
ORDERS = MessageConversion(horizon=28 * DAY, activity_window=182 * DAY)


def first(rows: list[tuple[int, str, datetime, float]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=[USER, "channel", "occurred_at", "did"], orient="row")


def test_the_first_message_on_each_channel_judges() -> None:
    rows = first(
        [
            (1, "sms", BEGAN + 20 * HOUR, 1.0),
            (1, "email", BEGAN + 12 * HOUR, 0.0),
            (1, "sms", BEGAN + 9 * HOUR, 0.0),
            (2, "sms", BEGAN + 3 * HOUR, 1.0),
        ]
    )
    found = first_of_each(rows).select(USER, "channel", "time_of_day", "did").rows()
    assert found == [(1, "sms", "morning", 0.0), (1, "email", "midday", 0.0), (2, "sms", "evening", 1.0)]


def test_what_was_said_of_a_message_is_of_its_own_channel_and_time_of_the_day() -> None:
    sent = first_of_each(first([(1, channel, BEGAN + 9 * HOUR, 1.0) for channel in ("sms", "email", "wechat")]))
    said = pl.DataFrame({USER: [1], SCORE: [0.5], "by_sms": [0.5], "by_email": [0.2], "by_wechat": [None]})
    with_times = said.with_columns(in_evening=pl.lit(0.5), in_morning=pl.lit(1 / (1 + np.e)))
    found = dict(said_of(sent, with_times).select("channel", "said").iter_rows())
    assert found == {"sms": pytest.approx(0.2689, abs=1e-4), "email": pytest.approx(0.0842, abs=1e-4)}
    assert dict(said_of(sent, said).select("channel", "said").iter_rows()) == pytest.approx({"sms": 0.5, "email": 0.2})
    of_a_release_before = said.select(USER, SCORE, by_sms=pl.lit(None), in_morning=pl.lit(None))
    for alone in (said.select(USER, SCORE), of_a_release_before):
        assert said_of(sent, alone)["said"].to_list() == [0.5] * 3


def test_no_time_of_the_day_moves_what_was_said_of_a_letter() -> None:
    sent = first_of_each(first([(1, channel, BEGAN, 1.0) for channel in ("email", LETTERS)]))  # at midnight
    said = pl.DataFrame({USER: [1], SCORE: [0.5], "by_email": [0.5], "by_post": [0.2], "in_evening": [0.3]})
    found = dict(said_of(sent, said).select("channel", "said").iter_rows())
    assert found == pytest.approx({"email": 0.3, LETTERS: 0.2})


def test_clicks_are_as_likely_as_is_said() -> None:
    world, cutoff = World(), BEGAN + 140 * DAY
    answered = CLICKS.predict(CLICKS.fit(world.log(), cutoff), world.log(), cutoff)
    found = answered.to_native()
    user, hour = found[USER].to_numpy(), found["best_hour"].to_numpy()
    by_email, by_sms = (found[f"by_{channel}"].to_numpy() for channel in ("email", "sms"))
    true = world.chance(user, np.where(by_sms >= by_email, "sms", "email"), hour)
    assert found[SCORE].mean() == pytest.approx(true.mean(), abs=0.02)
    assert by_email.mean() == pytest.approx(world.chance(user, np.full(len(user), "email"), hour).mean(), abs=0.02)
    assert [found[SCORE].to_numpy()[user % 3 == kind].mean() for kind in range(3)] == pytest.approx(
        [true[user % 3 == kind].mean() for kind in range(3)], abs=0.08
    )
    with values_only():
        assert CLICKS.evaluate(answered, world.log(), cutoff)["calibration_error"].value < 0.05


def test_what_is_said_of_the_messages_that_come_is_true_on_average() -> None:
    world, cutoff = World(), BEGAN + 140 * DAY
    answered = CLICKS.predict(CLICKS.fit(world.log(), cutoff), world.log(), cutoff)
    at = pl.col("occurred_at")
    later = sent(world.log(), cutoff + 28 * DAY, 7 * DAY).filter((at >= cutoff) & (at < cutoff + 21 * DAY))
    rows = said_of(first_of_each(later), answered.to_native())
    true = world.chance(rows[USER].to_numpy(), rows["channel"].to_numpy(), rows["occurred_at"].dt.hour().to_numpy())
    assert rows["said"].mean() == pytest.approx(true.mean(), abs=0.01)
    assert calibration_error(true, rows["said"].to_numpy()) < 0.05  # of the true chances: no noise of who clicked
    assert len(rows) == len(CLICKS.outcomes(answered, world.log(), cutoff)[0])


def test_whoever_answers_at_another_time_of_the_day_is_written_to_then() -> None:
    world, cutoff = World(taste=1.5), BEGAN + 140 * DAY
    everybodys = replace(CLICKS, names=tuple(name for name in CLICKS.names if name != HER_TIME))
    by_sms, hours, ratings = np.full(400, "sms"), {}, {}
    for name, task in {"hers": CLICKS, "everybody's": everybodys}.items():
        answered = task.predict(task.fit(world.log(), cutoff), world.log(), cutoff)
        found = answered.to_native()
        hours[name] = found["best_hour"].to_numpy().astype(int)
        ratings[name] = brier(*CLICKS.outcomes(answered, world.log(), cutoff))
    true = {name: world.chance(found[USER].to_numpy(), by_sms, each).mean() for name, each in hours.items()}
    at_her_time = [time_of_day(hour) == TIMES[user % 4] for user, hour in zip(found[USER], hours["hers"], strict=True)]
    assert np.mean(at_her_time) > 0.55  # a quarter by chance
    assert true["hers"] > true["everybody's"] + 0.08
    assert ratings["hers"] < ratings["everybody's"] - 0.003


def test_where_nobody_has_a_time_of_her_own_all_are_written_to_at_the_same_hour() -> None:
    world, cutoff = World(), BEGAN + 140 * DAY
    model = CLICKS.fit(world.log(), cutoff)
    assert HER_TIME not in model.names
    assert CLICKS.predict(model, world.log(), cutoff).to_native()["best_hour"].n_unique() == 1


def test_what_is_kept_of_a_person_and_the_model_gives_each_channel_at_each_hour() -> None:
    world, cutoff = World(taste=1.5), BEGAN + 140 * DAY
    model = CLICKS.fit(world.log(), cutoff)
    rows = CLICKS.predict(model, world.log(), cutoff).to_native().to_dicts()
    parts = Parts.of(json.loads(json.dumps(model.parts())))
    asked = CLICKS._asked(world.log(), cutoff)
    asked = asked.with_columns(pl.Series("chance", model.probability(asked))).sort(USER, "occurred_at")
    assert parts.own_doubt > 0
    for facts in rows[:20]:
        for found in reached(facts, parts):
            of_hers = asked.filter((pl.col(USER) == facts[USER]) & (pl.col("channel") == found.channel))
            assert [one.probability for one in found.hours.values()] == pytest.approx(of_hers["chance"].to_list())
            assert found.best_hours[0] == facts["best_hour"]
            assert all(one.low < one.probability < one.high for one in found.hours.values())  # type: ignore[operator]


def test_orders_are_as_likely_as_is_said_where_the_same_few_messages_are_sent_in_turn() -> None:
    log, ratios, errors = shop(), [], []
    for cutoff in (BEGAN + 223 * DAY, BEGAN + 251 * DAY):  # the next message is an e-mail, the best one an SMS
        with values_only():
            found = ORDERS.evaluate(ORDERS.predict(ORDERS.fit(log, cutoff), log, cutoff), log, cutoff)
        ratios.append(found["expected_ratio"].value)
        errors.append(found["calibration_error"].value)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)
    assert np.mean(errors) < 0.1


def stored(found: pl.DataFrame) -> pl.DataFrame:
    """Return answers as they are read back from a run that they were written as, of the same users, in order."""
    ids = {factories.profile(f"p-{user}").pk: user for user in found[USER]}
    run = api.run("conversion")
    written = found.with_columns(pl.Series(USER, [*ids]))
    answers.write_scores(run, nw.from_native(written, eager_only=True), {})
    kept = evaluation.answers_of(run, SPECS["conversion"]).to_native()
    return kept.with_columns(pl.col(USER).replace_strict(ids)).sort(USER)  # type: ignore[no-any-return]


def test_what_is_stored_of_a_run_is_judged_as_the_backtest_was(db: None) -> None:
    log, cutoff = shop(), BEGAN + 223 * DAY
    found = ORDERS.predict(ORDERS.fit(log, cutoff), log, cutoff).to_native().head(60)
    back = stored(found)
    assert set(back.columns) == {USER, SCORE, *ORDERS.judged_by}
    live, before = (ORDERS.outcomes(nw.from_native(each, eager_only=True), log, cutoff) for each in (back, found))
    assert live[0].tolist() == before[0].tolist()
    assert live[1].tolist() == pytest.approx(before[1].tolist())


def test_a_stored_run_of_a_release_before_is_judged_by_its_scores_alone(db: None) -> None:
    log, cutoff = shop(), BEGAN + 223 * DAY
    found = pl.DataFrame({USER: range(1, 61), SCORE: [n / 100 for n in range(1, 61)]})
    said = ORDERS.matched(nw.from_native(stored(found), eager_only=True), log, cutoff).to_native()
    assert said[USER].n_unique() == 60
    assert said["said"].to_list() == [user / 100 for user in said[USER]]


def test_groups_are_not_called_unequal_because_another_message_was_sent_than_the_best() -> None:
    log, cutoff = shop(), BEGAN + 223 * DAY
    found = ORDERS.predict(ORDERS.fit(log, cutoff), log, cutoff)
    asked = replace(SPECS["conversion"], parameters={"window": 14 * DAY})
    report = fairness.report(asked, found, log, cutoff)
    measures = {one["name"]: one["groups"] for one in report["attributes"][0]["measures"]}
    gaps = [one["value"] for one in measures["calibration_gap"]]
    assert len(gaps) == 2
    assert max(abs(gap) for gap in gaps) < 0.1
