"""What we sign for: the key, the latest checkpoint, and proofs against it."""

import os
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from secrets import token_bytes
from uuid import UUID

from django.conf import settings

from crm.ledger import ProofError, consistency_proof, inclusion_proof
from crm.models import Checkpoint, Leaf
from crm.signed_notes import Signer
from crm.tree import StoredTree

SEED_BYTES = 32


class KeyMissing(RuntimeError):
    """There is no key to sign with, or it is not one; the message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Inclusion:
    """That one record is in the tree of a checkpoint."""

    leaf: Leaf
    checkpoint: Checkpoint
    proof: list[bytes]


def signer() -> Signer:
    """Return who signs our checkpoints, making the key where there is none and nothing was signed yet.

    Raises
    ------
    KeyMissing
        The key is malformed, or lost: what was signed with it needs it, and a new one must be a person's decision.
    """
    return _signer(settings.LEDGER_ORIGIN, settings.LEDGER_KEY, str(settings.LEDGER_KEY_FILE))


def verifier_keys() -> list[str]:
    """Return the keys whose signatures we accept: ours, and older ones that a person lists."""
    return [signer().verifier_key, *settings.LEDGER_OLD_KEYS]


def latest() -> Checkpoint | None:
    """Return the newest checkpoint, if there is one."""
    return Checkpoint.objects.latest_first().first()


def inclusion(record: UUID, checkpoint: Checkpoint | None = None) -> Inclusion:
    """Return the proof that a record is in the ledger, against the checkpoint (the newest unless given).

    Raises
    ------
    ProofError
        The record has no number yet, or got it after that checkpoint.
    """
    leaf = Leaf.objects.filter(record=record).first()
    checkpoint = checkpoint or latest()
    if leaf is None or checkpoint is None or leaf.sequence >= checkpoint.size:
        raise ProofError(f"Record {record} is not in the ledger, or not numbered yet.")
    proof = inclusion_proof(leaf.sequence, checkpoint.size, StoredTree())
    return Inclusion(leaf=leaf, checkpoint=checkpoint, proof=proof)


def consistency(older: int, newer: int) -> list[bytes]:
    """Return the proof that the tree of ``newer`` leaves only adds to that of ``older``."""
    return consistency_proof(older, newer, StoredTree())


@lru_cache(maxsize=4)
def _signer(origin: str, key: str, path: str) -> Signer:
    if not origin or any(sign.isspace() or sign == "+" for sign in origin):
        raise KeyMissing(f"LEDGER_ORIGIN {origin!r} must be a name without spaces and plus signs.")
    text = key or _read(Path(path))
    try:
        seed = b64decode(text, validate=True)
    except BadBase64:
        seed = b""
    if len(seed) != SEED_BYTES:
        where = "LEDGER_KEY" if key else path
        raise KeyMissing(f"{where} must hold {SEED_BYTES} bytes in base64.")
    return Signer(origin, seed)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    if Checkpoint.objects.exists():
        raise KeyMissing(
            f"{path} is missing, and checkpoints were signed with it: restore it from its backup. If it is lost for"
            " good, list its verifier key in LEDGER_OLD_KEYS and give a new one in LEDGER_KEY."
        )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    try:
        aside.write_text(b64encode(token_bytes(SEED_BYTES)).decode())
        os.link(aside, path)  # whole or not at all; of two first starts one wins
    except FileExistsError:
        pass
    finally:
        aside.unlink()
    return path.read_text().strip()
