"""Appending to the ledger, numbering, and what the database refuses."""

from uuid import uuid4

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction

from crm import checkpoints, evidence, handoffs, sequencer
from crm.database_roles import as_owner
from crm.ledger import root_of, verify_inclusion
from crm.models import Checkpoint, HandOff, HandOffPerson, Leaf, LedgerNote, Notice, PendingLeaf, Tile
from crm.models.ledger import Evidence, PersonalPart
from crm.signed_notes import verify
from tests import factories
from tests.crm import consents
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


def test_every_kind_of_evidence_is_known_has_a_deletable_half_and_a_kind_of_its_own() -> None:
    concrete = {model for model in apps.get_models() if issubclass(model, Evidence)}
    assert concrete == set(evidence.EVIDENCE)
    for model in concrete:
        part = model._meta.get_field("person").related_model  # type: ignore[misc]
        assert issubclass(part, PersonalPart)


def test_the_sequencer_stops_at_rows_that_nobody_signed() -> None:
    notes(3)
    sequencer.sequence(NOW)
    Leaf.objects.create(sequence=3, record=uuid4(), kind="hand_off", hash=bytes(32))
    notes(1)
    with pytest.raises(sequencer.Fork, match="nobody signed"):
        sequencer.sequence(NOW)
    assert (Leaf.objects.count(), PendingLeaf.objects.count()) == (4, 1)


def test_nothing_appended_rings_no_bell_and_an_unknown_kind_of_note_is_refused() -> None:
    evidence.append([])
    with pytest.raises(ValueError, match="gossip"):
        evidence.note("gossip", "", {}, now=NOW)
    assert not PendingLeaf.objects.exists()


ONLY_ADDED_TO = [
    *(model._meta.db_table for model in evidence.EVIDENCE),
    *("crm_leaf", "crm_tile", "crm_checkpoint", "crm_checkpointcopy"),
]
CHANGES = ["DELETE FROM {0}", "DELETE FROM {0} WHERE false", "TRUNCATE {0} CASCADE", "UPDATE {0} SET {1} = {1}"]


def changes() -> list[str]:
    with connection.cursor() as cursor:
        columns = {
            table: connection.introspection.get_table_description(cursor, table)[0].name for table in ONLY_ADDED_TO
        }
    return [change.format(table, columns[table]) for table in ONLY_ADDED_TO for change in CHANGES]


def test_the_application_may_not_change_what_is_only_added_to() -> None:
    for change in changes():
        with pytest.raises(DatabaseError, match=r"only ever added|permission denied"), transaction.atomic():
            connection.cursor().execute(change)


def test_nor_may_the_owner_nor_a_superuser_who_poses_as_a_replica(transactional_db: None) -> None:
    with as_owner():
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = 'replica'")
        for change in changes():
            with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
                connection.cursor().execute(change)


def test_the_application_cannot_open_the_door_that_tests_use() -> None:
    evidence.note("disclosure", "file", {}, now=NOW)
    connection.cursor().execute("SET zhiyin.flush = 'on'")
    try:
        test_the_application_may_not_change_what_is_only_added_to()
    finally:
        connection.cursor().execute("RESET zhiyin.flush")


def test_a_published_notice_stays_and_a_draft_may_change(transactional_db: None) -> None:
    consents.purpose()
    consents.notice("offers")
    draft = Notice.objects.create(code="privacy", version=2)
    with as_owner():
        Notice.objects.filter(pk=draft.pk).update(is_material=True)
        published = Notice.objects.exclude(pk=draft.pk)
        for change in (lambda: published.update(texts={}), published.delete):
            with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
                change()
        assert draft.delete()[0] == 1
