"""``manage.py ledger``, and a proof that verifies with nothing of ours."""

import json
from base64 import b64decode
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.management import CommandError, call_command
from django.db import connection

from crm import checkpoints, evidence, fsck
from crm.models import Checkpoint, PendingLeaf
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def ledger(*arguments: str) -> str:
    out = StringIO()
    call_command("ledger", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def notes(count: int) -> list[Any]:
    return [evidence.note("disclosure", f"文件 {n}", {"rows": n}, now=NOW) for n in range(count)]


def verified(text: str) -> bool:
    """Verify a printed proof as an outsider would: by the RFCs, with hashes and one signature."""
    shown = json.loads(text)
    body = json.dumps(shown["record"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    place, last, found = shown["leaf_index"], shown["tree_size"] - 1, sha256(b"\0" + body).digest()
    for step in map(b64decode, shown["proof"]):
        if place % 2 or place == last:
            found = sha256(b"\1" + step + found).digest()
            while place % 2 == 0 and place:
                place, last = place // 2, last // 2
        else:
            found = sha256(b"\1" + found + step).digest()
        place, last = place // 2, last // 2
    signed, _, signature = shown["checkpoint"].partition("\n\n")
    _, size, root = signed.split("\n")
    public = b64decode(shown["verifier_key"].split("+", 2)[-1])[1:]
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(b64decode(signature.split()[2])[4:], f"{signed}\n".encode())
    except InvalidSignature:
        return False
    return last == 0 and found == b64decode(root) and int(size) == shown["tree_size"]


def test_a_printed_proof_verifies_alone_and_a_changed_one_does_not() -> None:
    made = notes(11)
    assert ledger("sequence") == "11 numbered\n"
    for note in made:
        text = ledger("proof", str(note.pk))
        assert verified(text)
        assert not verified(text.replace('"rows": ', '"rows": 1'))
        assert not verified(text.replace(f'"leaf_index": {json.loads(text)["leaf_index"]}', '"leaf_index": 12'))


def test_there_is_no_proof_of_what_is_not_numbered_or_not_there() -> None:
    (note,) = notes(1)
    for record in (note.pk, uuid4()):
        with pytest.raises(CommandError, match="is not in the ledger, or not numbered yet"):
            ledger("proof", str(record))


def test_fsck_prints_what_it_looked_at_and_the_honest_limit() -> None:
    notes(3)
    ledger("sequence")
    told = ledger("fsck")
    assert told.startswith("3 leaves, 1 checkpoints, 0 held elsewhere, 0 problems")
    assert str(fsck.HONEST_LIMIT) in told


def test_fsck_fails_against_a_checkpoint_of_another_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes(3)
    ledger("sequence")
    (tmp_path / "cp.txt").write_text(checkpoints.signer().sign(3, bytes(32)))
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("ledger", "fsck", "--checkpoint", str(tmp_path / "cp.txt"), stdout=out)
    assert "held elsewhere 3: the leaves lead to another root" in out.getvalue()


def test_the_newest_checkpoint_and_the_key_are_printed() -> None:
    with pytest.raises(CommandError, match="Nothing was signed yet"):
        ledger("checkpoint")
    notes(2)
    ledger("sequence")
    assert ledger("checkpoint") == Checkpoint.objects.get().note
    assert ledger("key").strip() == checkpoints.signer().verifier_key


def test_status_fails_when_evidence_waits_for_too_long() -> None:
    notes(1)
    assert "waiting     1" in ledger("status")
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - interval '70 s'")
        PendingLeaf.objects.update(queued_at=cursor.fetchone()[0])
    with pytest.raises(SystemExit):
        ledger("status")


def test_publish_says_what_came_of_it(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_PUBLISH_DIR = str(tmp_path)
    notes(1)
    ledger("sequence")
    assert ledger("publish") == f"file {tmp_path}: taken\n"
    assert "file" in ledger("status")
    settings.LEDGER_PUBLISH_DIR = str(tmp_path / "missing")
    with pytest.raises(SystemExit):
        ledger("publish")


def test_the_key_is_made_once_for_its_owner_only_and_never_replaced_in_silence(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_KEY_FILE = tmp_path / "keys" / "ledger.key"
    first = checkpoints.signer().verifier_key
    assert settings.LEDGER_KEY_FILE.stat().st_mode & 0o777 == 0o600
    assert checkpoints.signer().verifier_key == first
    notes(1)
    ledger("sequence")
    settings.LEDGER_KEY_FILE = tmp_path / "lost.key"
    with pytest.raises(CommandError, match="restore it from its backup"):
        ledger("fsck")
    settings.LEDGER_KEY = "A" * 43 + "="
    assert [problem.reason for problem in fsck.check().problems] == ["No known key has signed this checkpoint."]
    settings.LEDGER_OLD_KEYS = [first]
    assert fsck.check().sound


@pytest.mark.parametrize("key", ["short", "!" * 44, "A" * 40])
def test_a_malformed_key_is_told(key: str, settings: Any) -> None:
    settings.LEDGER_KEY = key
    with pytest.raises(checkpoints.KeyMissing, match="LEDGER_KEY must hold 32 bytes in base64"):
        checkpoints.signer()


def test_an_origin_that_cannot_be_signed_for_is_told(settings: Any) -> None:
    settings.LEDGER_ORIGIN = "our ledger"
    with pytest.raises(checkpoints.KeyMissing, match="without spaces"):
        checkpoints.signer()
