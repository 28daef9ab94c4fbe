"""What fsck finds: whatever was changed, removed, swapped, cut off or rewritten behind the application's back."""

from collections.abc import Iterator
from random import Random

import pytest
from django.db import connection

from crm import checkpoints, evidence, fsck, sequencer
from crm.database_roles import as_owner
from crm.models import Checkpoint, HandOff, HandOffPerson, Leaf, Tile
from tests.crm import mutations
from tests.factories import NOW

ROWS = 40


@pytest.fixture
def trusted(transactional_db: None) -> Iterator[list[str]]:
    """Fill a ledger, and let the test be a superuser who may change it; return an older checkpoint."""
    mutations.house(ROWS)
    with as_owner():
        yield mutations.held_elsewhere()


def leaves() -> int:
    return Leaf.objects.count()


def test_an_untouched_ledger_is_sound_and_everything_was_looked_at(trusted: list[str]) -> None:
    report = fsck.check(trusted)
    assert (report.sound, report.problems) == (True, [])
    assert report.counts == {
        "leaves": 40,
        "checkpoints": 4,
        "held elsewhere": 1,
        "problems": 0,
        "crm_consentevent": 12,
        "crm_handoff": 12,
        "crm_ledgernote": 16,
        "commitments": 32,
        "notices": 1,
    }


def test_an_empty_ledger_is_sound(db: None) -> None:
    assert fsck.check().sound


def test_a_changed_byte_is_found_and_its_row_named(trusted: list[str]) -> None:
    random = Random(7)
    for table, (key, _) in mutations.TABLES.items():
        for column in sorted(set(mutations.columns_of(table)) - {key, "level"}):
            longest = mutations.longest(table, column)
            for place in random.sample(range(longest), min(2, longest)):
                rows, found = mutations.named(table, column, place, trusted)
                assert found == rows > 0, (table, column, place)


def test_a_row_with_another_key_is_found(trusted: list[str]) -> None:
    for table, (key, _) in mutations.TABLES.items():
        for (value,) in mutations.rows_of(table, key)[:3]:
            other = mutations.changed(value, 1)
            statement = f"UPDATE {table} SET \"{key}\" = '{other}' WHERE \"{key}\" = '{value}'"
            assert mutations.is_found(statement, trusted=trusted), statement


INVENTED = "SELECT id, 1, sha256('') FROM crm_ledgernote WHERE commitment = ''"
UNSAID = "VALUES (gen_random_uuid(), 'access', '', '{}', now(), now(), '')"
EVIDENCE_OF = "(SELECT record FROM crm_leaf WHERE sequence = {})"
FALSIFICATIONS = {
    "a leaf removed": ["DELETE FROM crm_leaf WHERE sequence = 7"],
    "the last leaf removed": ["DELETE FROM crm_leaf WHERE sequence = 39"],
    "the first leaf removed": ["DELETE FROM crm_leaf WHERE sequence = 0"],
    "evidence removed": ["DELETE FROM crm_handoff WHERE id = (SELECT min(id::text)::uuid FROM crm_handoff)"],
    "evidence removed with its leaf": [
        f"DELETE FROM crm_consentevent WHERE id = {EVIDENCE_OF.format(2)}",
        f"DELETE FROM crm_handoff WHERE id = {EVIDENCE_OF.format(2)}",
        f"DELETE FROM crm_ledgernote WHERE id = {EVIDENCE_OF.format(2)}",
        "DELETE FROM crm_leaf WHERE sequence = 2",
    ],
    "a removal closed up": [
        "DELETE FROM crm_leaf WHERE sequence = 2",
        "UPDATE crm_leaf SET sequence = sequence + 1000 WHERE sequence > 2",
        "UPDATE crm_leaf SET sequence = sequence - 1001 WHERE sequence > 1000",
    ],
    "a checkpoint removed": ["DELETE FROM crm_checkpoint WHERE size = 21"],
    "the last checkpoint removed": ["DELETE FROM crm_checkpoint WHERE size = 40"],
    "all checkpoints removed": ["DELETE FROM crm_checkpoint"],
    "every table emptied": ["TRUNCATE crm_leaf, crm_checkpoint, crm_tile, crm_handoff, crm_ledgernote CASCADE"],
    "two leaves with each other's number": [
        "UPDATE crm_leaf SET sequence = 1007 - sequence WHERE sequence IN (3, 4)",
        "UPDATE crm_leaf SET sequence = sequence - 1000 WHERE sequence > 1000",
    ],
    "two leaves with each other's hash": [
        "UPDATE crm_leaf a SET hash = b.hash FROM crm_leaf b WHERE a.sequence + b.sequence = 7 AND a.sequence IN (3, 4)"
    ],
    "two hand-offs with each other's person": [
        "UPDATE crm_handoffperson a SET profile_id = b.profile_id FROM crm_handoffperson b"
    ],
    "two persons with each other's salt": [
        "UPDATE crm_handoffperson a SET salt = b.salt FROM crm_handoffperson b WHERE a.hand_off_id <> b.hand_off_id"
    ],
    "a salt made longer by what HMAC would not notice": ["UPDATE crm_handoffperson SET salt = salt || '\\x00'::bytea"],
    "a person invented for a note about nobody": [
        f"INSERT INTO crm_ledgernoteperson (note_id, profile_id, salt) {INVENTED}"
    ],
    "evidence without a leaf": [
        f"INSERT INTO crm_ledgernote (id, kind, reference, facts_json, happened_at, recorded_at, commitment) {UNSAID}"
    ],
    "a leaf without evidence": ["INSERT INTO crm_leaf VALUES (40, gen_random_uuid(), 'hand_off', sha256(''))"],
    "a leaf waiting for no evidence": [
        "INSERT INTO crm_pendingleaf (record, kind, hash) VALUES (gen_random_uuid(), 'hand_off', sha256(''))"
    ],
    "a leaf waiting a second time": ["INSERT INTO crm_pendingleaf SELECT record, kind, hash FROM crm_leaf LIMIT 1"],
    "a tile too many": ["INSERT INTO crm_tile VALUES (8, 0, sha256(''))"],
    "a tile of no level": ["INSERT INTO crm_tile VALUES (7, 0, sha256(''))"],
    "facts that read the same and are written otherwise": [
        "UPDATE crm_ledgernote SET facts_json = replace(facts_json, ':', ': ')"
    ],
    "facts that are no JSON": ["UPDATE crm_ledgernote SET facts_json = '{'"],
    "facts that are no mapping": ["UPDATE crm_ledgernote SET facts_json = '[]'"],
    "another proof of a consent": ['UPDATE crm_consenteventperson SET details = \'{"proof": {"token": "other"}}\''],
    "a state that no event made": ["UPDATE crm_consentstate SET state = 'given'"],
    "a state that was removed": ["DELETE FROM crm_consentstate WHERE state = 'refused'"],
    "a notice rewritten": ["UPDATE crm_notice SET texts = replace(texts::text, 'we do', 'we did')::jsonb"],
    "a notice rewritten with its digest": ["UPDATE crm_notice SET texts = '{}', digest = repeat('0', 64)"],
    "a notice removed": ["DELETE FROM crm_notice"],
    "a notice published behind the ledger's back": [
        "UPDATE crm_notice SET version = version + 1, reference = 'privacy/2'",
    ],
    "a checkpoint signed by somebody else": [
        "UPDATE crm_checkpoint SET note = regexp_replace(note, '— .*', '— other AAAAAAAA') || E'\\n'"
    ],
}


def test_a_falsified_ledger_is_not_sound(trusted: list[str]) -> None:
    found = {name for name, lies in FALSIFICATIONS.items() if mutations.is_found(*lies, trusted=trusted)}
    assert found == set(FALSIFICATIONS)


def test_a_person_who_was_forgotten_is_no_fault(trusted: list[str]) -> None:
    HandOffPerson.objects.all().delete()
    report = fsck.check(trusted)
    assert (report.sound, report.counts["shredded"]) == (True, 12)


def test_a_ledger_cut_off_without_a_trace_is_found_by_a_checkpoint_held_elsewhere(trusted: list[str]) -> None:
    assert mutations.cut_is_found(21, trusted)
    # What came after the last checkpoint held elsewhere is what a superuser can take away: the limit that we state.
    assert not mutations.cut_is_found(21, [])
    assert not mutations.cut_is_found(31, trusted)


def test_a_history_rewritten_and_signed_anew_is_found_by_a_checkpoint_held_elsewhere(trusted: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET zhiyin.flush = 'on'")
        cursor.execute("UPDATE crm_handoff SET purpose = 'other' WHERE id IN (SELECT record FROM crm_leaf LIMIT 10)")
    rewrite()
    assert fsck.check().sound
    report = fsck.check(trusted)
    assert [str(problem) for problem in report.problems] == ["held elsewhere 31: the leaves lead to another root"]


def rewrite() -> None:
    """Make leaves, tiles and checkpoints of the evidence as it is now, with our own key."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE crm_leaf, crm_tile, crm_checkpoint CASCADE")
    for model in evidence.EVIDENCE:
        for row in model._default_manager.all():
            evidence.pending(row).save(force_insert=True)
    sequencer.sequence(NOW)


def test_two_checkpoints_of_one_size_are_a_split_view(trusted: list[str]) -> None:
    other = checkpoints.signer().sign(31, bytes(32))
    report = fsck.check([*trusted, other])
    assert [str(problem) for problem in report.problems] == ["held elsewhere 31: two roots were signed for one size"]


@pytest.mark.parametrize("note", ["", "nonsense", "zhiyin\n1\nAAAA\n\n— zhiyin AAAA\n", "x" * 20_000])
def test_a_checkpoint_that_we_did_not_sign_is_told(note: str, trusted: list[str]) -> None:
    assert not fsck.check([note]).sound


def test_the_sequencer_signs_nothing_more_over_a_changed_tree(trusted: list[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET zhiyin.flush = 'on'; UPDATE crm_leaf SET hash = sha256('') WHERE sequence = 38")
    evidence.note("disclosure", "another", {}, now=NOW)
    with pytest.raises(sequencer.Fork):
        sequencer.sequence(NOW)
    assert (leaves(), Checkpoint.objects.count()) == (40, 4)


def test_tiles_are_checked_where_there_are_some(transactional_db: None) -> None:
    mutations.house(300)
    with as_owner():
        assert Tile.objects.count() == 1
        for table, column in (("crm_tile", "hash"), ("crm_tile", "level"), ("crm_tile", "index")):
            value = "sha256('')" if column == "hash" else f'"{column}" + 8'
            assert mutations.is_found(f'UPDATE {table} SET "{column}" = {value}', trusted=[])
        assert mutations.is_found("DELETE FROM crm_tile", trusted=[])
        assert HandOff.objects.count() == 90
