"""The way into the ledger: evidence is appended in the transaction of what it is evidence of, without a lock."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from django.db import models, transaction

from crm import bell
from crm.canonical import canonical
from crm.ledger import leaf_hash
from crm.models import ConsentEvent, HandOff, LedgerNote, LedgerNotePerson, PendingLeaf
from crm.models.ledger import Evidence, PersonalPart
from crm.uuid7 import uuid7

BATCH = 1000

# Every model whose rows are leaves; fsck and the audit bundle go through this table.
EVIDENCE: tuple[type[Evidence], ...] = (ConsentEvent, HandOff, LedgerNote)


def append(records: Sequence[Evidence], persons: Sequence[PersonalPart] = ()) -> None:
    """Write evidence, its personal parts and its place in the sequencer's queue, in the caller's transaction.

    Writers do not wait for each other: numbers are given later, by the one sequencer, whose bell rings on commit.
    The records are complete (their ``commitment`` too) and never change afterwards.
    """
    if not records:
        return
    with transaction.atomic(savepoint=False):  # what fails here fails the caller's transaction, as it should
        for rows in _by_model(records):
            _insert(rows)
        for parts in _by_model(persons):
            _insert(parts)
        _insert([pending(record) for record in records])
        transaction.on_commit(bell.ring, robust=True)


def pending(record: Evidence) -> PendingLeaf:
    """Return the row that asks the sequencer for a number."""
    return PendingLeaf(record=record.pk, kind=record.kind, hash=leaf_of(record))


def leaf_of(record: Evidence) -> bytes:
    """Return the hash that the ledger holds for a record."""
    return leaf_hash(canonical(record.leaf_body()))


def note(
    kind: str,
    reference: str,
    facts: Mapping[str, object],
    *,
    now: datetime,
    profile: int | None = None,
    happened_at: datetime | None = None,
) -> LedgerNote:
    """Note something that must be provable later, and return the note.

    Parameters
    ----------
    kind
        One of :class:`LedgerNote.Kind`.
    reference
        What it is about: the code of a notice, the number of a request.
    facts
        What is to be proven, for :func:`crm.canonical.canonical`; nothing personal, since it can never be removed.
    profile
        The person it is about, kept apart from the note so that an erasure can take it away.
    """
    made = LedgerNote(
        pk=uuid7(now),
        kind=LedgerNote.Kind(kind),
        reference=reference,
        facts_json=canonical(facts).decode(),
        happened_at=happened_at or now,
        recorded_at=now,
    )
    person = None if profile is None else LedgerNotePerson(note=made, profile_id=profile)
    if person is not None:
        made.commitment = person.commit()
    append([made], [person] if person else [])
    return made


def _insert(rows: Sequence[models.Model]) -> None:
    if rows:
        type(rows[0])._default_manager.bulk_create(rows, batch_size=BATCH)


def _by_model(rows: Sequence[models.Model]) -> Iterable[list[models.Model]]:
    found: defaultdict[type[models.Model], list[models.Model]] = defaultdict(list)
    for row in rows:
        found[type(row)].append(row)
    return found.values()


def find(record: UUID) -> Evidence:
    """Return a piece of evidence of any kind.

    Raises
    ------
    LookupError
        There is none with this id.
    """
    for model in EVIDENCE:
        if found := model._default_manager.filter(pk=record).first():
            return found
    raise LookupError(f"There is no evidence {record}.")
