"""Features: exact on a log small enough to count by hand, and blind to whatever lies at or after the cutoff."""

from datetime import datetime, timedelta
from math import log as ln

import narwhals as nw
import polars as pl
import pytest

from crm.activity import PASSIVE_KINDS
from mlengine.admin import column_words
from mlengine.columns import ASSIGNED, DONE_TO_THEM, PURCHASE, REDEEMED, Log
from mlengine.features import FAMILIES, build
from mlengine.features.categories import category_shares, top_categories
from mlengine.features.days import day_number
from mlengine.reasons import TEXTS, code_of
from tests.mlengine.frames import log_of

CUTOFF = datetime(2024, 3, 1)  # the year after a leap day, so that counting days is put to the test

EVENTS = pl.DataFrame(
    [
        # user, item, kind, occurred_at, value, discount, session
        (1, 10, PURCHASE, datetime(2024, 2, 29, 9), 6.0, 0.0, "a"),
        (1, 11, PURCHASE, datetime(2024, 2, 29, 19), 4.0, 0.0, "b"),
        (1, 10, PURCHASE, datetime(2024, 2, 23, 12), 10.0, 10.0, "c"),
        (1, 11, PURCHASE, datetime(2023, 12, 22, 18), 20.0, 0.0, "d"),
        (1, None, ASSIGNED, datetime(2024, 2, 1), None, None, "7"),
        (1, None, REDEEMED, datetime(2024, 2, 10), None, None, "7"),
        (2, 10, PURCHASE, datetime(2024, 1, 31, 8), 5.0, 0.0, "e"),
        (3, 10, PURCHASE, datetime(2024, 2, 25, 8), 5.0, 0.0, "f"),  # a Sunday
        (3, 10, PURCHASE, datetime(2024, 2, 24, 8), 5.0, 0.0, "g"),
    ],
    schema=["user", "item", "kind", "occurred_at", "value", "discount", "session"],
    orient="row",
)
ITEMS = pl.DataFrame({"item": [10, 11], "category": ["bread", "milk"]})


@pytest.fixture
def log() -> Log:
    return log_of(EVENTS, ITEMS)


def row(log: Log, family: str, user: int = 1) -> dict[str, float | None]:
    found: pl.DataFrame = FAMILIES[family](log, CUTOFF).collect("polars").to_native()
    return found.filter(pl.col("user") == user).row(0, named=True)


def test_recency_frequency_and_money_are_counted_by_calendar_days(log: Log) -> None:
    found = row(log, "money")
    assert found["days_since_last_purchase"] == 1
    assert found["days_since_first_purchase"] == 70
    assert [found[f"shopping_days_{n}"] for n in (7, 14, 56, 91)] == [2, 2, 2, 3]
    assert [found[f"value_{n}"] for n in (7, 91)] == [20.0, 40.0]
    assert found["sessions_91"] == 4
    assert found["value_per_day_91"] == pytest.approx(40 / 3)
    rate = ln(2) / 7
    assert found["pace_7"] == pytest.approx(rate * (2 ** (-1 / 7) + 2 ** (-1) + 2 ** (-10)))


def test_rhythm_knows_the_gaps_and_how_late_somebody_is(log: Log) -> None:
    found = row(log, "rhythm")
    assert (found["gap_last"], found["gap_median"], found["gap_max"]) == (6, 34.5, 63)
    assert found["gap_std"] == pytest.approx((2 * 28.5**2) ** 0.5)
    assert found["gap_p90"] == pytest.approx(6 + 0.9 * 57)
    assert found["overdue"] == pytest.approx(1 / 34.5)
    assert found["absent_28"] == pytest.approx((63 - 28) / 70)


def test_somebody_with_one_shopping_day_has_no_gap_but_an_absence(log: Log) -> None:
    found = row(log, "rhythm", user=2)
    assert (found["gap_median"], found["overdue"]) == (None, None)
    assert found["absent_28"] == pytest.approx(2 / 30)


def test_trend_compares_rates_of_late_with_those_before(log: Log) -> None:
    found = row(log, "trend")
    assert found["days_trend_14"] == pytest.approx(ln(3.0))
    assert found["days_trend_56"] == pytest.approx(ln(3 / 1.5))
    assert (found["weeks_4"], found["weeks_13"]) == (1, 2)


def test_category_mix_weighs_by_money(log: Log) -> None:
    found = row(log, "categories")
    assert (found["items_28"], found["items_182"], found["categories_182"]) == (2, 2, 2)
    assert found["category_top_share"] == pytest.approx(0.6)
    assert found["category_entropy"] == pytest.approx(-0.6 * ln(0.6) - 0.4 * ln(0.4))
    assert top_categories(log, CUTOFF, 2) == ["bread", "milk"]
    shares = category_shares(log, CUTOFF, ["milk"]).sort("user").collect("polars")
    assert shares["share_0"].to_list() == pytest.approx([0.6, 0.0, 0.0])


def test_discounts_engagement_and_clock(log: Log) -> None:
    assert row(log, "discounts")["discount_share_28"] == pytest.approx(10 / 30)
    assert row(log, "discounts")["discounted_lines_182"] == pytest.approx(1 / 4)
    engaged = row(log, "engagement")
    assert (engaged["assigned_28"], engaged["assigned_91"], engaged["redeemed_91"]) == (0, 1, 1)
    assert (engaged["days_since_assigned"], engaged["days_since_redeemed"], engaged["visits_28"]) == (29, 20, 1)
    done = [{"user": 1, "kind": kind, "occurred_at": CUTOFF - timedelta(days=2)} for kind in DONE_TO_THEM]
    assert set(DONE_TO_THEM) == set(PASSIVE_KINDS)
    more = log_of(pl.concat([EVENTS, pl.DataFrame(done)], how="diagonal_relaxed"), ITEMS)
    assert row(more, "engagement")["visits_28"] == 1
    clock = row(log, "clock")
    assert (clock["hour_mean"], clock["morning_share"], clock["weekday_top_share"]) == (14.5, 0.25, 0.5)
    assert row(log, "clock", user=3)["weekend_share"] == 1.0
    assert clock["weekend_share"] == 0.0  # a Thursday and two Fridays


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("late", ["occurred", "received"])
def test_nothing_at_or_after_the_cutoff_changes_a_family(log: Log, family: str, late: str) -> None:
    before = FAMILIES[family](log, CUTOFF).sort("user").collect("polars").to_native()
    later = EVENTS.with_columns(
        occurred_at=pl.lit(CUTOFF) if late == "occurred" else pl.col("occurred_at"),
        received_at=pl.lit(CUTOFF + timedelta(seconds=0)),
        value=pl.col("value") + 99,
        discount=pl.lit(5.0),
        session=pl.col("session") + "x",
    )
    both = log_of(pl.concat([EVENTS.with_columns(received_at=pl.col("occurred_at")), later], how="diagonal"), ITEMS)
    after = FAMILIES[family](both, CUTOFF).sort("user").collect("polars").to_native()
    assert after.equals(before)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_leak_test_could_fail(log: Log, family: str) -> None:
    """The same events a moment before the cutoff do change every family."""
    near = EVENTS.with_columns(
        occurred_at=pl.lit(CUTOFF - timedelta(seconds=1)), discount=pl.lit(5.0), session=pl.col("session") + "x"
    )
    both = log_of(pl.concat([EVENTS, near], how="diagonal"), ITEMS)
    before = FAMILIES[family](log, CUTOFF).sort("user").collect("polars").to_native()
    assert not FAMILIES[family](both, CUTOFF).sort("user").collect("polars").to_native().equals(before)


def test_every_column_of_every_family_has_words_for_a_reason(log: Log) -> None:
    columns = [name for name in build(log, CUTOFF, FAMILIES).collect_schema().names() if name != "user"]
    assert {code_of(name) for name in columns} <= TEXTS.keys()
    told = {column for code in map(code_of, columns) for column in TEXTS[code].numbers.values()}
    assert told <= set(columns)
    assert [name for name in columns if not column_words.told(name)] == []  # nor one for the charts


def test_days_are_numbered_as_the_calendar_does() -> None:
    days = [datetime(1999, 12, 31, 23), datetime(2000, 2, 29), datetime(2000, 12, 31), datetime(2100, 3, 1)]
    frame = nw.from_native(pl.DataFrame({"at": days})).select(day=day_number(nw.col("at")))
    assert frame["day"].to_list() == [day.toordinal() for day in days]
