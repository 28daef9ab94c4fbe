"""What is new since somebody last looked, exactly.

Numbers do not follow the order of commits, but a snapshot of the database knows which transactions were open when it
was taken: a row that was written before and committed later is new all the same.

A snapshot means something in the database that made it only: :func:`database` names it, and its timeline, which changes
when one is restored to an earlier point.
"""

from typing import Any

DATABASE = (
    "SELECT system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '/'"
    " || (SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_system()"
)
# Rows of the event log, which say by which transaction they were written; an index finds them.
NEW_EVENTS = (
    "event.xid >= pg_snapshot_xmin(%(seen)s::pg_snapshot)"
    " AND NOT pg_visible_in_snapshot(event.xid, %(seen)s::pg_snapshot)"
)
# PostgreSQL keeps the last 32 bits of the transaction that wrote a row's present version; the rest follows from the
# present one, as all rows that are to be seen are of the last four billion transactions. A row that is older and was
# frozen may seem new, and is looked at once more than needed.
AHEAD = 1 << 24
WRITTEN = (
    "greatest(3, %(number)s + (({row}.xmin::text::bigint - %(number)s % {wrap} + 2 * {wrap} - {ahead}) % {wrap})"
    " - ({wrap} - {ahead}))::text::xid8"
)


def changed(row: str) -> str:
    """Return the condition, in SQL, that the present version of a table's row was not to be seen in ``seen``.

    It takes ``number`` (:func:`number`) and ``seen`` (:func:`snapshot`) as parameters.
    """
    written = WRITTEN.format(row=row, wrap=1 << 32, ahead=AHEAD).replace(" % ", " %% ")
    return f"NOT pg_visible_in_snapshot({written}, %(seen)s::pg_snapshot)"


# Whoever has written already sees her own rows and is not among those who are under way: so that what she writes later
# is new all the same, all from her own number on is.
SEEN = """
    SELECT CASE WHEN own < pg_snapshot_xmax(now)
        THEN concat_ws(':', least(pg_snapshot_xmin(now), own), own, (
            SELECT coalesce(string_agg(open::text, ',' ORDER BY open), '')
            FROM pg_snapshot_xip(now) AS open WHERE open < own
        ))
        ELSE now::text END
    FROM (SELECT pg_current_snapshot(), pg_current_xact_id_if_assigned()) AS told (now, own)
"""


def database(cursor: Any) -> str:
    """Return what names this database and its timeline."""
    return _one(cursor, DATABASE)


def snapshot(cursor: Any) -> str:
    """Return which transactions are to be seen now; of one's own, nothing is."""
    return _one(cursor, SEEN)


def number(cursor: Any) -> int:
    """Return the number of the present transaction."""
    return int(_one(cursor, "SELECT pg_current_xact_id()::text"))


def _one(cursor: Any, statement: str) -> str:
    cursor.execute(statement)
    return str(cursor.fetchone()[0])
