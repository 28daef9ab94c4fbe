"""Who orders after a message: learned from messages and orders, beside who orders anyway."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.columns import SCORE, USER, Log
from mlengine.estimators.message_conversion import BOUGHT, MessageConversion
from mlengine.messages import ordered
from mlengine.reasons import TEXTS
from mlengine.specs import SPECS, NotEnoughData
from mlengine.spent import bought_before
from tests.mlengine.frames import log_of, purchases
from tests.mlengine.test_message_response import BEGAN, DAY, ENDS, event, log_with

TASK = MessageConversion(horizon=28 * DAY, activity_window=182 * DAY, window=5 * DAY)
PEOPLE = range(1, 181)


def sold(log: Log, rows: list[tuple[int, datetime, float]]) -> Log:
    """Return the log with these purchases instead of its own."""
    return replace(log, events=log_of(purchases(rows)).events)


@cache
def world() -> Log:
    """Return 180 people written to every ten days, by e-mail and by SMS in turn.

    Every second one buys every ten days or so, whatever is sent; every third orders after three in five of the SMS.
    """
    rng = np.random.default_rng(0)
    messages, orders = [], []
    for user in PEOPLE:
        at = BEGAN + DAY * float(rng.uniform(0, 10))
        while user % 2 == 0 and at < ENDS:
            orders.append((user, at, 10.0))
            at += DAY * float(rng.gamma(4, 2.5))
        for n in range(13):
            sent_at, channel = BEGAN + timedelta(days=10 * n + 5, hours=10), "email" if n % 2 else "sms"
            messages.append(event(user, "sent", sent_at, channel))
            if rng.random() < (0.6 if channel == "sms" and user % 3 == 0 else 0.02):
                orders.append((user, sent_at + DAY * float(rng.uniform(0, 4)), 20.0))
    return sold(log_with(messages), orders)


def test_an_order_counts_in_the_window_after_every_message_and_not_before() -> None:
    sent_at = [BEGAN, BEGAN + 3 * DAY, BEGAN + 20 * DAY]
    messages = [event(1, "sent", at, "email", session=str(n)) for n, at in enumerate(sent_at)]
    messages += [event(2, "sent", BEGAN, "sms", session="0")]
    bought = [(1, BEGAN + 4 * DAY, 5.0), (1, BEGAN + 19 * DAY, 5.0), (2, BEGAN + 5 * DAY, 5.0)]
    log = sold(log_with(messages), bought)
    found = ordered(log, ENDS, 5 * DAY)
    assert found.filter(pl.col(USER) == 1)["did"].to_list() == [1.0, 1.0, 0.0]
    assert found.filter(pl.col(USER) == 2)["did"].to_list() == [0.0]  # the window is over when it ends
    assert len(ordered(log, BEGAN + 8 * DAY, 5 * DAY)) == 3  # of the last one nobody knows yet
    assert ordered(replace(log, offers=None, memo={}), ENDS, 5 * DAY).is_empty()


def test_what_was_bought_before_a_message_is_as_it_was_then() -> None:
    bought = [(1, BEGAN - 100 * DAY, 5.0), (1, BEGAN - 10 * DAY, 5.0), (1, BEGAN - 10 * DAY + timedelta(hours=1), 5.0)]
    log = sold(log_with([event(1, "sent", BEGAN, "email")]), [*bought, (1, BEGAN, 5.0), (2, BEGAN, 9.0)])
    rows = pl.DataFrame({USER: [1, 1, 2, 3], "occurred_at": [BEGAN, BEGAN + 30 * DAY, BEGAN, BEGAN]})
    found = bought_before(rows, log, ENDS).sort(USER, "occurred_at")
    assert found["shopping_days_28"].to_list() == [1.0, 0.0, 0.0, 0.0]
    assert found["shopping_days_91"].to_list() == [1.0, 2.0, 0.0, 0.0]
    assert found["days_since_last_purchase"].to_list() == [10.0, 30.0, None, None]


def test_who_orders_after_which_messages_is_expected_to_again() -> None:
    log, cutoff = world(), BEGAN + 100 * DAY
    model = TASK.fit(log, cutoff)
    found = TASK.predict(model, log, cutoff).to_native()
    user = found[USER].to_numpy()
    moved, regular = user % 3 == 0, user % 2 == 0
    moved_only = found.filter(pl.Series(moved & ~regular))
    assert 0.3 < moved_only["by_sms"].mean() < 0.65  # 0.6, drawn to everybody's: five were sent
    assert moved_only["by_sms"].mean() > 2 * moved_only["by_email"].mean()
    assert (found["by_sms"] > found["by_email"]).to_numpy()[moved].mean() > 0.9
    assert found["by_email"].to_numpy()[regular & ~moved].mean() > 2 * found["by_email"].to_numpy()[~regular].mean()
    assert (model.facts["messages"], model.facts["orders"]) == (1620, pytest.approx(570, abs=60))
    assert found.columns == [USER, SCORE, "low", "high", *SPECS["conversion"].facts]


def test_those_who_order_anyway_are_a_baseline_beside_past_orders_and_the_channel() -> None:
    log = world()
    (cutoff,) = TASK.judged_at(log, ENDS, 1)
    tasks = {"model": TASK, **TASK.baselines()}
    assert set(tasks) == {"model", "past_orders", "past_conversions", "channel_orders"}
    figures = {
        name: task.evaluate(task.predict(task.fit(log, cutoff), log, cutoff), log, cutoff)["roc_auc"].value
        for name, task in tasks.items()
    }
    assert figures["channel_orders"] < 0.6  # it tells messages apart, and nobody from anybody
    assert figures["past_orders"] > 0.7
    assert figures["model"] > max(value for name, value in figures.items() if name != "model")
    assert tasks["past_orders"].fit(log, cutoff).names == BOUGHT  # type: ignore[attr-defined]


def test_what_comes_after_the_cutoff_changes_nothing() -> None:
    log, cutoff = world(), BEGAN + 80 * DAY
    same = [TASK.predict(TASK.fit(each, cutoff), each, cutoff).to_native() for each in (log, log.until(cutoff))]
    assert same[0].equals(same[1])


def test_reasons_are_about_orders_and_in_words_of_both_languages() -> None:
    log, cutoff = world(), BEGAN + 100 * DAY
    why = TASK.explain(TASK.fit(log, cutoff), log, cutoff, [2, 3])
    codes = {reason.code for reasons in why.values() for reason in reasons}
    assert codes <= set(TEXTS) - {"answers", "by_channel", "message", "other"}
    assert "orders" in codes
    assert all(
        "?" not in reason.say(tongue) for reasons in why.values() for reason in reasons for tongue in ("en", "zh")
    )


def test_few_orders_are_refused_in_words() -> None:
    with pytest.raises(NotEnoughData, match="Message conversion needs 500 messages sent and 30 orders after them, has"):
        TASK.fit(world(), BEGAN + 20 * DAY)
    nobody = sold(world(), [(1, BEGAN, 1.0)])
    with pytest.raises(NotEnoughData, match="has 1,980 and 0"):
        TASK.judged_at(nobody, ENDS - 20 * DAY, 1)


def test_nothing_is_answered_where_nothing_was_ever_sent() -> None:
    log = replace(world(), offers=None, memo={})
    model = TASK.fit(world(), BEGAN + 100 * DAY)
    assert isinstance(found := TASK.predict(model, log, BEGAN + 100 * DAY), nw.DataFrame)
    assert len(found) == 0
