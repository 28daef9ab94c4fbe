"""Who clicks, where and when: learned from messages, judged by later ones."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.clicks import Parts, reached
from mlengine.columns import SCORE, USER, Log
from mlengine.estimators.message_conversion import MessageConversion
from mlengine.estimators.message_line import STRENGTH, MessageLine, doubt_of
from mlengine.estimators.message_response import MessageResponse
from mlengine.estimators.uplift import Line, Logistic
from mlengine.messages import rates, sent
from mlengine.specs import NotEnoughData
from tests.mlengine.frames import PolarsType, log_of, purchases
from tests.mlengine.message_worlds import shop

DAY = timedelta(days=1)
BEGAN = datetime(2025, 3, 3)
ENDS = BEGAN + 140 * DAY
TASK = MessageResponse(horizon=28 * DAY, activity_window=182 * DAY)


def event(user: int, kind: str, at: datetime, channel: str, **more: object) -> dict[str, object]:
    about = {"session": f"{at:%j}", "campaign": 1, "variant": 5, "propensity": None, "machine": None}
    return {"user": user, "kind": kind, "occurred_at": at, "received_at": at, "channel": channel, **about, **more}


def log_with(rows: list[dict[str, object]]) -> Log:
    moment = pl.Datetime("us")
    schema: dict[str, PolarsType] = {"occurred_at": moment, "received_at": moment, "propensity": pl.Float64}
    frame = pl.DataFrame(rows, schema_overrides={**schema, "machine": pl.Int64}, infer_schema_length=None)
    log = log_of(purchases([(user, BEGAN, 1.0) for user in range(1, 121)]))
    return Log(events=log.events, items=log.items, profiles=log.profiles, offers=nw.from_native(frame.lazy()))


def world() -> Log:
    """Return 120 people sent a message every five days by e-mail at 9 or by SMS at 20.

    Every third of them clicks half of what comes by SMS, and one in twenty of all else is clicked.
    """
    rng = np.random.default_rng(0)
    rows = []
    for n in range(27):
        hour, channel = (9, "email") if n % 2 else (20, "sms")
        for user in range(1, 121):
            at = BEGAN + timedelta(days=5 * n, hours=hour)
            rows.append(event(user, "sent", at, channel))
            if rng.random() < (0.5 if channel == "sms" and user % 3 == 0 else 0.05):
                rows.append(event(user, "clicked", at + timedelta(hours=2), channel, session=f"{at:%j}"))
    return log_with(rows)


def test_who_clicked_before_and_where_is_expected_to_again() -> None:
    log, cutoff = world(), BEGAN + 110 * DAY
    found = TASK.predict(TASK.fit(log, cutoff), log, cutoff).to_native()
    keen = found[USER].to_numpy() % 3 == 0
    assert found[SCORE].to_numpy()[keen].mean() == pytest.approx(0.5, abs=0.1)
    assert found[SCORE].to_numpy()[~keen].mean() < 0.15
    assert set(found["best_hour"].to_numpy()[keen].tolist()) <= {18.0, 20.0, 22.0}
    assert (found["by_sms"] > found["by_email"]).to_numpy()[keen].mean() > 0.9
    assert found["by_wechat"].null_count() == 120


def test_later_messages_judge_it_beside_what_everybody_would_say() -> None:
    log = world()
    (cutoff,) = TASK.judged_at(log, ENDS, 1)
    tasks = {"model": TASK, **TASK.baselines()}
    figures = {
        name: task.evaluate(task.predict(task.fit(log, cutoff), log, cutoff), log, cutoff)
        for name, task in tasks.items()
    }
    assert figures["model"]["roc_auc"].value == pytest.approx(0.78, abs=0.05)  # the others click now and then, too
    assert figures["channel_rate"]["roc_auc"].value == pytest.approx(0.67, abs=0.02)  # more is clicked by SMS
    cut = log.until(cutoff)
    same = [TASK.predict(TASK.fit(each, cutoff), each, cutoff).to_native() for each in (log, cut)]
    assert same[0].equals(same[1])


def test_a_click_counts_once_within_its_time_and_not_by_a_machine() -> None:
    at = BEGAN
    rows = [event(user, "sent", at, "email", session="a") for user in (1, 2, 3, 4)]
    rows += [event(1, "clicked", at + n * timedelta(hours=1), "email", session="a") for n in (1, 2)]
    rows += [event(2, "clicked", at + timedelta(seconds=1), "email", session="a", machine=1)]
    rows += [event(3, "clicked", at + 8 * DAY, "email", session="a"), event(4, "clicked", at, "sms", session="a")]
    log = log_with(rows)
    assert sent(log, ENDS, 7 * DAY)["did"].to_list() == [1.0, 0.0, 0.0, 0.0]
    assert len(sent(log, at + 6 * DAY, 7 * DAY)) == 0


def test_a_rate_counts_only_messages_whose_time_had_passed() -> None:
    known = sent(
        log_with(
            [
                *(event(1, "sent", BEGAN + n * DAY, "email", session=str(n)) for n in (0, 1, 9)),
                event(1, "clicked", BEGAN, "email", session="0"),
            ]
        ),
        ENDS,
        7 * DAY,
    )
    found = rates(known, known, ("user",), "person", 7 * DAY)
    assert found["person_messages"].to_list() == [0.0, 0.0, 2.0]
    everybody = 1 / 3
    assert found["person_rate"].to_list() == pytest.approx([everybody, everybody, (1 + 5 * everybody) / 7])


def test_few_messages_are_refused_in_words_and_a_model_read_back_says_the_same(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="needs 500 messages sent and 30 clicks on them, has 120 and"):
        TASK.fit(world(), BEGAN + 9 * DAY)
    log, cutoff = world(), BEGAN + 60 * DAY
    model = TASK.fit(log, cutoff)
    model.save(tmp_path)
    again = MessageLine.load(tmp_path)
    assert TASK.predict(again, log, cutoff).to_native().equals(TASK.predict(model, log, cutoff).to_native())


def test_the_parts_of_a_model_give_what_it_says_of_any_hour_and_message() -> None:
    log, cutoff = world(), BEGAN + 110 * DAY
    model = TASK.fit(log, cutoff)
    asked = TASK._asked(log, cutoff)
    said = asked.with_columns(pl.Series("chance", model.probability(asked)))
    answers = TASK.predict(model, log, cutoff).to_native().filter(pl.col(USER) == 3).to_dicts()[0]
    parts = Parts.of(json.loads(json.dumps(model.parts())))
    for found in reached(answers, parts):
        of_hers = said.filter((pl.col(USER) == 3) & (pl.col("channel") == found.channel)).sort("occurred_at")
        assert [one.probability for one in found.hours.values()] == pytest.approx(of_hers["chance"].to_list())
        assert all(one.low < one.probability < one.high for one in found.hours.values())  # type: ignore[operator]
    new = asked.with_columns(message_messages=pl.lit(0.0), message_rate=pl.lit(model.facts["rate"]))
    sent_often = new.with_columns(
        message_messages=pl.lit(model.messages[5][0]), message_rate=pl.lit(model.messages[5][1])
    )
    odds = [np.log(chance / (1 - chance)) for chance in (model.probability(sent_often), model.probability(new))]
    assert (odds[0] - odds[1]).tolist() == pytest.approx([parts.messages[5].odds] * len(asked), abs=1e-5)


@pytest.mark.parametrize("task", [TASK, MessageConversion(horizon=28 * DAY, activity_window=182 * DAY)])
def test_reasons_are_told_of_a_model_that_learned_from_a_column_no_longer_learned_from(
    task: MessageResponse, tmp_path: Path
) -> None:
    log, cutoff = shop(), BEGAN + 223 * DAY
    before = replace(task, names=(*task.columns[:5], "message_messages", *task.columns[5:]))
    before.fit(log, cutoff).save(tmp_path)
    saved = task.load(tmp_path)
    assert "message_messages" in saved.names
    found = task.explain(saved, log, cutoff, [3, 4])
    assert [len(found[user]) for user in (3, 4)] == [3, 3]


def test_the_doubt_of_a_line_is_how_far_it_moves_with_other_people() -> None:
    rng, weights, doubts = np.random.default_rng(1), [], []
    for _ in range(80):
        people = np.repeat(np.arange(150), 6)
        Z = rng.normal(size=(150, 1))[people]  # a fact of the person, the same in all six messages
        keen = rng.normal(size=150)[people]  # and one that nobody knows: her messages are alike
        y = (rng.random(900) < 1 / (1 + np.exp(-(Z[:, 0] + keen)))).astype(float)
        line = Logistic(strength=STRENGTH).probability(Z, y)
        assert isinstance(line, Line)
        weights.append(line.weight[0])
        doubts.append(float(doubt_of(Z, y, line(Z), people)[0, 0] ** 0.5))
    assert np.mean(doubts) == pytest.approx(np.std(weights), rel=0.25)
    alone = float(doubt_of(Z, y, line(Z), np.arange(900))[0, 0] ** 0.5)
    assert alone < 0.8 * doubts[-1]  # as if every message were somebody else's


def test_the_interval_of_a_click_holds_what_is_true() -> None:
    log, cutoff = world(), BEGAN + 120 * DAY
    found = TASK.predict(TASK.fit(log, cutoff), log, cutoff).to_native()
    keen = found.filter(pl.col(USER) % 3 == 0)
    assert keen["by_sms_low"].mean() < 0.5 < keen["by_sms_high"].mean()
    assert (found["low"] < found["score"]).all()
    assert (found["score"] < found["high"]).all()
    assert found["by_wechat_low"].null_count() == len(found)
