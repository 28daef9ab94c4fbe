"""Appending to the ledger, numbering, and what the database refuses."""

from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from crm import checkpoints, evidence, handoffs, sequencer
from crm.ledger import root_of, verify_inclusion
from crm.models import Checkpoint, HandOff, HandOffPerson, Leaf, LedgerNote, PendingLeaf, Tile
from crm.models.ledger import INSERT_ONLY
from crm.signed_notes import verify
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def notes(count: int) -> list[LedgerNote]:
    return [evidence.note("disclosure", f"file {n}", {"rows": n}, now=NOW) for n in range(count)]


def test_what_was_appended_is_numbered_signed_for_and_provable() -> None:
    made = notes(600)
    assert (PendingLeaf.objects.count(), Leaf.objects.count()) == (600, 0)
    assert sequencer.sequence(NOW) == 600
    assert not PendingLeaf.objects.exists()
    leaves = list(Leaf.objects.order_by("sequence"))
    assert [leaf.sequence for leaf in leaves] == list(range(600))
    assert [leaf.hash for leaf in leaves] == [evidence.leaf_of(note) for note in sorted(made, key=lambda n: n.pk)]
    signed = verify(Checkpoint.objects.get().note, checkpoints.verifier_keys())
    assert (signed.size, signed.root) == (600, root_of(leaf.hash for leaf in leaves))
    assert list(Tile.objects.values_list("level", "index")) == [(8, 0), (8, 1)]
    for note in made[::97]:
        found = checkpoints.inclusion(note.pk)
        verify_inclusion(found.leaf.sequence, 600, evidence.leaf_of(note), signed.root, found.proof)


def test_a_hand_off_commits_to_its_person_and_outlives_the_person() -> None:
    person = factories.profile("u1")
    new = handoffs.NewHandOff(
        delivery=uuid4(),
        profile_id=person.pk,
        allowed_by=None,
        basis="contract",
        purpose="orders",
        channel="sms",
        handed_off_at=NOW,
    )
    handoffs.record([new], NOW)
    row = HandOff.objects.get()
    assert row.person.matches(row.commitment)
    before = evidence.leaf_of(row)
    person.delete()
    assert not HandOffPerson.objects.exists()
    assert evidence.leaf_of(HandOff.objects.get()) == before


@pytest.mark.parametrize("table", INSERT_ONLY)
@pytest.mark.parametrize("change", ["DELETE FROM {}", "TRUNCATE {} CASCADE", "UPDATE {0} SET {1} = {1}"])
def test_the_database_refuses_to_change_what_is_only_added_to(table: str, change: str) -> None:
    with connection.cursor() as cursor:
        column = next(iter(connection.introspection.get_table_description(cursor, table))).name
    with pytest.raises(DatabaseError, match=r"only ever added|permission denied"), transaction.atomic():
        connection.cursor().execute(change.format(table, column))
