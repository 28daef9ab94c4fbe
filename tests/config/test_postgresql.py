"""A kept connection is asked whether it is usable only where it may not be; no other database is taken for ours."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest
from django.db import connection

from config.postgresql.base import TRUSTED, DatabaseWrapper

ROOT = Path(__file__).parents[2]


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


def started(**environment: str) -> subprocess.CompletedProcess[str]:
    """Return what reading the settings in another process says."""
    asked = os.environ | {"DATABASE_URL": "postgres://li:secret@127.0.0.1/zhiyin"} | environment
    program = "from config import settings; print(settings.DATABASES['default']['ENGINE'])"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=asked, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["DATABASE_URL", "MIGRATE_DATABASE_URL"])
def test_another_kind_of_database_is_refused_by_the_name_of_its_setting(name: str) -> None:
    found = started(**{name: "mysql://li:secret@127.0.0.1/zhiyin"})
    assert found.returncode == 1
    assert found.stderr.splitlines()[-1].endswith(f"{name} begins with 'mysql'; it must begin with postgres://.")
    assert "secret" not in found.stderr


def test_a_database_of_ours_is_taken() -> None:
    assert started().stdout == "config.postgresql\n"
