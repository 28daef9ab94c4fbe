"""Ways to falsify a ledger behind the application's back, for the test of a few rows and the hunt over many."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction

from crm import evidence, fsck, handoffs, sequencer
from crm.models import Checkpoint
from tests import factories
from tests.factories import NOW

# Tables with their key, and the column that says which row a problem is to name.
TABLES = {
    "crm_handoff": ("id", "id"),
    "crm_handoffperson": ("hand_off_id", "hand_off_id"),
    "crm_ledgernote": ("id", "id"),
    "crm_ledgernoteperson": ("note_id", "note_id"),
    "crm_leaf": ("sequence", "record"),
    "crm_tile": ("index", "index"),
    "crm_checkpoint": ("size", "size"),
}
UNSIGNED = {("crm_checkpoint", "waited_ms"), ("crm_checkpoint", "created_at")}  # our own account of how fast we were

# An end removed from every table, so that what is left agrees with itself.
CUT = [
    "DELETE FROM crm_handoff WHERE id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_ledgernote WHERE id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_handoffperson WHERE hand_off_id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_ledgernoteperson WHERE note_id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_leaf WHERE sequence >= {0}",
    "DELETE FROM crm_checkpoint WHERE size > {0}",
]


def house(rows: int) -> None:
    """Append hand-offs and notes in batches, and number each batch."""
    people = [factories.profile(f"u{n}").pk for n in range(5)]
    for start in range(0, rows, 10):
        moment = NOW + timedelta(microseconds=start * 1001)
        handoffs.record([hand_off(people[n % 5], moment) for n in range(5)], moment)
        for n in range(start, min(start + 5, rows)):
            about = people[n % 5] if n % 2 else None
            evidence.note("disclosure", f"file {n}", {"rows": n, "to": "auditor"}, now=moment, profile=about)
        sequencer.sequence(moment)


def hand_off(profile: int, moment: datetime) -> handoffs.NewHandOff:
    return handoffs.NewHandOff(
        delivery=uuid4(),
        profile_id=profile,
        allowed_by=uuid4(),
        basis="consent",
        purpose="news",
        channel="sms",
        handed_off_at=moment,
    )


def held_elsewhere() -> list[str]:
    """Return an older checkpoint, as an outsider would hold it."""
    notes = Checkpoint.objects.order_by("size").values_list("note", flat=True)
    return [notes[len(notes) * 2 // 3]]


@contextmanager
def falsified(*statements: str, parameters: Sequence[Any] = ()) -> Iterator[None]:
    """Run statements as a superuser who knows all switches; everything is as before when the block ends."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL zhiyin.flush = 'on'; SET LOCAL session_replication_role = 'replica'")
        for statement in statements:
            cursor.execute(statement, parameters or None)
        yield
        transaction.set_rollback(True)


def rows_of(table: str, *columns: str) -> list[tuple[Any, ...]]:
    key = TABLES[table][0]
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT {", ".join(quoted(column) for column in columns)} FROM {table} ORDER BY "{key}"')
        return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor.fetchall()]


def columns_of(table: str) -> list[str]:
    with connection.cursor() as cursor:
        names = [column.name for column in connection.introspection.get_table_description(cursor, table)]
    return [name for name in names if (table, name) not in UNSIGNED]


def changed(value: Any, place: int) -> Any:
    """Return the value with the byte at a place changed; ``None`` where it has no such byte.

    >>> changed("abc", 1), changed(b"abc", 3), changed(258, 0)
    ('acc', None, 259)
    """
    match value:
        case str() if place < len(value):
            return value[:place] + ("c" if value[place] != "c" else "d") + value[place + 1 :]
        case bytes() if place < len(value):
            return value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        case UUID() if place < 16:
            return UUID(int=value.int ^ 1 << 8 * place)
        case datetime() if place < 7:
            return value + timedelta(microseconds=256**place)
        case int() if place < 4:
            return value ^ 1 << 8 * place
    return None


def named(table: str, column: str, place: int, trusted: Sequence[str]) -> tuple[int, int]:
    """Change one byte in every row of a table at once; return how many rows were changed, and how many are named."""
    key, name = TABLES[table]
    cells = [(pk, said, changed(value, place)) for pk, said, value in rows_of(table, key, name, column)]
    cells = [cell for cell in cells if cell[2] is not None]
    if not cells:
        return 0, 0
    update = f'UPDATE {table} SET "{column}" = %s WHERE "{key}" = %s'
    with transaction.atomic():
        with falsified():
            with connection.cursor() as cursor:
                cursor.executemany(update, [(new, pk) for pk, _, new in cells])
            report = fsck.check(trusted, most=10**6)
        told = {problem.row.rpartition("/")[2] for problem in report.problems}
    return len(cells), sum(str(said) in told for _, said, _ in cells)


def quoted(column: str) -> str:
    return f'"{column}"'


def longest(table: str, column: str) -> int:
    """Return how many bytes the longest value of a column has."""
    most = 0
    for (value,) in rows_of(table, column):
        while changed(value, most) is not None:
            most += 1
    return most


def is_found(*statements: str, trusted: Sequence[str]) -> bool:
    with falsified(*statements):
        return not fsck.check(trusted).sound
