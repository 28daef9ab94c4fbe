"""Two database roles: one owns the tables, the other, the application's, cannot change what is insert-only.

``settings.OWNER_DATABASE`` holds what differs for the owner (user, password, perhaps host), and is empty where one role
does both. There is no second alias in ``DATABASES``: :func:`as_owner` lets the *same* connection be the owner's for a
while, so that migrations which read and write rows by the default alias do not wait for locks of their own.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import connection, transaction
from psycopg2 import sql

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
INSERT_ONLY = "SELECT, INSERT"
# What a table gets that is neither ordinary nor insert-only. Events are never rewritten: only the lake's transaction
# number is, after a restore.
SPECIAL = {"django_migrations": "SELECT", "crm_event": "SELECT, INSERT, DELETE, UPDATE (xid)"}
FUNCTIONS = (
    "crm_add_event_month(date)",
    "crm_drop_event_month(date)",
    "crm_drop_empty_event_month(date)",
    "crm_rewrite_table(text)",
)

# Tables are insert-only by their trigger (crm/insert_only.py), so that the right and the trigger cannot part.
TABLES = """
SELECT relname, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = pg_class.oid AND tgname = relname || '_insert_only')
FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
"""


class NoOwner(RuntimeError):
    """The connection cannot become the owner's now."""


@contextmanager
def as_owner() -> Iterator[None]:
    """Let the default connection be the owner's for the block; with one role for everything, it is already.

    The session is another one before, in and after the block: settings and temporary tables do not pass its borders.

    Raises
    ------
    NoOwner
        A transaction is open, which a change of sessions would tear.
    """
    if connection.in_atomic_block:
        raise NoOwner("The owner's role can be taken only outside a transaction.")
    before = connection.settings_dict
    connection.close()
    connection.settings_dict = before | settings.OWNER_DATABASE
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = before


def application_role() -> str:
    """Return the name of the role that the application connects as."""
    return str(settings.DATABASES["default"]["USER"])


def grant() -> None:
    """Give the application's role just what it needs, as the owner; twice changes nothing."""
    role = application_role()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        if cursor.fetchone()[0] == role:
            return
        cursor.execute(TABLES)
        for name, is_insert_only in cursor.fetchall():
            rights = INSERT_ONLY if is_insert_only else SPECIAL.get(name, EVERYTHING)
            _only(cursor, rights, sql.SQL("TABLE {}").format(sql.Identifier(name)), role)
        cursor.execute("SELECT current_schema()")
        schema = sql.Identifier(cursor.fetchone()[0])
        _only(cursor, "USAGE, SELECT", sql.SQL("ALL SEQUENCES IN SCHEMA {}").format(schema), role)
        _only(cursor, "USAGE", sql.SQL("SCHEMA {}").format(schema), role)
        for function in FUNCTIONS:
            _only(cursor, "EXECUTE", sql.SQL("FUNCTION {}").format(sql.SQL(function)), role)


def _only(cursor: object, rights: str, what: sql.Composed, role: str) -> None:
    """Take every right on something from a role and give it these; nobody sees the moment between."""
    words = {"rights": sql.SQL(rights), "what": what, "role": sql.Identifier(role)}
    statement = sql.SQL("REVOKE ALL ON {what} FROM {role}; GRANT {rights} ON {what} TO {role}")
    cursor.execute(statement.format(**words))  # type: ignore[attr-defined]
