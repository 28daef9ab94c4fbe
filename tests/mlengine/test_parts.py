"""Many people are answered for part by part, and learned from by a sample: nobody's answer is another one for it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
import pytest

from mlengine.columns import KIND, OCCURRED_AT, PURCHASE, SENT, USER, Log
from mlengine.estimators import examples, parts, segments
from mlengine.estimators.boosted import grown
from mlengine.estimators.lifetime_value.growing import Growing
from mlengine.estimators.value import ValueModel
from mlengine.specs import SPECS, Explains, Task
from tests.mlengine.quick import quick
from tests.mlengine.shoppers import BEGIN, DAY, shoppers

END = (BEGIN + 270 * DAY).replace(hour=0)
WINDOW = 14 * DAY
QUICKER: Mapping[str, Mapping[str, Any]] = {
    "clusters": {"fewest": 4, "most": 5, "bootstraps": 2},
    "value": {"most_cutoffs": 1, "growing": {"rounds": 5, "seeds": 1}},
    "staying_away": {"most_cutoffs": 1, "rounds": 5},
}


@pytest.fixture(scope="module")
def log() -> Log:
    return shoppers(people=150)[0]


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch, log: Log) -> list[int]:
    """Have parts of 64 people, and tell how many each had."""
    whole, sizes = parts.only, []

    def counted(log: Log, cutoff: datetime, people: nw.DataFrame[Any]) -> Log:
        sizes.append(len(people))
        return whole(log, cutoff, people)

    monkeypatch.setattr(parts, "AT_ONCE", 64)
    monkeypatch.setattr(parts, "only", counted)
    return sizes


def users(frame: nw.LazyFrame[Any]) -> set[int]:
    return set(frame.select(USER).unique().collect("polars")[USER].to_list())


def asked_about(log: Log) -> nw.LazyFrame[Any]:
    """Return the events of the window before the end: whoever has one is asked about."""
    return log.until(END).events.filter(nw.col(OCCURRED_AT) >= END - WINDOW)


def asked_of(log: Log) -> Log:
    return parts.some(log, END, WINDOW, PURCHASE)


def verbs_of(name: str) -> Task:
    spec = quick(SPECS[name])
    return replace(spec, parameters={**spec.parameters, **QUICKER.get(name, {})}).verbs


@pytest.mark.parametrize("name", ["churn", "staying_away", "value", "rfm", "clusters"])
def test_answers_part_by_part_are_those_of_everybody_at_once(
    name: str, log: Log, few_at_once: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = verbs_of(name)
    with monkeypatch.context() as at_once:
        at_once.setattr(parts, "AT_ONCE", 1_000)
        model = verbs.fit(log, END)
        whole = verbs.predict(model, log, END)
    log.memo.clear()
    by_part = verbs.predict(model, log, END)
    assert len(few_at_once) > 1
    assert sum(few_at_once) == len(whole) == len(by_part)
    assert by_part.columns == whole.columns
    for column in whole.columns:
        np.testing.assert_allclose(by_part[column].to_numpy(), whole[column].to_numpy(), rtol=1e-12, err_msg=column)


def test_a_part_has_the_events_of_its_people_before_the_cutoff_and_no_others(log: Log) -> None:
    people = nw.from_dict({USER: [3, 5, 8]}, backend="polars")
    some = parts.only(log, END, people).events.collect("polars")
    expected = log.until(END).events.filter(nw.col(USER).is_in([3, 5, 8])).collect("polars")
    assert set(some[USER].to_list()) == {3, 5, 8}
    assert some.sort("session").to_native().equals(expected.sort("session").to_native())


def test_a_few_are_explained_without_asking_for_everybody(
    log: Log, few_at_once: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    verbs = verbs_of("churn")
    assert isinstance(verbs, Explains)
    with monkeypatch.context() as at_once:
        at_once.setattr(parts, "AT_ONCE", 1_000)
        model = verbs.fit(log, END)
        expected = verbs.explain(model, log, END, [5, 8])
    log.memo.clear()
    assert verbs.explain(model, log, END, [5, 8]) == expected
    assert few_at_once == [2]
    assert set(expected) == {5, 8}


def test_value_learns_from_a_sample_where_there_are_many(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examples, "MOST_ROWS", 240)
    log.memo.clear()
    model = verbs_of("value").fit(log, END)
    assert isinstance(model, ValueModel)
    assert 100 < model.facts["rows"] < 400


def test_segments_learn_from_a_sample_where_there_are_many(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    verbs = SPECS["rfm"].verbs
    assert isinstance(verbs, segments.Segmentation)
    assert verbs.learned_from(log, END) is log
    monkeypatch.setattr(segments, "MOST_LEARNED_FROM", 100)
    some = verbs.learned_from(log, END).events.select(USER).unique().collect("polars")
    assert 60 < len(some) < 130
    log.memo.clear()


def test_a_seed_grows_the_same_trees_however_many_grow_beside_it() -> None:
    rng = np.random.default_rng(0)
    X, shape = rng.random((400, 3)), Growing(rounds=5)
    y = (X[:, 0] > 0.5).astype(float)
    alone, beside = (grown(shape, X, y, ("a", "b", "c"), seeds=seeds) for seeds in (1, 2))
    first, again, other = (np.asarray(booster.predict(X)) for booster in (*alone, *beside))
    assert np.array_equal(first, again)
    assert not np.array_equal(again, other)


def test_what_is_told_of_people_as_a_whole_is_asked_of_some_always_the_same(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked_of(log) is log
    monkeypatch.setattr(parts, "SOME", 60)
    told = replace(log, offers=log.events)
    some, again, later = asked_of(told), asked_of(told), asked_of(told.until(END))
    assert 40 < len(users(asked_about(some))) < 80
    assert users(some.events) == users(again.events) >= users(later.events)
    assert some.offers is not None
    assert users(some.offers) == users(some.events)
    assert some.memo is not log.memo


def test_those_who_came_long_ago_make_no_fewer_of_those_asked_about_be_asked(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    active, everybody = (len(users(each)) for each in (asked_about(log), log.events))
    monkeypatch.setattr(parts, "SOME", active)
    assert active < everybody
    assert asked_of(log) is log


def test_of_messages_some_are_asked_about_who_were_sent_one(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = asked_about(log).filter(nw.col(USER) <= 100).with_columns(nw.lit(SENT).alias(KIND))
    told = replace(log, offers=sent)
    monkeypatch.setattr(parts, "SOME", 35)
    some = parts.some(told, END, WINDOW, SENT).offers
    assert some is not None
    assert 20 < len(users(some)) < 50 < len(users(sent))
    monkeypatch.setattr(parts, "SOME", len(users(sent)))
    assert parts.some(told, END, WINDOW, SENT) is told
