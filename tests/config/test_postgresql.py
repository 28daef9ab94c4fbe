"""A kept connection is asked whether it is usable only where it may not be."""

from collections.abc import Iterator
from time import monotonic

import pytest
from django.db import connection

from config.postgresql.base import TRUSTED, DatabaseWrapper


@pytest.fixture
def kept(django_db_setup: None, django_db_blocker: pytest.FixtureDef[object]) -> Iterator[DatabaseWrapper]:
    """Return a connection of its own, outside of any test's transaction, as a web process keeps one."""
    made = connection.copy()
    assert isinstance(made, DatabaseWrapper)
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        yield made
        made.close()


def asked(kept: DatabaseWrapper) -> tuple[int, bool]:
    """Begin a request and ask one thing; return the server's process, and whether it was asked for its health."""
    before = kept.answered_at
    kept.close_if_unusable_or_obsolete()
    with kept.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0]), kept.answered_at != before


def end(pid: int) -> None:
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        assert cursor.fetchone() == (True,)
    other.close()


def test_one_that_has_just_answered_is_not_asked_again(kept: DatabaseWrapper) -> None:
    (pid, _first), (_pid, second) = asked(kept), asked(kept)
    assert second
    assert [asked(kept) for _ in range(3)] == [(pid, False)] * 3


def test_one_that_was_idle_for_long_is_asked(kept: DatabaseWrapper) -> None:
    asked(kept)
    asked(kept)
    kept.answered_at = monotonic() - TRUSTED
    assert asked(kept)[1]


def test_one_that_the_server_ended_a_moment_ago_is_replaced(kept: DatabaseWrapper) -> None:
    asked(kept)
    pid, _asked = asked(kept)
    end(pid)
    assert asked(kept)[0] != pid


def test_one_that_this_side_closed_is_replaced(kept: DatabaseWrapper) -> None:
    asked(kept)
    pid, _asked = asked(kept)
    kept.connection.close()
    assert asked(kept)[0] != pid


def test_after_an_error_it_is_asked(kept: DatabaseWrapper) -> None:
    asked(kept)
    asked(kept)
    kept.errors_occurred = True
    assert asked(kept)[1]
    assert not kept.errors_occurred
