"""The log as matrices: what counts, how it decays, what was known when."""

from datetime import datetime, timedelta

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine.columns import Log
from mlengine.interactions import interactions, interactions_of
from tests.mlengine.frames import log_of

CUTOFF = datetime(2026, 3, 1)


def _log(rows: list[tuple[int, int | None, float, str | None]], **columns: list[object]) -> Log:
    """Return purchases of (user, item, days before the cutoff, session)."""
    events = pl.DataFrame(
        {
            "user": [row[0] for row in rows],
            "item": [row[1] for row in rows],
            "occurred_at": [CUTOFF - timedelta(days=row[2]) for row in rows],
            "session": [row[3] for row in rows],
            "kind": ["purchase" for _ in rows],
            **columns,
        },
        schema_overrides={"session": pl.String, "item": pl.Int64},
    )
    return log_of(events)


def test_a_purchase_halves_with_every_half_life() -> None:
    x = interactions(_log([(1, 10, 60.0, "a"), (1, 10, 120.0, "b"), (2, 11, 30.0, "c")]), CUTOFF)
    assert x.matrix(60.0).toarray() == pytest.approx(np.array([[0.75, 0.0], [0.0, 0.5**0.5]]))


def test_twice_in_one_basket_counts_once_and_in_two_baskets_twice() -> None:
    x = interactions(_log([(1, 10, 1.0, "a"), (1, 10, 1.0, "a"), (1, 10, 2.0, "b")]), CUTOFF)
    assert x.matrix().toarray().tolist() == [[2.0]]


def test_without_a_session_each_moment_is_its_own_basket() -> None:
    x = interactions(_log([(1, 10, 1.0, None), (1, 10, 1.0, None), (1, 10, 2.0, None)]), CUTOFF)
    assert x.matrix().toarray().tolist() == [[2.0]]


def test_what_happens_at_the_cutoff_or_arrives_after_it_is_unknown() -> None:
    late = [CUTOFF, CUTOFF, CUTOFF + timedelta(days=1)]
    early = [CUTOFF - timedelta(days=1)] * 3
    x = interactions(
        _log([(1, 10, 0.0, "a"), (1, 11, 1.0, "b"), (1, 12, 1.0, "c")], received_at=[late[0], early[0], late[2]]),
        CUTOFF,
    )
    assert x.items.tolist() == [11]


def test_other_kinds_and_purchases_of_nothing_are_left_out() -> None:
    x = interactions(
        _log([(1, None, 1.0, "a"), (1, 10, 1.0, "b"), (1, 11, 1.0, "c")], kind=["purchase", "view", "purchase"]), CUTOFF
    )
    assert x.items.tolist() == [11]


def test_profiles_without_purchases_are_cold_rows() -> None:
    log = _log([(5, 10, 1.0, "a")])
    more = Log(events=log.events, items=log.items, profiles=nw.from_native(pl.LazyFrame({"user": [9, 5]})))
    x = interactions(more, CUTOFF)
    assert x.users.tolist() == [5, 9]
    assert x.cold.tolist() == [False, True]


def test_a_segment_is_the_first_attribute_known_of_a_person() -> None:
    log = _log([(1, 10, 1.0, "a")])
    profiles = pl.LazyFrame({"user": [1, 2, 3], "age_band": ["35-44", None, None], "province": ["湖北", "湖北", None]})
    x = interactions(Log(events=log.events, items=log.items, profiles=nw.from_native(profiles)), CUTOFF)
    assert x.segments.tolist() == ["age_band=35-44", "province=湖北", ""]


def test_an_item_is_available_from_its_first_moment_up_to_before_its_last() -> None:
    log = _log([(1, item, 1.0, "a") for item in range(5)])
    day = timedelta(days=1)
    items = pl.LazyFrame(
        {
            "item": [0, 1, 2, 3],
            "category": ["a"] * 4,
            "subcategory": ["b"] * 4,
            "available_from": [None, CUTOFF, CUTOFF + day, None],
            "available_to": [CUTOFF, CUTOFF + day, None, None],
        }
    )
    x = interactions(Log(events=log.events, items=nw.from_native(items), profiles=log.profiles), CUTOFF)
    assert x.available.tolist() == [False, True, False, True, True]


def test_before_is_what_was_known_then_under_the_same_ids() -> None:
    rows = [(1, 10, 40.0), (1, 11, 5.0), (2, 10, 30.0)]
    earlier = interactions_of(rows).before(28.0)
    assert earlier.age.tolist() == [12.0, 2.0]
    assert earlier.shape == (2, 2)
    assert earlier.bought.toarray().tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_within_holds_the_last_days_only() -> None:
    x = interactions_of([(1, 10, 40.0), (1, 11, 5.0), (1, 11, 6.0)])
    assert x.within(28.0).toarray().tolist() == [[0.0, 1.0]]
