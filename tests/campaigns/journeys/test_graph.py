"""Graphs are read, or refused by the place of what is wrong; rounds without end or without a wait are found."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campaigns.journeys import graph, loops, waits
from campaigns.journeys.graph import Wait, WaitForTime
from campaigns.rules import RuleError
from tests.campaigns.journeys.factories import condition, purchase, tree, wait

ALL: dict[str, Any] = {"all": []}
MANY = {f"s{number}": wait(f"s{number + 1}") for number in range(201)} | {"s201": wait("")}


def wrong(told: object) -> str:
    with pytest.raises(RuleError) as error:
        graph.parse(told)
    return error.value.path


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ([], ""),
        ({}, ""),
        (tree("a", a=wait("")) | {"more": 1}, ""),
        (tree("b", a=wait("")), "first"),
        (tree("a", a=wait("b")), "steps.a.ways.next"),
        (tree("a", a=wait("", 0)), "steps.a.minutes"),
        (tree("a", a={"kind": "wait"}), "steps.a"),
        (tree("a", a={"kind": "dance"}), "steps.a.kind"),
        (tree("a", a=wait("") | {"ways": {"yes": ""}}), "steps.a.ways"),
        (tree("a", a=condition({"field": "shoe size", "is": "is", "value": 1})), "steps.a.rule.field"),
        (tree("a", a={"kind": "random_split", "branches": [{"name": "x", "weight": 0}]}), "steps.a.branches[0].weight"),
        (tree("a", a={"kind": "split", "branches": [{"name": "else", "rule": ALL}]}), "steps.a.branches"),
        (tree("a", a={"kind": "send", "channels": [], "variants": []}), "steps.a.channels"),
        (tree("a", a={"kind": "send", "channels": ["email"], "variants": [{"name": "A"}]}), "steps.a.variants[0]"),
        (tree("a", a={"kind": "wait_for_time", "begins": "18:00", "ends": "09:00"}), "steps.a.ends"),
        (tree("a", a={"kind": "update", "set": {"note": "\0"}}), "steps.a.set.note"),
        (tree("a", a=purchase() | {"event": "sneeze"}), "steps.a.event"),
        (tree("a", {"kind": "moon"}, a=wait("")), "trigger.kind"),
        (tree("a", {"kind": "api", "event": "cart"}, a=wait("")), "trigger"),
        (tree("s0", **MANY), "steps"),
        (tree("a b", **{"a b": wait("")}), "steps.a b"),
    ],
)
def test_what_is_not_understood_is_refused_at_its_place(told: object, place: str) -> None:
    assert wrong(told) == place


def test_a_step_s_ways_are_what_may_come_of_it() -> None:
    read = graph.parse(tree("a", a=condition(ALL, yes="b"), b=purchase("", "a"), **{"c-1": wait("a")}))
    assert {key: step.outcomes for key, step in read.steps.items()} == {
        "a": ("yes", "no"),
        "b": ("came", "not"),
        "c-1": ("next",),
    }
    assert read.after("a", "yes") == read.steps["b"]
    assert read.after("a", "no") is None
    assert loops.reached(read, "a") == {"a", "b"}


@pytest.mark.parametrize(
    ("told", "without_end", "without_wait"),
    [
        (tree("a", a=wait("b"), b=wait("")), [], []),
        (tree("a", a=wait("b"), b=wait("a")), [("a", "b")], []),
        (tree("a", a=wait("a", 60)), [("a",)], []),
        (tree("a", a=wait("b", 59), b=condition(ALL, yes="a")), [], [("a", "b")]),
        (tree("a", a=wait("b", 60), b=condition(ALL, yes="a", no="c"), c={"kind": "goal"}), [], []),
        # One way round waits, the other does not.
        (tree("a", a=condition(ALL, yes="w", no="b"), w=wait("b"), b=purchase("a", "")), [], [("a", "b")]),
        # What is waited for may come at once, again and again.
        (tree("a", a=purchase("a", "")), [], [("a",)]),
    ],
)
def test_rounds_are_found(told: object, without_end: list[tuple[str]], without_wait: list[tuple[str]]) -> None:
    read = graph.parse(told)
    assert (loops.without_end(read), loops.without_wait(read)) == (without_end, without_wait)


def test_a_day_s_wait_is_a_day_though_clocks_are_set() -> None:
    zone, eve = ZoneInfo("Europe/Berlin"), datetime(2026, 3, 28, 20, tzinfo=UTC)
    assert waits.until(Wait(key="a", length=timedelta(days=1)), eve, zone) == eve + timedelta(days=1)


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        # The hour from two to three is left out in Berlin on the 29th of March 2026.
        ("2026-03-29T00:30:00+00:00", "2026-03-29T01:15:00+00:00"),
        ("2026-03-29T01:20:00+00:00", "2026-03-29T01:20:00+00:00"),
        # And there twice on the 25th of October: the first of them counts.
        ("2026-10-24T23:00:00+00:00", "2026-10-25T00:15:00+00:00"),
        ("2026-10-25T01:30:00+00:00", "2026-10-25T01:30:00+00:00"),
        ("2026-10-25T02:30:00+00:00", "2026-10-26T01:15:00+00:00"),
    ],
)
def test_a_time_on_the_wall_that_is_left_out_or_there_twice(since: str, expected: str) -> None:
    step = WaitForTime(key="a", begins=time(2, 15), ends=time(3, 30), weekdays=())
    found = waits.until(step, datetime.fromisoformat(since), ZoneInfo("Europe/Berlin"))
    assert found == datetime.fromisoformat(expected)


def test_only_some_weekdays() -> None:
    step = WaitForTime(key="a", begins=time(9), ends=time(17), weekdays=(0,))
    monday = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert waits.until(step, monday, ZoneInfo("UTC")) == monday
    assert waits.until(step, monday + timedelta(hours=7), ZoneInfo("UTC")) == monday + timedelta(days=7, hours=-1)
