"""An audit bundle from what it is made of: knows its files and their order, and neither Django nor a database.

The verifier (``crm.verify``) works out the same tables from the same records, so both use its ``Account``; what decides
whether a bundle is genuine (hashes, the Merkle tree, signatures) is written twice, here with ``crm.ledger``.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from crm import verify
from crm.audit.archive import Archive, Part, archive, whole_or_not_at_all
from crm.canonical import canonical
from crm.ledger import Fold, leaf_hash

REPORTED = 1000  # records that are hashed and written at once, and then reported


class Record(NamedTuple):
    """One leaf that is shown: its number, its canonical bytes, and whom it is about.

    ``personal`` and ``salt`` open its commitment; they are for bundles in clear text only.
    """

    sequence: int
    body: dict[str, Any]
    leaf: bytes
    person: str | None
    personal: Mapping[str, Any] | None = None
    salt: bytes = b""


class Hidden(NamedTuple):
    """A complete subtree of leaves that are not shown."""

    level: int
    place: int
    hash: bytes


@dataclass(frozen=True, kw_only=True)
class Content:
    """All that a bundle is a function of."""

    software: str
    key: str
    old_keys: list[str]
    size: int
    root: bytes
    checkpoint: str
    earlier: Iterable[tuple[str, list[bytes]]]
    query: dict[str, Any]
    time_zone: str
    period: tuple[str | None, str | None]
    range: tuple[int, int] | None
    records: Iterable[Record | Hidden]
    notices: Callable[[Iterable[str]], Iterable[tuple[str, dict[str, Any]]]]
    extras: Callable[[Archive], None]
    texts: Callable[[Archive, dict[str, Any]], Mapping[str, bytes]]
    sign: Callable[[bytes], bytes]
    progress: Callable[[int], None] = field(default=lambda done: None)


class NotInTheLedger(RuntimeError):
    """What the database holds is not what was signed; nothing can be exported, and the message says what to do."""


def write(path: Path, content: Content) -> dict[str, Any]:
    """Write the bundle, whole or not at all, and return its manifest.

    Raises
    ------
    NotInTheLedger
        The records do not lead to the root that was signed.
    """
    with archive(path) as files:
        counts = _write_records(files, content)
        manifest = _manifest(files, content, counts)
        data = verify.canonical(manifest)
        signature = b64encode(content.sign(verify.SIGNED + data)) + b"\n"
        with whole_or_not_at_all(path) as out:
            files.write(out, {"manifest.json": data, "manifest.sig": signature})
    return manifest


def _write_records(files: Archive, content: Content) -> dict[str, Any]:
    """Write the records, what is worked out from them, and the notices that they name; return the counts."""
    events, proofs = files.part("events.jsonl"), files.part("proofs.jsonl")
    begin, end = content.period
    account = verify.Account(begin, end, lambda name: files.part(name).write)
    fold = Fold()
    for one in _written(content, events, proofs):
        if isinstance(one, Hidden):
            fold.add(one.hash, one.level)
        else:
            account.add(one.sequence, one.body, one.person)
            fold.add(leaf_hash(one.leaf))
    if (fold.size, fold.root()) != (content.size, content.root):
        raise NotInTheLedger(
            "The records do not lead to the root that was signed; `manage.py ledger fsck` says which were changed."
        )
    counts = account.finish()
    for name, rows in counts.pop("rows").items():
        files.parts[name].rows = rows
    for digest, notice in content.notices(account.notices):
        for name, data in verify.notice_files(digest, notice).items():
            files.add(name, data)
    return counts


def _written(content: Content, events: Part, proofs: Part) -> Iterator[Record | Hidden]:
    """Yield all records and hidden subtrees on their way into their files; a file takes many lines at once."""
    clear, count, nodes = bool(content.query["clear_text"]), 0, 0
    lines: list[bytes] = []
    for one in content.records:
        yield one
        if isinstance(one, Hidden):
            proofs.write(_line({"hash": one.hash.hex(), "index": one.place, "level": one.level}))
            nodes += 1
            continue
        lines.append(_shown(one, clear=clear))
        count += 1
        if count % REPORTED == 0:
            events.write(b"".join(lines))
            lines.clear()
            content.progress(count)
    events.write(b"".join(lines))
    if lines:
        content.progress(count)
    events.rows, proofs.rows = count, nodes


def _shown(record: Record, *, clear: bool) -> bytes:
    """Return the record's line: the leaf byte for byte, and beside it what is not in the ledger."""
    person = b"null" if record.person is None else b'"%b"' % record.person.encode()
    opened = b""
    if clear and record.person is not None:
        personal = canonical(record.personal or {})
        opened = b',"personal":%b,"salt":"%b"' % (personal, record.salt.hex().encode())
    return b'{"body":%b,"person":%b%b,"sequence":%d}\n' % (record.leaf, person, opened, record.sequence)


def _manifest(files: Archive, content: Content, counts: dict[str, Any]) -> dict[str, Any]:
    checkpoints = files.part("checkpoints.jsonl")
    checkpoints.rows = _count(checkpoints, content.earlier)
    files.add("checkpoint.txt", content.checkpoint.encode())
    content.extras(files)
    manifest: dict[str, Any] = {
        "schema": verify.BUNDLE,
        "limits": list(verify.LIMITS),
        "software": content.software,
        "key": content.key,
        "old_keys": content.old_keys,
        "tree": {"size": content.size, "root": content.root.hex()},
        "range": list(content.range) if content.range else None,
        "query": content.query,
        "time_zone": content.time_zone,
        "period": list(content.period),
        "counts": counts,
    }
    for name, data in content.texts(files, manifest).items():
        files.add(name, data)
    return manifest | {"files": files.entries()}


def _count(part: Part, earlier: Iterable[tuple[str, list[bytes]]]) -> int:
    rows = 0
    for note, proof in earlier:
        part.write(_line({"note": note, "proof": [step.hex() for step in proof]}))
        rows += 1
    return rows


def _line(value: dict[str, Any]) -> bytes:
    return verify.canonical(value) + b"\n"


def merged(records: Iterator[Record], hidden: Iterator[Hidden]) -> Iterator[Record | Hidden]:
    """Yield what is shown and what is hidden in the order of the leaves."""
    node = next(hidden, None)
    for record in records:
        while node is not None and node.place << node.level < record.sequence:
            yield node
            node = next(hidden, None)
        yield record
    if node is not None:
        yield node
        yield from hidden
