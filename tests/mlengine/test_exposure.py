"""Which items get the places: shares by category and brand against sales, how uneven, and what the page says of it."""

from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from mlengine import exposure
from mlengine.admin import exposure as page
from mlengine.metrics.exposure import exposure as shared_out
from mlengine.metrics.exposure import gini
from mlengine.models import ModelVersion
from mlengine.specs import SPECS
from tests.mlengine.frames import log_of, purchases

CUTOFF = datetime(2026, 5, 1)


def test_gini_by_hand() -> None:
    assert gini(np.array([5, 5])) == 0.0
    assert gini(np.array([0, 0, 0, 7])) == 0.75
    assert gini(np.array([1, 2, 3])) == pytest.approx(2 / 9)


def test_groups_are_told_by_their_shares_and_small_ones_are_hidden() -> None:
    brands = ["a", "b", "few", "new", None]
    found = shared_out({"brand": brands}, np.array([6, 2, 1, 1, 0]), np.array([20, 60, 9, 0, 11]))
    (brand,) = found["attributes"]
    assert [(one["group"], one["places"], one["sold"], one["ratio"]) for one in brand["groups"]] == [
        ("a", 0.6, 0.2, pytest.approx(3.0)),
        ("b", 0.2, 0.6, pytest.approx(1 / 3)),
        ("new", 0.1, 0.0, None),  # nobody has bought it yet: it is shown as new, and tells of nobody
    ]
    assert (brand["hidden"], brand["unknown"]["sold"]) == (1, 0.11)
    assert (found["items"], found["shown"]) == (5, 0.8)


def test_where_nothing_is_shown_or_known_nothing_is_told() -> None:
    assert shared_out({"brand": ["a"]}, np.array([0]), np.array([4])) == {}
    assert shared_out({"brand": [None]}, np.array([2]), np.array([0]))["attributes"] == []
    assert shared_out({}, np.array([2]), np.array([0]))["gini_sold"] is None


def shop() -> tuple[Any, Any]:
    """Return a log of four items, three of them sold alike, and lists that show two of them."""
    days = [CUTOFF - timedelta(days=day) for day in range(1, 6)]
    rows = [(user, at, 5.0) for user in range(1, 11) for at in days]
    events = purchases(rows).with_columns(item=pl.Series([n % 3 for n in range(len(rows))], dtype=pl.Int64))
    items = pl.DataFrame(
        {"item": [0, 1, 2, 3], "category": ["x", "x", "y", "y"], "brand": ["a", "b", "b", "c"], "subcategory": [""] * 4}
    )
    lists = pl.DataFrame({"user": [1, 1, 2, 2], "item": [0, 3, 0, 1], "rank": [1, 2, 1, 11]})
    return log_of(events, items=items), nw.from_native(lists, eager_only=True)


def test_a_report_counts_the_first_ten_places_of_lists_against_what_was_bought_of_late() -> None:
    log, lists = shop()
    found = exposure.report(SPECS["recommendations"], lists, log, CUTOFF)
    assert (found["items"], found["shown"]) == (4, 0.5)  # item 1 stands in the eleventh place only
    category, brand = found["attributes"]
    assert {one["group"]: round(one["places"], 2) for one in category["groups"]} == {"x": 0.67, "y": 0.33}
    assert {one["group"]: round(one["sold"], 2) for one in category["groups"]} == {"x": 0.68, "y": 0.32}
    assert {one["group"]: round(one["places"], 2) for one in brand["groups"]} == {"a": 0.67, "b": 0.0, "c": 0.33}
    assert exposure.report(SPECS["churn"], lists, log, CUTOFF) == {}


def test_the_page_points_out_what_is_shown_far_more_or_less_than_it_is_sold() -> None:
    log, lists = shop()
    told = page.about(exposure.report(SPECS["recommendations"], lists, log, CUTOFF))
    brand = told["attributes"][1]
    assert {row["group"]: (row["ratio"], row["far"]) for row in brand["rows"]} == {
        "a": ("× 1.961", False),
        "b": ("× 0.000", True),
        "c": ("–", False),
    }
    assert (told["shown"], told["items"]) == ("50.0 %", "4")
    assert page.about(exposure.of(ModelVersion(card={}))) == {}
