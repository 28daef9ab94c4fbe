"""What is new since somebody last looked is found exactly, whoever else writes."""

import pytest
from django.db import connection

from crm import watermarks

pytestmark = pytest.mark.django_db


def test_what_one_writes_after_a_look_is_new_although_others_came_later_and_ended() -> None:
    another = connection.copy()
    with connection.cursor() as cursor:
        watermarks.number(cursor)  # this transaction has begun to write
        with another.cursor() as other:
            other.execute("SELECT pg_current_xact_id()")  # and one that began later has ended
        another.close()
        seen = watermarks.snapshot(cursor)
        cursor.execute("SELECT pg_visible_in_snapshot(pg_current_xact_id(), %s::pg_snapshot)", [seen])
        assert cursor.fetchone() == (False,)


def test_of_others_only_what_was_under_way_is_new() -> None:
    ended, open_ = connection.copy(), connection.copy()
    with connection.cursor() as cursor, ended.cursor() as first, open_.cursor() as second:
        first.execute("SELECT pg_current_xact_id()::text")
        second.execute("BEGIN; SELECT pg_current_xact_id()::text")
        written = [first.fetchone()[0], second.fetchone()[0]]
        for begun in (False, True):  # a look without a number of one's own, and one with
            if begun:
                watermarks.number(cursor)
            seen = watermarks.snapshot(cursor)
            cursor.execute(
                "SELECT array_agg(pg_visible_in_snapshot(xid::xid8, %s::pg_snapshot) ORDER BY place)"
                " FROM unnest(%s) WITH ORDINALITY AS told (xid, place)",
                [seen, written],
            )
            assert cursor.fetchone() == ([True, False],)
        second.execute("ROLLBACK")
    ended.close()
    open_.close()
