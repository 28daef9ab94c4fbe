"""After a test that commits the database is emptied: only of what is in it, where Django would truncate every table.

Two hundred tables and their indexes are as many files made anew, most of a second each time; most tests write to a
dozen. Content types and permissions stay: they are those of the code, whatever a test did. The months of the log go,
for there are none where nothing was written yet, and pages tell which there are.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from crm import partitions
from crm.database_roles import as_owner

KEPT = frozenset({"django_migrations", "django_content_type", "auth_permission"})
TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition {more} ORDER BY c.relname
"""
# To look into a table is to open its indexes too: most were never written to, and have no page.
WRITTEN = "AND (c.relkind = 'p' OR pg_relation_size(c.oid) > 0)"


def empty() -> None:
    """Delete every row of the test database; who still writes is waited for, as a truncation would."""
    with as_owner(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(_tables(cursor))} IN ACCESS EXCLUSIVE MODE")
        _drop_months()
        written = _tables(cursor, WRITTEN)
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in written))
        # Neither foreign keys nor the triggers of what is insert-only are asked: everything goes.
        deletions = "; ".join(f"DELETE FROM {name}" for (name,) in cursor.fetchall())
        cursor.execute(f"SET LOCAL zhiyin.flush = 'on'; SET LOCAL session_replication_role = 'replica'; {deletions}")


def _drop_months() -> None:
    for month in partitions.existing():
        partitions.drop(month)
    partitions._seen.clear()


def _tables(cursor: CursorWrapper, more: str = "") -> list[str]:
    cursor.execute(TABLES.format(more=more))
    return [connection.ops.quote_name(name) for (name,) in cursor.fetchall() if name not in KEPT]


@contextmanager
def undone() -> Iterator[None]:
    """Undo what the block does to rows, so that a test in a transaction can ask the same house the next question."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)
