"""Audit bundles for tests, made without a database: people who allow, withdraw and are written to."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from crm import verify
from crm.audit import compose
from crm.audit.compose import Content, Hidden, Record
from crm.canonical import canonical, commit_to, utc
from crm.ledger import Fold, consistency_proof, cover, leaf_hash
from crm.signed_notes import Signer

START = datetime(2026, 1, 1, tzinfo=UTC)
SIGNER = Signer("test.example/ledger", bytes(range(32)))
NOTICE: dict[str, Any] = {
    "code": "newsletter",
    "version": 1,
    "material": True,
    "items": [{"purpose": "news", "data_types": ["e-mail"], "recipients": [], "retention_days": 365}],
    "texts": {
        "en": {"title": "News", "body": "We write to you <monthly>.", "withdraw": "Below each mail."},
        "zh-hans": {"title": "资讯", "body": "我们每月给您写信。", "withdraw": "见每封邮件下方。"},
    },
}
DIGEST = sha256(canonical(NOTICE)).hexdigest()
DPV_STATES = {state: term for term, state in verify.DPV.items()}


def identity(*parts: object) -> str:
    return str(UUID(bytes=sha256(repr(parts).encode()).digest()[:16]))


def token(person: int) -> str:
    return sha256(b"token%d" % person).hexdigest()[:32]


def at(seconds: float) -> str:
    return utc(START + timedelta(seconds=seconds))


def opened(person: int | None, salt: bytes = bytes(32)) -> dict[str, Any]:
    return {} if person is None else {"profile": person}


def consent(number: float, person: int, state: str = "given", *, seconds: float, **facts: Any) -> dict[str, Any]:
    """Return the leaf of a consent event; its thread begins with the person's event 0 unless told otherwise."""
    body: dict[str, Any] = {
        "schema": verify.LEAF,
        "kind": "consent",
        "id": identity("consent", person, number),
        "thread": identity("consent", person, 0),
        "commitment": commit_to({"profile": person}, bytes(32)).digest.hex(),
        **dict.fromkeys(("channel", "channel_account", "language", "form_version", "jurisdiction", "recipient"), ""),
        **dict.fromkeys(("pia_id", "rendered_hash", "source_import_batch"), ""),
        **dict.fromkeys(("valid_until", "ask_cooldown_until", "source", "idempotency_key"), None),
        **dict.fromkeys(("event_time", "received_time", "recorded_at"), at(seconds)),
        "event_state": DPV_STATES[state],
        "purpose": "news",
        "consent_kind": "general",
        "legal_basis": "consent",
        "collection_method": "form",
        "notice": "newsletter/1",
        "notice_hash": DIGEST,
        "adm_optout": False,
    }
    return body | facts


def hand_off(number: int, person: int, *, seconds: float, **facts: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "schema": verify.LEAF,
        "kind": "hand_off",
        "id": identity("hand_off", person, number),
        "commitment": commit_to({"profile": person}, bytes(32)).digest.hex(),
        "delivery": identity("delivery", person, number),
        "allowed_by": identity("consent", person, 0),
        "basis": "consent",
        "purpose": "news",
        "channel": "email",
        **{name: at(seconds) for name in ("handed_off_at", "recorded_at")},
    }
    return body | facts


def note(number: int, kind: str, reference: str, facts: dict[str, Any], *, seconds: float) -> dict[str, Any]:
    return {
        "schema": verify.LEAF,
        "kind": kind,
        "id": identity("note", number),
        "commitment": "",
        "reference": reference,
        "facts": facts,
        "happened_at": at(seconds),
        "recorded_at": at(seconds),
    }


def hindrance(number: int, kind: str, person: int, *, seconds: float, **facts: Any) -> dict[str, Any]:
    """Return the leaf that says that a person is under age or her address suppressed; its chain has the same number."""
    told: dict[str, Any] = {"stands": True, "threads": [["news", identity("consent", person, 0)]]}
    told |= {"age": "minor"} if kind == "age" else {"channel": "", "reason": "complained", "since": at(seconds)}
    made = note(100 + number, kind, identity("hindrance", number), told | facts, seconds=seconds)
    return made | {"commitment": commit_to({"profile": person}, bytes(32)).digest.hex()}


def everyday(people: int, seed: int = 1) -> list[tuple[dict[str, Any], int | None]]:
    """Return a lawful history: a notice, and people who consent, get two messages, and sometimes withdraw."""
    random = Random(seed)
    published = {"digest": DIGEST, "material": True, "purposes": ["news"]}
    leaves: list[tuple[dict[str, Any], int | None]] = [
        (note(0, "purpose", "news", {"basis": "consent", "separate": False}, seconds=0), None),
        (note(1, "notice", "newsletter/1", published, seconds=0), None),
    ]
    for person in range(people):
        begin = 60 + person * 10
        leaves.append((consent(0, person, seconds=begin), person))
        leaves.append((hand_off(0, person, seconds=begin + 120), person))
        leaves.append((hand_off(1, person, seconds=begin + 200), person))
        if random.random() < 0.2:
            leaves.append((consent(1, person, "withdrawn", seconds=begin + 300), person))
    leaves.sort(key=lambda leaf: str(leaf[0]["recorded_at"]))
    return leaves


def content(
    leaves: Sequence[tuple[dict[str, Any], int | None]],
    *,
    shown: set[int] | None = None,
    clear: bool = False,
    earlier: tuple[int, ...] = (),
    signer: Signer = SIGNER,
    period: tuple[str | None, str | None] = (None, None),
) -> Content:
    """Return what a bundle of these leaves is made of; those not in ``shown`` are hidden in hashes."""
    size = len(leaves)
    lines = [canonical(body) for body, _ in leaves]
    hashes = [leaf_hash(line) for line in lines]

    def nodes(level: int, index: int) -> bytes:
        return root(hashes[index << level : (index + 1) << level])

    def records() -> Iterator[Record]:
        for number in range(size) if shown is None else sorted(shown):
            body, person = leaves[number]
            who = None if person is None else token(person)
            yield Record(number, body, lines[number], who, opened(person), bytes(32))

    hidden = () if shown is None else cover(size, sorted(shown))
    signed = root(hashes)
    proofs = [(signer.sign(old, root(hashes[:old])), consistency_proof(old, size, nodes)) for old in earlier]
    query: dict[str, Any] = {"from": None, "to": None, "purposes": [], "people": [], "clear_text": clear}
    query |= {"approval": None, "language": "en", "compare": []}
    return Content(
        software="zhiyin test",
        key=signer.verifier_key,
        old_keys=[],
        size=size,
        root=signed,
        checkpoint=signer.sign(size, signed),
        earlier=proofs,
        query=query,
        time_zone="Asia/Shanghai",
        period=period,
        range=None,
        records=compose.merged(records(), (Hidden(level, index, nodes(level, index)) for level, index in hidden)),
        notices=lambda digests: [(digest, NOTICE) for digest in sorted(digests)],
        extras=lambda files: files.add("accesses.csv", verify.BOM + b"at\r\n", rows=0),
        texts=lambda files, manifest: {"README.txt": b"Read me.\n", "verify.py": Path(verify.__file__).read_bytes()},
        sign=signer.seal,
    )


def root(hashes: list[bytes]) -> bytes:
    fold = Fold()
    for hash_ in hashes:
        fold.add(hash_)
    return fold.root()
