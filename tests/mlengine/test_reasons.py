"""Reasons: stored as a code and numbers, said in two languages."""

import re

import pytest

from mlengine.admin import amounts
from mlengine.reasons import TEXTS, Reason, say


@pytest.mark.parametrize("code", TEXTS)
def test_both_languages_name_the_same_numbers(code: str) -> None:
    text = TEXTS[code]
    for sentence in (text.en, text.zh):
        assert set(re.findall(r"{(\w+)}", sentence)) == set(text.numbers)


def test_a_reason_is_said_in_the_language_of_the_reader() -> None:
    reason = Reason(code="silence", feature="overdue", contribution=0.8, values={"days": 40.0, "gap": 6.5})
    assert reason.say() == "No purchase for 40 days; usually every 6.5"
    assert reason.say("zh-hans") == "已 40 天未购买；平时每 6.5 天一次"


def test_numbers_are_short_and_shares_are_percent() -> None:
    assert (
        say("spending", {"value": 1234.56, "recent": 0.0}) == "Spent 1,235 in the last 13 weeks, 0 of it in the last 4"
    )
    assert say("discounts", {"percent": 0.126}) == "Discounts saved 13 % of the price in half a year"


def test_of_who_came_once_no_rhythm_is_told_and_money_has_its_currency() -> None:
    assert say("rhythm", {}) == "Came on one day only so far: no rhythm is known"
    assert say("rhythm", {"gap": 7, "longest": 20}).startswith("Usually 7 days between visits")
    assert say("spending", {"value": 62.6, "recent": 0}, "en", "USD").startswith("Spent 63 USD in the last 13 weeks")


@pytest.mark.parametrize(("days", "said"), [(1.2, "about 1 day"), (2.0, "about 2 days")])
def test_days_are_told_in_their_number(days: float, said: str) -> None:
    assert amounts.amount(days, "days") == said
