"""Ways to falsify a ledger behind the application's back, for the test of a few rows and the hunt over many."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from django.db import connection, transaction
from psycopg2.extras import execute_values

from crm import canonical as canonical_form
from crm import evidence, fsck, handoffs, sequencer
from crm.consent import rebuild
from crm.fsck.report import Report
from crm.models import Checkpoint
from tests import factories
from tests.crm import consents
from tests.factories import NOW

# Tables with their key, and the column that says which row a problem is to name.
TABLES = {
    "crm_handoff": ("id", "id"),
    "crm_consentevent": ("id", "id"),
    "crm_consenteventperson": ("event_id", "event_id"),
    "crm_handoffperson": ("hand_off_id", "hand_off_id"),
    "crm_ledgernote": ("id", "id"),
    "crm_ledgernoteperson": ("note_id", "note_id"),
    "crm_leaf": ("sequence", "record"),
    "crm_tile": ("index", "index"),
    "crm_checkpoint": ("size", "size"),
}
# All that a superuser can switch off; the check would refuse some of the falsified times.
SWITCHES = """
SET LOCAL zhiyin.flush = 'on'; SET LOCAL session_replication_role = 'replica';
ALTER TABLE crm_consentevent DROP CONSTRAINT crm_consent_not_of_the_future;
"""
JSONB = 3802
UNSIGNED = {("crm_checkpoint", "waited_ms"), ("crm_checkpoint", "created_at")}  # our own account of how fast we were

# An end removed from every table, so that what is left agrees with itself.
CUT = [
    "DELETE FROM crm_consentevent WHERE id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_consenteventperson WHERE event_id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_handoff WHERE id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_ledgernote WHERE id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_handoffperson WHERE hand_off_id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_ledgernoteperson WHERE note_id IN (SELECT record FROM crm_leaf WHERE sequence >= {0})",
    "DELETE FROM crm_leaf WHERE sequence >= {0}",
    "DELETE FROM crm_checkpoint WHERE size > {0}",
]


def house(rows: int) -> None:
    """Append consents, hand-offs and notes in batches of ten, and number each batch."""
    people = [factories.profile(f"u{n}") for n in range(5)]
    consents.purpose()
    consents.notice("offers")
    for start in range(1, rows, 10):  # the notice was the first
        moment = NOW + timedelta(microseconds=start * 1001)
        for n, person in enumerate(people[:3]):
            consents.say(person, "given" if n else "refused", now=moment, proof={"token": f"{start}"})
        handoffs.record([hand_off(person.pk, moment) for person in people[:3]], moment)
        for n in range(start, min(start + 4, rows - 6)):
            about = people[n % 5].pk if n % 2 else None
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
        cursor.execute(SWITCHES)
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
        columns = connection.introspection.get_table_description(cursor, table)
    # A byte changed in JSON mostly makes it none, which the database refuses.
    return [found.name for found in columns if (table, found.name) not in UNSIGNED and found.type_code != JSONB]


def changed(value: Any, place: int) -> Any:
    """Return the value with the byte at a place changed; ``None`` where it has no such byte.

    >>> changed("abc", 1), changed(b"abc", 3), changed(258, 0)
    ('acc', None, 259)
    """
    new: Any = None
    match value:
        case bool() if place == 0:
            new = not value
        case str() if place < len(value):
            new = value[:place] + ("c" if value[place] != "c" else "d") + value[place + 1 :]
        case bytes() if place < len(value):
            new = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        case UUID() if place < 16:
            new = UUID(int=value.int ^ 1 << 8 * place)
        case datetime() if place < 7:
            new = value + timedelta(microseconds=256**place)
        case int() if place < 4 and not isinstance(value, bool):
            new = value ^ 1 << 8 * place
    return new


def named(table: str, column: str, place: int, trusted: Sequence[str]) -> tuple[int, int]:
    """Change one byte in every row of a table at once; return how many rows were changed, and how many are named."""
    key, name = TABLES[table]
    cells = [(pk, said, changed(value, place)) for pk, said, value in rows_of(table, key, name, column)]
    cells = [cell for cell in cells if cell[2] is not None]
    if not cells:
        return 0, 0
    update = f'UPDATE {table} SET "{column}" = new.value FROM (VALUES %s) AS new (key, value) WHERE "{key}" = new.key'
    with transaction.atomic():
        with falsified():
            with connection.cursor() as cursor:
                execute_values(cursor, update, [(pk, new) for pk, _, new in cells], page_size=len(cells))
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


class _Found(BaseException):
    """The check met something; no Exception, because the check goes on after those."""


@contextmanager
def stopping_at_the_first() -> Iterator[None]:
    """Let a check end with the first problem, where only whether there is one is asked."""

    def stop(report: Report, problem: object) -> None:
        raise _Found

    told, Report.add = Report.add, stop  # type: ignore[assignment,method-assign]
    try:
        yield
    finally:
        Report.add = told  # type: ignore[method-assign]


def is_sound(trusted: Sequence[str]) -> bool:
    with stopping_at_the_first():
        try:
            return fsck.check(trusted).sound
        except _Found:
            return False


def is_found(*statements: str, trusted: Sequence[str]) -> bool:
    with falsified(*statements):
        return not is_sound(trusted)


def cut_is_found(size: int, trusted: Sequence[str]) -> bool:
    """Cut off everything but the first leaves in every table, and make what is derived agree; tell whether it shows."""
    with falsified(*[statement.format(size) for statement in CUT]):
        rebuild()
        return not is_sound(trusted)


def remember() -> None:
    """Write down each record once, in this process: between two checks nearly all of them are the same."""

    @lru_cache(maxsize=100_000)
    def remembered(written: bytes) -> bytes:
        return strict(json.loads(written))

    strict = canonical_form.canonical

    def canonical(record: Mapping[str, object]) -> bytes:
        try:
            return remembered(json.dumps(record).encode())
        except TypeError:  # what JSON cannot say; no record of ours has it, but a falsified one may
            return strict(record)

    canonical_form.canonical = evidence.canonical = canonical  # type: ignore[attr-defined]
