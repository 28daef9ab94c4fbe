"""Amounts in several currencies are never added up: the commonest counts, and of the others it is said how many."""

from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import polars as pl
import pytest

from crm import lake
from mlengine import datasets
from mlengine.money import of_one_currency
from tests import factories
from tests.crm.log import bought, record

AT = datetime(2026, 1, 10)


def events(*rows: tuple[str, str | None, float | None], discount: float = 1.0) -> nw.LazyFrame[Any]:
    made = pl.DataFrame(rows, schema=["kind", "currency", "value"], orient="row")
    times = {"occurred_at": AT, "received_at": AT, "user": 1, "discount": discount}
    return nw.from_native(made.with_columns(**{name: pl.lit(one) for name, one in times.items()}).lazy())


def amounts(found: nw.LazyFrame[Any]) -> list[float | None]:
    return found.collect()["value"].to_list()


def test_only_the_commonest_currency_of_purchases_has_money_and_every_event_stays() -> None:
    rows = [("purchase", "CNY", 10.0), ("purchase", "CNY", 20.0), ("purchase", "USD", 7.0), ("purchase", None, 5.0)]
    shown = [("view", "EUR", 1.0)] * 3 + [("refund", "USD", 7.0), ("view", "USD", None)]
    found, currency, foreign = of_one_currency(events(*rows, *shown), AT + timedelta(days=1))
    assert amounts(found) == [10.0, 20.0, None, 5.0, None, None, None, None, None]
    assert (currency, foreign) == ("CNY", 5)  # the last one told no amount that could be lost
    assert found.collect()["discount"].to_list() == [1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    assert "currency" not in found.collect_schema().names()


def test_of_equals_the_first_by_its_code_counts_whatever_the_order_of_rows() -> None:
    rows = [("purchase", "USD", 7.0), ("purchase", "EUR", 3.0)]
    for each in (rows, rows[::-1]):
        assert of_one_currency(events(*each), AT + timedelta(days=1))[1:] == ("EUR", 1)


@pytest.mark.parametrize("code", [None, "CNY"])
def test_where_there_is_one_currency_or_none_is_told_all_money_counts(code: str | None) -> None:
    found, currency, foreign = of_one_currency(
        events(("purchase", code, 10.0), ("purchase", None, 3.0)), AT + timedelta(days=1)
    )
    assert (amounts(found), currency, foreign) == ([10.0, 3.0], code or "", 0)


def test_what_is_not_known_yet_decides_nothing() -> None:
    """A backtest must not learn from a currency that came later."""
    found, currency, _ = of_one_currency(events(("purchase", "CNY", 10.0)), AT)
    assert (amounts(found), currency) == ([10.0], "")


@pytest.mark.django_db(transaction=True)
def test_the_log_that_models_learn_from_has_one_currency_and_knows_how_many_lost_theirs() -> None:
    person = factories.profile()
    start = datetime.fromisoformat("2026-01-10T12:00:00+08:00")
    told = [("CNY", 10), ("CNY", 20), ("USD", 7)]
    record(
        bought(person, start + timedelta(hours=n), value=str(value), currency=code)
        for n, (code, value) in enumerate(told)
    )
    now = start + timedelta(days=40)
    lake.export(now)
    log = datasets.log(until=now)
    assert log.events.collect().sort("occurred_at")["value"].to_list() == [10.0, 20.0, None]
    assert (log.currency, log.foreign) == ("CNY", 1)
