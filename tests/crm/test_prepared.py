"""Statements that a connection keeps planned: the same answer as asked plainly, whatever becomes of what was kept."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, transaction

from crm import prepared
from crm.prepared import Prepared

pytestmark = pytest.mark.django_db(transaction=True)
ADDED = Prepared("SELECT %(a)s + %(b)s, '100%%' LIKE '%%0%%', %(word)s", {"a": "int", "b": "int"}, {"word": "it's 5%"})


def added(a: int, b: int = 1) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        ADDED.ask(cursor, {"a": a, "b": b})
        found: tuple[Any, ...] = cursor.fetchone()
    return found


def told(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def asked() -> dict[str, int]:
    """Return how often each statement that this connection keeps was asked."""
    return dict(told("SELECT name, generic_plans + custom_plans FROM pg_prepared_statements"))


@pytest.fixture(autouse=True)
def of_its_own() -> Iterator[None]:
    """Begin with a connection that has prepared nothing, and leave none that refuses to."""
    connection.close()
    yield
    connection.close()


def test_it_is_planned_once_and_asked_by_one_message(django_assert_num_queries: Any) -> None:
    for a in range(1, 4):
        with django_assert_num_queries(1):
            assert added(a) == (a + 1, True, "it's 5%")
    assert asked() == {ADDED.name: 3}


def test_inside_a_transaction_it_is_asked_as_it_stands() -> None:
    with transaction.atomic():
        assert added(1) == (2, True, "it's 5%")
        assert asked() == {}


def test_a_pooler_that_hands_out_another_connection_changes_no_answer() -> None:
    assert added(1)[0] == 2
    told("DEALLOCATE ALL")
    assert [added(a)[0] for a in (2, 3)] == [3, 4]
    assert asked() == {}  # as it stands from then on


def test_what_somebody_else_prepared_on_the_same_connection_changes_no_answer() -> None:
    assert added(1)[0] == 2
    prepared._prepared.clear()
    assert [added(a)[0] for a in (2, 3)] == [3, 4]
    assert asked() == {ADDED.name: 3}


def test_a_pooler_that_hands_out_what_another_prepared_and_then_takes_it_away_changes_no_answer() -> None:
    assert added(1)[0] == 2
    prepared._prepared.clear()
    assert added(2)[0] == 3
    told("DEALLOCATE ALL")
    assert [added(a)[0] for a in (3, 4)] == [4, 5]
    assert asked() == {}


def test_what_is_told_otherwise_is_another_statement() -> None:
    told_otherwise = [
        Prepared("SELECT %(a)s", {"a": "int"}),
        Prepared("SELECT %(a)s", {"a": "bigint"}),
        Prepared("SELECT %(b)s", {"b": "int"}),
        Prepared("SELECT %(a)s", {"a": "int"}, {"b": 1}),
        Prepared("SELECT %(a)s", {"a": "int"}, {"b": True}),
    ]
    assert len({one.name for one in told_otherwise}) == len(told_otherwise)


def test_a_column_that_changed_its_type_changes_no_answer() -> None:
    told("CREATE TEMP TABLE shelf AS SELECT 1 AS place")
    placed = Prepared("SELECT place FROM shelf WHERE place > %(least)s", {"least": "int"})
    found = []
    for change in ("SELECT 1", "ALTER TABLE shelf ALTER place TYPE numeric(3, 1)", "SELECT 1"):
        told(change)
        with connection.cursor() as cursor:
            placed.ask(cursor, {"least": 0})
            found.append(str(cursor.fetchone()[0]))
    assert found == ["1", "1.0", "1.0"]


def test_a_mistake_in_what_is_asked_is_told_and_leaves_it_prepared(
    caplog: pytest.LogCaptureFixture, django_assert_num_queries: Any
) -> None:
    for messages in (1, 2, 1):  # prepared; there already; known
        with django_assert_num_queries(messages), pytest.raises(DataError, match="out of range"):
            added(2**31 - 1)
    assert added(1)[0] == 2
    assert asked() == {ADDED.name: 1}
    assert "does not keep" not in caplog.text


def test_somebody_who_did_not_wait_for_the_first_answer_leaves_it_prepared() -> None:
    hurried = Prepared(
        "SELECT CASE WHEN %(ends)s THEN pg_cancel_backend(pg_backend_pid()) END,"
        " pg_sleep(CASE WHEN %(ends)s THEN 60 ELSE 0 END)",
        {"ends": "boolean"},
    )
    with connection.cursor() as cursor:
        with pytest.raises(OperationalError, match="canceling statement"):
            hurried.ask(cursor, {"ends": True})
        hurried.ask(cursor, {"ends": False})
        hurried.ask(cursor, {"ends": False})
    assert asked() == {hurried.name: 3}
