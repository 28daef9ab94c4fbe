"""What ``manage.py check --deploy --database default`` asks of the PostgreSQL server itself.

Two things that no code of ours can see to: that the server's log does not repeat what statements say of people, and
that what was acknowledged is on the disk. And what the role may really do, whatever its settings are called.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Warning
from django.db import connections

QUIET = frozenset({"log", "fatal", "panic"})  # levels above "error" in the server's log
# Each setting, when it is right, its id, and what it does otherwise. Our statements carry their values in their text.
SETTINGS: Mapping[str, tuple[Callable[[str], bool], str, str]] = {
    "log_statement": (lambda value: value == "none", "W002", "writes statements, with their values, to the log"),
    "log_min_duration_statement": (lambda value: value == "-1", "W003", "writes slow statements to the log"),
    "log_min_duration_sample": (lambda value: value == "-1", "W004", "writes a sample of slow statements to the log"),
    "log_transaction_sample_rate": (lambda value: float(value) == 0, "W005", "writes whole transactions to the log"),
    "log_min_messages": (lambda value: value in QUIET, "W006", "writes errors, which repeat values, to the log"),
    "log_min_error_statement": (
        lambda value: value in {"fatal", "panic"},
        "W007",
        "writes the statement beside an error to the log",
    ),
    "log_error_verbosity": (lambda value: value == "terse", "W008", 'writes "Failing row contains (…)" to the log'),
    "log_parameter_max_length_on_error": (lambda value: value == "0", "W009", "writes parameters to the log"),
    "auto_explain.log_min_duration": (lambda value: value == "-1", "W010", "writes plans, with values, to the log"),
    "synchronous_commit": (lambda value: value != "off", "E002", "loses what was acknowledged when the server stops"),
    "fsync": (lambda value: value == "on", "E003", "loses or destroys data when the power fails"),
    "full_page_writes": (lambda value: value == "on", "E004", "may destroy data when the power fails"),
}
HINT = "The README has the SQL (Two database roles)."
# A right over the table is a right over its triggers, whoever is its owner by name.
MIGHT = """
SELECT rolsuper, rolcreaterole, EXISTS (
    SELECT FROM pg_class WHERE relname = 'crm_leaf' AND relnamespace = current_schema()::regnamespace
    AND pg_has_role(current_user, relowner, 'MEMBER')
) FROM pg_roles WHERE rolname = current_user
"""
OVERMIGHTY = (
    ("W011", "is a superuser: no rule of the database holds it"),
    ("W012", "may make roles, and so give itself the owner's"),
    ("W013", "owns the ledger's tables, or may become their owner: it could take the triggers off"),
)


def server_is_safe(app_configs: Any, *, databases: Sequence[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Warn of settings of the server, as this role meets them, that lay personal values open or lose what was said."""
    return [message for alias in databases or () for message in (*_settings(alias), *_might(alias))]


def _settings(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY (%s)", [list(SETTINGS)])
        found = dict(cursor.fetchall())
    return [
        _message(id_, f"{name} = {found[name]} {what}.")
        for name, (is_right, id_, what) in SETTINGS.items()
        if name in found and not is_right(found[name])
    ]


def _might(alias: str) -> list[CheckMessage]:
    with connections[alias].cursor() as cursor:
        cursor.execute(MIGHT)
        answers = cursor.fetchone()
    return [
        _message(id_, f"The application's database role {what}.")
        for (id_, what), is_so in zip(OVERMIGHTY, answers, strict=True)
        if is_so
    ]


def _message(id_: str, text: str) -> CheckMessage:
    kind = Error if id_.startswith("E") else Warning
    return kind(text, hint=HINT, id=f"zhiyin.{id_}")
