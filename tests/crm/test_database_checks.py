"""What ``check --deploy`` says of a PostgreSQL server that logs too much, loses too much, or trusts too much."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from crm.database_checks import OVERMIGHTY, SETTINGS, server_is_safe
from crm.database_roles import as_owner

pytestmark = pytest.mark.django_db(transaction=True)

# Each setting that a database or a role can have for itself, as somebody may have left it.
WRONG = {
    "log_statement": ("all", "zhiyin.W002"),
    "log_min_duration_statement": ("250ms", "zhiyin.W003"),
    "log_min_duration_sample": ("250ms", "zhiyin.W004"),
    "log_transaction_sample_rate": ("0.01", "zhiyin.W005"),
    "log_min_messages": ("warning", "zhiyin.W006"),
    "log_min_error_statement": ("error", "zhiyin.W007"),
    "log_error_verbosity": ("default", "zhiyin.W008"),
    "log_parameter_max_length_on_error": ("-1", "zhiyin.W009"),
    "synchronous_commit": ("off", "zhiyin.E002"),
}
# Of the whole server: another value needs another server.
OF_THE_SERVER = {"fsync", "full_page_writes", "auto_explain.log_min_duration"}


def found() -> list[str]:
    return sorted(str(message.id) for message in server_is_safe(None, databases=["default"]))


@contextmanager
def database_with(name: str, value: str) -> Iterator[None]:
    """Give the database a setting, as an administrator does, and meet it in a new session."""
    database = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {database} SET {name} = '{value}'")
    try:
        yield
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {database} RESET {name}")


def test_the_embedded_server_passes() -> None:
    assert found() == []
    assert server_is_safe(None) == []  # nothing is asked of a database that is not named


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_named(name: str) -> None:
    value, id_ = WRONG[name]
    with database_with(name, value):
        assert found() == [id_]
    assert found() == []


def test_every_setting_is_tried() -> None:
    assert set(WRONG) | OF_THE_SERVER == set(SETTINGS)
    ids = [id_ for _, id_, _ in SETTINGS.values()] + [id_ for id_, _ in OVERMIGHTY]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("name", sorted(OF_THE_SERVER))
def test_settings_of_the_whole_server_are_judged(name: str) -> None:
    is_right = SETTINGS[name][0]
    right, wrong = ("-1", "0") if name.startswith("auto") else ("on", "off")
    assert is_right(right)
    assert not is_right(wrong)


def test_a_role_that_owns_the_ledger_is_named() -> None:
    with as_owner():
        assert found() == ["zhiyin.W011", "zhiyin.W012", "zhiyin.W013"]


def test_a_role_that_may_become_the_owner_is_named() -> None:
    role = str(connection.settings_dict["USER"])
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("CREATE ROLE zhiyin_tester")
        cursor.execute("ALTER TABLE crm_leaf OWNER TO zhiyin_tester")
        cursor.execute(f"GRANT zhiyin_tester TO {role}")
    try:
        assert found() == ["zhiyin.W013"]
    finally:
        with as_owner(), connection.cursor() as cursor:
            cursor.execute("ALTER TABLE crm_leaf OWNER TO CURRENT_USER")
            cursor.execute(f"REVOKE zhiyin_tester FROM {role}")
            cursor.execute("DROP ROLE zhiyin_tester")
    assert found() == []


def test_the_command_fails_where_something_is_wrong() -> None:
    with database_with("log_statement", "all"), pytest.raises(SystemCheckError, match="log_statement = all writes"):
        call_command("check", deploy=True, databases=["default"], fail_level="WARNING", stdout=StringIO())
