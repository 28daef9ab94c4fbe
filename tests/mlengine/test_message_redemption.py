"""Who uses a coupon of the next message: learned from letters and their coupons, beside who always does, or shops."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.clicks import Parts, reached
from mlengine.columns import SCORE, USER, Log
from mlengine.estimators.message_conversion import MessageConversion
from mlengine.estimators.message_redemption import COUPONS, MessageRedemption
from mlengine.estimators.message_response import MessageResponse
from mlengine.messages import ordered, redeemed
from mlengine.metrics.bootstrap import values_only
from mlengine.reasons import TEXTS
from mlengine.specs import SPECS, NotEnoughData
from mlengine.spent import bought_before, coupons_before, spent_before
from tests.mlengine.frames import PolarsType, log_of
from tests.mlengine.test_message_response import BEGAN, DAY, event, log_with

TASK = MessageRedemption(horizon=42 * DAY, activity_window=126 * DAY, window=21 * DAY)
ENDS = BEGAN + 301 * DAY
Used = tuple[int, datetime, str | None]
Bought = tuple[int, datetime, float, float]


def letter(user: int, at: datetime, session: str, **more: object) -> dict[str, object]:
    return event(user, "sent", at, "post", session=session, **more)


def known(log: Log, used: list[Used], bought: list[Bought] | None = None) -> Log:
    """Return the log with these coupons (user, when, campaign) and purchases (user, when, value, saved)."""
    shopping = bought or [(1, BEGAN, 1.0, 0.0)]
    rows = [
        {"user": user, "kind": "purchase", "occurred_at": at, "value": value, "discount": saved, "session": None}
        for user, at, value, saved in shopping
    ]
    rows += [
        {"user": user, "kind": "redeemed", "occurred_at": at, "value": None, "discount": None, "session": session}
        for user, at, session in used
    ]
    types: dict[str, PolarsType] = {
        "occurred_at": pl.Datetime("us"),
        "value": pl.Float64,
        "discount": pl.Float64,
        "session": pl.String,
    }
    return replace(log, events=log_of(pl.DataFrame(rows, schema_overrides=types)).events, memo={})


@cache
def world() -> Log:
    """Return 240 people with ten letters each, one in four weeks; whoever saves uses a coupon of half of them.

    Every third one does, every sixth spends ten times as much besides, and uses nine in ten; the others one in 25.
    """
    rng = np.random.default_rng(0)
    letters: list[dict[str, object]] = []
    used: list[Used] = []
    bought: list[Bought] = []
    for user in range(1, 241):
        saves, spends = user % 3 == 0, user % 6 == 0
        shops = [BEGAN + timedelta(days=7 * week + user % 7, hours=10) for week in range(-1, 43)]
        bought += [(user, at, 100.0 if spends else 10.0, 1.0) for at in shops]
        for n in range(10):
            at = BEGAN + 28 * n * DAY
            letters.append(letter(user, at, f"campaign {n}", variant=n + 1))
            if rng.random() < (0.9 if spends else 0.5 if saves else 0.04):
                used.append((user, at + DAY * float(rng.uniform(0, 20)), f"campaign {n}"))
    return known(log_with(letters), used, bought)


def did(log: Log, until: datetime = ENDS, window: timedelta = 21 * DAY) -> dict[tuple[int, str], float]:
    found = redeemed(log, until, window)
    return {(user, session): value for user, session, value in found.select("user", "session", "did").iter_rows()}


def test_a_coupon_counts_for_its_own_letter_where_its_session_says_so() -> None:
    letters = [letter(1, BEGAN, "a"), letter(1, BEGAN + 5 * DAY, "b"), letter(2, BEGAN, "a"), letter(3, BEGAN, "b")]
    used: list[Used] = [(1, BEGAN + 6 * DAY, "b"), (2, BEGAN, "a"), (2, BEGAN + DAY, "a"), (3, BEGAN + DAY, "a")]
    found = did(known(log_with(letters), used))
    assert found == {(1, "a"): 0.0, (1, "b"): 1.0, (2, "a"): 1.0, (3, "b"): 0.0}  # 3 used a coupon of somebody else's


@pytest.mark.parametrize("session", [None, "till 7"])
def test_a_coupon_without_a_campaign_counts_for_every_letter_in_whose_window_it_lies(session: str | None) -> None:
    at = [BEGAN, BEGAN + 5 * DAY, BEGAN + 30 * DAY, BEGAN + 60 * DAY]
    letters = [letter(1, when, f"{n}") for n, when in enumerate(at)]
    used: list[Used] = [(1, BEGAN + 20 * DAY, session), (1, BEGAN + 51 * DAY, session), (2, BEGAN, session)]
    assert [*did(known(log_with(letters), used)).values()] == [1.0, 1.0, 0.0, 0.0]  # the window is over when it ends


def test_a_coupon_of_a_letter_of_which_nobody_can_judge_yet_is_of_no_other() -> None:
    letters = [letter(1, BEGAN, "a"), letter(1, BEGAN + 10 * DAY, "late")]
    log = known(log_with(letters), [(2, BEGAN - DAY, None), (1, BEGAN + 12 * DAY, "late")])
    assert did(log, BEGAN + 25 * DAY) == {(1, "a"): 0.0}


def test_a_letter_that_is_told_twice_is_one_and_those_from_before_the_log_begins_are_none() -> None:
    letters = [letter(1, BEGAN - DAY, "before"), *[letter(1, BEGAN + n * DAY, "a") for n in (0, 0, 3)]]
    found = redeemed(known(log_with(letters), [(2, BEGAN, None)]), ENDS, 21 * DAY)
    assert found.select("session", "occurred_at", "did").rows() == [("a", BEGAN, 0.0)]


def test_what_was_used_and_spent_before_a_letter_is_as_it_was_then() -> None:
    used: list[Used] = [(1, BEGAN - 100 * DAY, None), (1, BEGAN - DAY, "a"), (1, BEGAN - DAY, "b"), (1, BEGAN, "a")]
    bought = [(1, BEGAN - 100 * DAY, 30.0, 10.0), (1, BEGAN - DAY, 5.0, 5.0), (1, BEGAN - DAY, float("nan"), -3.0)]
    log = known(log_with([letter(1, BEGAN, "a")]), used, [*bought, (1, BEGAN, 7.0, 0.0), (2, BEGAN, 9.0, 0.0)])
    rows = pl.DataFrame({USER: [1, 1, 2], "occurred_at": [BEGAN, BEGAN + 60 * DAY, BEGAN]})
    found = spent_before(coupons_before(rows, log, ENDS), log, ENDS).sort(USER, "occurred_at")
    assert found.select(COUPONS).rows() == [(3.0, 2.0, 2.0), (4.0, 3.0, 3.0), (0.0, 0.0, 0.0)]
    assert found.select("value_28", "value_91").rows() == [(5.0, 5.0), (0.0, 12.0), (0.0, 0.0)]
    assert found["discount_share_182"].to_list() == pytest.approx([15 / 50, 15 / 57, None])


def test_what_arrives_late_counts_when_it_happened_once_it_is_there() -> None:
    """An import may bring two years in a day: by when they arrived, all of them would be of that day."""
    used: list[Used] = [(1, BEGAN - 40 * DAY, None)]
    bought = [(1, BEGAN - 40 * DAY, 30.0, 10.0)]
    log = known(log_with([letter(1, BEGAN, "a")]), used, bought)
    arrived = BEGAN + 10 * DAY
    late = replace(log, events=log.events.with_columns(received_at=nw.lit(arrived)), memo={})
    rows = pl.DataFrame({USER: [1], "occurred_at": [BEGAN]})
    names = ("coupons_91", "value_28", "value_91", "shopping_days_28", "shopping_days_91")
    for until, of_91_days in ((arrived, 0.0), (arrived + DAY, 1.0)):
        found = bought_before(spent_before(coupons_before(rows, late, until), late, until), late, until)
        expected = (of_91_days, 0.0, 30 * of_91_days, 0.0, of_91_days)
        assert found.select(names).rows() == [expected]


def test_who_used_coupons_and_spends_is_expected_to_use_the_next_one() -> None:
    log, cutoff = world(), BEGAN + 252 * DAY
    model = TASK.fit(log, cutoff)
    found = TASK.predict(model, log, cutoff).to_native()
    user = found[USER].to_numpy()
    assert found.columns == [USER, SCORE, "low", "high", *SPECS["redemption"].facts]
    assert found[SCORE].to_list() == found["by_post"].to_list()
    assert found["by_email"].null_count() == 240
    expected = {0: 0.9, 3: 0.5, 1: 0.04}
    assert {n: found[SCORE].to_numpy()[user % 6 == n].mean() for n in expected} == pytest.approx(expected, abs=0.12)
    assert model.parts()["hours"] == []
    assert model.facts["messages"] == 240 * 9


def test_each_letter_is_judged_once_and_the_model_beats_who_always_did_and_who_shops() -> None:
    log = world()
    at = TASK.judged_at(log, ENDS, 3)
    assert at == [ENDS - n * DAY for n in (105, 84, 63)]  # between those after them nothing was sent
    tasks = {"model": TASK, **TASK.baselines()}
    assert set(tasks) == {"model", "past_redemptions", "past_coupons", "past_orders", "channel_redemptions"}
    with values_only():
        figures = {
            name: task.evaluate(task.predict(task.fit(log, at[0]), log, at[0]), log, at[0])
            for name, task in tasks.items()
        }
    auc = {name: found["roc_auc"].value for name, found in figures.items()}
    assert auc["model"] > max(value for name, value in auc.items() if name != "model")
    assert auc["past_redemptions"] > 0.8
    assert auc["channel_redemptions"] == 0.5  # all have the same letters
    assert figures["model"]["brier"].value < figures["channel_redemptions"]["brier"].value


def test_what_comes_after_the_cutoff_changes_nothing() -> None:
    log, cutoff = world(), BEGAN + 150 * DAY
    same = [TASK.predict(TASK.fit(each, cutoff), each, cutoff).to_native() for each in (log, log.until(cutoff))]
    assert same[0].equals(same[1])


def test_reasons_are_about_coupons_and_in_words_of_both_languages() -> None:
    log, cutoff = world(), BEGAN + 252 * DAY
    why = TASK.explain(TASK.fit(log, cutoff), log, cutoff, [1, 6])
    codes = {reason.code for reasons in why.values() for reason in reasons}
    assert codes <= set(TEXTS) - {"answers", "by_channel", "message", "orders", "other"}
    assert codes & {"redemptions", "coupons"}
    assert not [r for some in why.values() for r in some for tongue in ("en", "zh") if "?" in r.say(tongue)]


def test_where_nobody_used_a_coupon_it_refuses_in_words() -> None:
    nobody = known(world(), [])
    for ask in (lambda: TASK.judged_at(nobody, ENDS, 1), lambda: TASK.fit(nobody, ENDS)):
        with pytest.raises(
            NotEnoughData, match="Coupon use needs 500 messages sent and 30 coupons used after them, has"
        ):
            ask()
    with pytest.raises(NotEnoughData, match="has 2,400 and 0"):
        TASK.fit(nobody, ENDS)
    with pytest.raises(NotEnoughData, match="has 0 and 0"):
        TASK.fit(replace(world(), offers=None, memo={}), ENDS)


def test_where_everybody_uses_every_coupon_nothing_can_be_told_apart() -> None:
    used: list[Used] = [(user, BEGAN + (28 * n + 1) * DAY, None) for user in range(1, 241) for n in range(10)]
    log, cutoff = known(world(), [(1, BEGAN, None), *used]), BEGAN + 252 * DAY
    answers = TASK.predict(TASK.fit(log, cutoff), log, cutoff)
    assert answers[SCORE].to_numpy().min() > 0.9
    assert TASK.evaluate(answers, log, cutoff - 28 * DAY) == {}


def test_of_a_letter_no_hour_is_known_and_nobody_clicks_it() -> None:
    orders = MessageConversion(horizon=28 * DAY, activity_window=182 * DAY, window=5 * DAY)
    bought = [(user, BEGAN + (28 * n + user % 9) * DAY, 5.0, 0.0) for user in range(1, 241) for n in range(10)]
    log, cutoff = known(world(), [], bought), BEGAN + 252 * DAY
    assert ordered(log, cutoff, 5 * DAY)["did"].sum() > 500
    found = orders.predict(orders.fit(log, cutoff), log, cutoff).to_native()
    assert found["by_post"].null_count() == 0
    assert (found["best_hour"].null_count(), found[SCORE].null_count()) == (240, 0)
    (told,) = reached({"by_post": 0.2, "best_hour": None}, Parts.of({"hours": [[0.0, 0.0]] * 24}))
    assert (told.channel, told.best_hours, told.hours) == ("post", [], {})
    with pytest.raises(NotEnoughData, match="has 0 and 0"):
        MessageResponse(horizon=28 * DAY, activity_window=182 * DAY).fit(log, cutoff)


def test_whoever_was_written_to_of_late_is_answered_for_before_anybody_can_judge_it() -> None:
    log, cutoff = world(), BEGAN + 252 * DAY
    assert log.offers is not None
    offers = log.offers.collect("polars").to_native()
    first = pl.DataFrame([letter(999, cutoff - DAY, "first", variant=99)])
    more = pl.concat([offers, first], how="diagonal_relaxed").lazy()
    asked = replace(log, offers=nw.from_native(more), memo={})
    found = TASK.predict(TASK.fit(asked, cutoff), asked, cutoff).to_native()
    assert found.filter(pl.col(USER) == 999)[SCORE].to_list() == [pytest.approx(0.1, abs=0.1)]
    assert len(found) == 241


def test_of_somebody_with_very_many_letters_and_coupons_each_is_looked_at_once() -> None:
    many = range(10_000)  # all with all would be a hundred million
    letters = [letter(1, BEGAN + timedelta(minutes=n), str(n)) for n in many]
    used: list[Used] = [(1, BEGAN + timedelta(minutes=n, seconds=30), None) for n in many]
    found = redeemed(known(log_with(letters), used, [(1, BEGAN - DAY, 1.0, 0.0)]), ENDS, timedelta(seconds=30))
    assert (len(found), found["did"].sum()) == (10_000, 0.0)  # a coupon at the end of the window is none of it
    found = redeemed(known(log_with(letters), used, [(1, BEGAN - DAY, 1.0, 0.0)]), ENDS, timedelta(seconds=31))
    assert found["did"].sum() == 10_000
