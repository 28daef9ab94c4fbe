#!/usr/bin/env python3
"""Check an audit bundle of Zhiyin without trusting, or needing, those who made it.

    python verify.py bundle.zip [--checkpoint cp.txt] [--key KEY]

It says OK and what was proven, or names the first thing that is wrong. This one file needs Python 3.9 or newer and
nothing else: no other package, no network, no database. That is why it is longer than our other modules, and why it has
its own Ed25519, Merkle tree and ZIP reader. It believes no number that it can work out itself: every byte of the ZIP is
either hashed against the signed manifest or derived anew and compared, the tables and the join of sends with consent
included. Memory is bounded: what must be sorted is sorted in temporary files.

What it cannot prove is said at the end of its answer. Exit code: 0 genuine, 1 not genuine, 2 could not be read.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import heapq
import hmac
import io
import json
import os
import re
import struct
import sys
import tempfile
import zlib
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, BinaryIO, NamedTuple

BUNDLE = "zhiyin/bundle/1"
LEAF = "zhiyin/leaf/1"
SIGNED = b"zhiyin/bundle manifest\n"  # stands before what is signed, so that nothing else signed can pass as a manifest
LONGEST_LINE = 1 << 20
LARGEST_MANIFEST = 1 << 26
LONGEST_WRITE = timedelta(minutes=10)  # a transaction that takes longer is worth a look
MOST_SAID = 200  # answers of one person on one purpose and channel that are remembered
MOST_WORDS = 1 << 16  # different purposes, channels, bases in one bundle
PROMISED = timedelta(seconds=60)  # within which a withdrawal stops every channel
CLOCKS_DIFFER = timedelta(seconds=60)  # a refusal counts from up to so much later than it claims, to win over a grant


class Rejected(Exception):
    """The bundle is not genuine; the message names the first thing that is wrong."""


# --- Ed25519 (RFC 8032), strict: canonical encodings only, S below the group's order, no keys of small order

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # extended coordinates x, y, z, t
NEUTRAL = (0, 1, 1, 0)


def _sum(p: Point, q: Point) -> Point:
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _twice(p: Point) -> Point:
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    h = a + b
    e, g = h - (p[0] + p[1]) ** 2 % P, a - b
    f = c + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def _combined(s: int, p: Point, h: int, q: Point) -> Point:
    """Return s times p plus h times q, in one go (Shamir's trick)."""
    choices = (NEUTRAL, p, q, _sum(p, q))
    total = NEUTRAL
    for bit in range(max(s.bit_length(), h.bit_length()) - 1, -1, -1):
        total = _twice(total)
        chosen = (s >> bit & 1) | (h >> bit & 1) << 1
        if chosen:
            total = _sum(total, choices[chosen])
    return total


def _point(encoded: bytes) -> Point | None:
    """Return the point, or None where the encoding is not the one canonical encoding of a point."""
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def _encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return int(y | (x & 1) << 255).to_bytes(32, "little")


GENERATOR = _point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")) or NEUTRAL


def is_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` (64 bytes) of ``message`` is by the holder of ``public`` (32 bytes)."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, s = _point(public), int.from_bytes(signature[32:], "little")
    if key is None or s >= ORDER or _encoded(_twice(_twice(_twice(key)))) == _encoded(NEUTRAL):
        return False
    challenge = hashlib.sha512(signature[:32] + public + message).digest()
    h = int.from_bytes(challenge, "little") % ORDER
    minus_key = (P - key[0], key[1], key[2], P - key[3])
    return _encoded(_combined(s, GENERATOR, h, minus_key)) == signature[:32]


# --- the Merkle tree (RFC 9162)


def leaf_hash(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


class Fold:
    """The tree from left to right in O(log n) memory: leaves shown, and roots of subtrees that are not shown."""

    def __init__(self) -> None:
        self.size = 0
        self.stack: list[tuple[int, bytes, bool]] = []

    def add(self, hash_: bytes, level: int, hidden: bool) -> None:
        stack = self.stack
        if stack and stack[-1][0] < level:
            raise Rejected(f"proofs.jsonl: a subtree of 2^{level} records cannot begin at record {self.size}")
        self.size += 1 << level
        while stack and stack[-1][0] == level:
            _, left, left_hidden = stack.pop()
            if hidden and left_hidden:
                raise Rejected(
                    f"proofs.jsonl: the hidden records before {self.size} are not given by the fewest hashes"
                )
            hash_, level, hidden = node_hash(left, hash_), level + 1, False
        stack.append((level, hash_, hidden))

    def root(self) -> bytes:
        if not self.stack:
            return hashlib.sha256(b"").digest()
        root = self.stack[-1][1]
        for _, left, _ in reversed(self.stack[:-1]):
            root = node_hash(left, root)
        return root


def is_beginning(size1: int, root1: bytes, size2: int, root2: bytes, proof: list[bytes]) -> bool:
    """Return whether the proof shows that the tree of ``size2`` only adds to that of ``size1`` (RFC 9162 2.1.4.2)."""
    if not 0 < size1 <= size2:
        return False
    if size1 == size2:
        return not proof and root1 == root2
    roots = _roots(size1 - 1, size2 - 1, root1, proof) if proof else None
    return roots == (root1, root2)


def _roots(place: int, last: int, root1: bytes, proof: list[bytes]) -> tuple[bytes, bytes] | None:
    """Return the two roots that a consistency proof leads to, if it has the right length."""
    while place & 1:
        place, last = place >> 1, last >> 1
    older, *steps = proof if place else [root1, *proof]
    newer = older
    for step in steps:
        if not last:
            return None
        if place & 1 or place == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        place, last = place >> 1, last >> 1
    return None if last else (older, newer)


# --- keys and signed checkpoints (C2SP signed notes)

NOTE = re.compile(
    r"((?P<origin>[^\s+]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n)\n"
    r"((?:\u2014 [^\s+]+ [A-Za-z0-9+/]+={0,2}\n)+)"
)


class Key(NamedTuple):
    """A public key and the name that it signs for."""

    origin: str
    public: bytes

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.origin.encode() + b"\n\x01" + self.public).digest()[:4]

    @property
    def fingerprint(self) -> str:
        """What people compare: the SHA-256 of the 32 bytes of the key, in groups of four digits."""
        digest = hashlib.sha256(self.public).hexdigest()
        return " ".join(digest[start : start + 4] for start in range(0, 64, 4))

    def __str__(self) -> str:
        typed = base64.b64encode(b"\x01" + self.public).decode()
        return f"{self.origin}+{self.id.hex()}+{typed}"


class Checkpoint(NamedTuple):
    """What a signed note says: so many records, this root."""

    origin: str
    size: int
    root: bytes


def key_of(text: str) -> Key:
    """Read a verifier key: ``origin+id+base64``."""
    origin, _, rest = text.strip().partition("+")
    id_, _, typed = rest.partition("+")
    public = unbase64(typed, "a key")
    key = Key(origin, public[1:])
    if len(public) != 33 or public[:1] != b"\x01" or str(key) != f"{origin}+{id_}+{typed}":
        raise Rejected(f"{text[:100]!r} is not a verifier key")
    return key


def checkpoint_of(note: str, keys: Iterable[Key], where: str) -> Checkpoint:
    """Return what a signed note says, once one of the keys is found to have signed it."""
    found = NOTE.fullmatch(note) if len(note) <= 10_000 else None
    if found is None:
        raise Rejected(f"{where}: this is not a signed checkpoint")
    signed = False
    for line in found[5].splitlines():
        _, origin, text = line.split(" ")
        signature = unbase64(text, where)
        for key in keys:
            if (origin, signature[:4]) == (key.origin, key.id) and origin == found["origin"]:
                if not is_signature(key.public, found[1].encode(), signature[4:]):
                    raise Rejected(f"{where}: the signature is wrong")
                signed = True
    if not signed:
        raise Rejected(f"{where}: it is not signed with the key of this bundle")
    return Checkpoint(found["origin"], int(found["size"]), unbase64(found["root"], where))


def unbase64(text: str, where: str) -> bytes:
    """Decode base64 that is written in the one canonical way."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        raise Rejected(f"{where}: {text[:60]!r} is not base64") from None
    if base64.b64encode(decoded).decode() != text:
        raise Rejected(f"{where}: {text[:60]!r} is not canonical base64")
    return decoded


# --- canonical JSON (RFC 8785, without fractions)


def _no_fraction(text: str) -> Any:
    raise ValueError(f"the number {text[:40]} is not whole")


_decode = json.JSONDecoder(parse_float=_no_fraction, parse_constant=_no_fraction).decode
_PLAIN: dict[str, Any] = {"ensure_ascii": False, "separators": (",", ":"), "allow_nan": False}
_encode = json.JSONEncoder(sort_keys=True, **_PLAIN).encode
_encode_as_given = json.JSONEncoder(**_PLAIN).encode


def canonical(value: Any) -> bytes:
    text = _encode(value)
    return text.encode() if text.isascii() else _encode_as_given(_in_order(value)).encode()


def _in_order(value: Any) -> Any:
    """Sort keys as the RFC does, by UTF-16: there a sign beyond U+FFFF comes before the last ones up to it."""
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value, key=lambda name: name.encode("utf-16-be"))}
    return [_in_order(one) for one in value] if isinstance(value, (list, tuple)) else value


def parsed(data: bytes, where: str) -> Any:
    """Parse JSON that is written in the one canonical way; so two readers can never read it differently."""
    try:
        value = _decode(data.decode())
        same = canonical(value) == data
    except (ValueError, RecursionError) as error:
        raise Rejected(f"{where}: not JSON ({str(error)[:80]})") from None
    if not same:
        raise Rejected(f"{where}: not canonical JSON")
    return value


# --- the container: a ZIP of which every byte follows from names, contents and order

FULL = 0xFFFFFFFF
DATE = 0x0021  # 1 January 1980, the first day that a ZIP knows


def local_header(name: str, crc: int, size: int) -> bytes:
    """Return the bytes before a stored member's contents; ZIP64 where, and only where, the size needs it."""
    large = size >= FULL
    extra = struct.pack("<HHQQ", 1, 16, size, size) if large else b""
    shown = FULL if large else size
    fields = (b"PK\3\4", 45 if large else 20, 0, 0, 0, DATE, crc, shown, shown, len(name), len(extra))
    return struct.pack("<4s5H3I2H", *fields) + name.encode("ascii") + extra


def directory_entry(name: str, crc: int, size: int, offset: int) -> bytes:
    """Return a member's entry in the central directory."""
    sizes = (size, size) if size >= FULL else ()
    places = (offset,) if offset >= FULL else ()
    large = sizes + places
    extra = struct.pack(f"<HH{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    needed, shown = 45 if large else 20, min(size, FULL)
    fields = (b"PK\1\2", 3 << 8 | needed, needed, 0, 0, 0, DATE, crc, shown, shown, len(name), len(extra))
    ends = (0, 0, 0, 0o100644 << 16, min(offset, FULL))
    return struct.pack("<4s6H3I5H2I", *fields, *ends) + name.encode("ascii") + extra


def directory_end(count: int, size: int, offset: int) -> bytes:
    """Return the bytes after the last entry of the central directory."""
    end = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, min(count, 0xFFFF), min(count, 0xFFFF), min(size, FULL), min(offset, FULL), 0
    )
    if count < 0xFFFF and size < FULL and offset < FULL:
        return end
    whole = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, count, count, size, offset)
    return whole + struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1) + end


class Member(NamedTuple):
    """A file in the bundle: where its contents begin, and how long they are."""

    name: str
    start: int
    size: int


class Container:
    """Reads a bundle's files; after :meth:`check` every byte of the ZIP is accounted for."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.file: BinaryIO = open(path, "rb")  # noqa: SIM115
        self.length = self.file.seek(0, os.SEEK_END)
        self.members: dict[str, Member] = {}
        self.entries = bytearray()
        self.end = 0

    def first(self, name: str, largest: int) -> bytes:
        """Read the next file whole, believing its header's size only as far as the file goes."""
        start = self.end + len(local_header(name, 0, 0))
        self.file.seek(self.end)
        header = self.file.read(start - self.end)
        size = struct.unpack_from("<I", header, 18)[0] if len(header) == start - self.end else FULL
        if size > min(largest, self.length - start):
            raise Rejected(f"the ZIP does not begin with {name}, or is cut off")
        data = self.file.read(size)
        self._account(name, zlib.crc32(data), size)
        return data

    def check(self, name: str, size: int, sha256: str, sm3: str) -> None:
        """Hash the next file against what the manifest says of it."""
        start = self.end + len(local_header(name, 0, size))
        if start + size > self.length:
            raise Rejected(f"{name}: cut off")
        self.file.seek(start)
        crc, hashes = 0, [hashlib.new(kind) for kind in (("sha256", "sm3") if has_sm3() else ("sha256",))]
        left = size
        while left:
            chunk = self.file.read(min(left, 1 << 20))
            if not chunk:
                raise Rejected(f"{name}: cut off")
            left -= len(chunk)
            crc = zlib.crc32(chunk, crc)
            for hash_ in hashes:
                hash_.update(chunk)
        if [hash_.hexdigest() for hash_ in hashes] != [sha256, sm3][: len(hashes)]:
            raise Rejected(f"{name}: its contents are not what the manifest says (SHA-256 or SM3 differs)")
        self._account(name, crc, size)

    def _account(self, name: str, crc: int, size: int) -> None:
        header = local_header(name, crc, size)
        self.file.seek(self.end)
        if self.file.read(len(header)) != header:
            raise Rejected(f"{name}: the ZIP header before it was changed")
        if name in self.members:
            raise Rejected(f"{name}: it is in the bundle twice")
        self.entries += directory_entry(name, crc, size, self.end)
        self.members[name] = Member(name, self.end + len(header), size)
        self.end += len(header) + size

    def finish(self) -> None:
        """Compare the central directory, and see that nothing follows it."""
        wanted = self.entries + directory_end(len(self.members), len(self.entries), self.end)
        self.file.seek(self.end)
        if self.file.read(len(wanted) + 1) != wanted:
            raise Rejected("the ZIP's directory was changed, cut off or added to")

    def read(self, name: str) -> bytes:
        member = self.members[name]
        if member.size > LARGEST_MANIFEST:
            raise Rejected(f"{name}: too large")
        self.file.seek(member.start)
        return self.file.read(member.size)

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file without their line ends; several files may be read at the same time."""
        member = self.members[name]
        left = member.size
        with open(self.path, "rb", buffering=1 << 18) as file:
            file.seek(member.start)
            while left:
                line = file.readline(min(left, LONGEST_LINE))
                if line[-1:] != b"\n":
                    raise Rejected(f"{name}: a line is too long, or the last one is cut off")
                left -= len(line)
                yield line[:-1]


def has_sm3() -> bool:
    """Return whether this Python's OpenSSL knows SM3; where not, SHA-256 and the signature have to do."""
    return "sm3" in hashlib.algorithms_available


# --- tables: what people read, worked out from what is proven

BOM = b"\xef\xbb\xbf"  # so that Excel reads UTF-8
FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
SUSPECT = re.compile(r'["\r\n\t]|(?:^|,)\s*[=+\-@\uff1d\uff0b\uff0d\uff20]')

CONSENT = (
    *("id", "recorded_at", "event_state", "purpose", "channel", "channel_account", "consent_kind", "legal_basis"),
    *("notice", "notice_hash", "rendered_hash", "language", "form_version", "collection_method", "jurisdiction"),
    *("recipient", "pia_id", "adm_optout", "event_time", "received_time", "valid_until", "ask_cooldown_until"),
    *("source", "source_import_batch", "thread"),
)
HAND_OFF = ("id", "recorded_at", "handed_off_at", "delivery", "purpose", "channel", "basis", "allowed_by")
NOTE_FIELDS = ("id", "recorded_at", "kind", "happened_at", "reference", "facts")
VIOLATION = ("delivery", "handed_off_at", "purpose", "channel", "basis", "allowed_by", "reason", "event", "since")
TABLES = {
    "events.csv": ("sequence", "person", *CONSENT),
    "sends.csv": ("sequence", "person", *HAND_OFF),
    "sends_violations.csv": ("sequence", "person", *VIOLATION),
    "findings.csv": ("sequence", "person", "event", "finding"),
    "disclosures.csv": ("sequence", "person", *NOTE_FIELDS),
    "requests.csv": ("sequence", "person", *NOTE_FIELDS),
    "notes.csv": ("sequence", "person", *NOTE_FIELDS),
}
NOTES = {"disclosure": "disclosures.csv", "request": "requests.csv", "erasure": "requests.csv"}


def text_of(value: Any) -> str:
    if value is None:
        return ""
    return str(value) if type(value) is int else _encode(value)


def cell(text: str) -> str:
    """Return a text as a CSV cell that no spreadsheet takes for a formula, in half width or full."""
    text = "'" + text if FORMULA.match(text) else text
    return '"' + text.replace('"', '""') + '"' if set(text) & set('",\r\n') else text


def csv_row(values: Iterable[Any]) -> str:
    """Return the values as a line of CSV; one look at the whole line tells that most need no quotes."""
    texts = [value if type(value) is str else text_of(value) for value in values]
    line = ",".join(texts)
    if line.count(",") == len(texts) - 1 and (_is_plain(line) or SUSPECT.search(line) is None):
        return line + "\r\n"
    return ",".join(map(cell, texts)) + "\r\n"


def _is_plain(line: str) -> bool:
    """Tell of most lines that they need no quotes; what it does not know is searched through, four times as slow."""
    plain = line.isascii() and line.isprintable() and '"' not in line and line[:1].isalnum()
    return plain and not any(sign in line for sign in (",=", ",+", ",-", ",@", ", "))


class Table:
    """One CSV file on its way to a sink: a file, or the hash that it is compared by."""

    def __init__(self, columns: Iterable[str], write: Callable[[bytes], Any]) -> None:
        self.write, self.rows, self.waiting = write, 0, [csv_row(columns)]
        write(BOM)

    def add(self, values: Iterable[Any]) -> None:
        self.rows += 1
        self.waiting.append(csv_row(values))
        if len(self.waiting) > 500:
            self.flush()

    def flush(self) -> None:
        self.write("".join(self.waiting).encode())
        self.waiting.clear()


class Sorter:
    """Sorts any number of records of the same length in bounded memory, by way of one temporary file."""

    CHUNK, BLOCK = 100_000, 1000  # records in a sorted run, and read of one at a time

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.file: BinaryIO | None = None  # one for all runs: systems allow few open files
        self.runs: list[tuple[int, int]] = []

    def add(self, record: bytes) -> None:
        self.records.append(record)
        if len(self.records) >= self.CHUNK:
            self._spill()

    def _spill(self) -> None:
        if self.file is None:
            self.file = tempfile.TemporaryFile()  # noqa: SIM115
        self.records.sort()
        begin, self.width = self.file.tell(), len(self.records[0])
        self.file.write(b"".join(self.records))
        self.runs.append((begin, self.file.tell()))
        self.records = []

    def __iter__(self) -> Iterator[bytes]:
        self.records.sort()
        if self.file is None:
            yield from self.records
            return
        with self.file as file:
            yield from heapq.merge(self.records, *(self._read(file, *run) for run in self.runs))

    def _read(self, file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
        width = self.width
        while begin < end:
            file.seek(begin)
            block = file.read(min(width * self.BLOCK, end - begin))
            begin += len(block)
            for start in range(0, len(block), width):
                yield block[start : start + width]


# --- sends against consent: the same rules as the sender's, worked out again from the records alone

QUESTIONS = frozenset({"requested", "deferred"})
GRANTS = frozenset({"given", "renewed"})
REFUSALS = frozenset({"refused", "withdrawn", "revoked", "invalidated"})
STATES = ("", *sorted(QUESTIONS | GRANTS | REFUSALS | {"expired"}))
DPV = {
    "ConsentRequested": "requested",
    "ConsentRequestDeferred": "deferred",
    "ConsentGiven": "given",
    "RenewedConsentGiven": "renewed",
    "ConsentRefused": "refused",
    "ConsentWithdrawn": "withdrawn",
    "ConsentRevoked": "revoked",
    "ConsentInvalidated": "invalidated",
    "ConsentExpired": "expired",
}
# Ways in which a person consents by an act of her own: only such a consent counts against a suppression before it.
OWN_ACTS = frozenset(
    {"preference_centre", "form", "mini_program", "api", "double_opt_in", "sms_reply", "phone_call", "paper"}
)
HINDRANCES = ("age", "suppression")
ENDS_NOTED = timedelta(days=2)  # that one has ended is noted by a job: it counts from so long before
NO_CHOICE = frozenset({"legal_obligation", "vital_interest", "public_interest"})  # one cannot object to these
REASONS = (
    *("", "no_consent", "unknown_event", "not_a_grant", "other_purpose", "other_channel", "other_person"),
    *("recorded_later", "received_later", "refused", "withdrawn", "revoked", "invalidated", "expired"),
    *("stale_notice", "wrong_basis", "minor", "suppressed"),
)
FINDINGS = ("asked_again", "not_separate", "split_thread", "late_record", "backdated")
NEVER = b"~" * 27  # sorts after every time
TIME = re.compile(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z")

# Records of the sorts below: all of one sort have one length, and begin with what they are sorted by.
_GRANT = struct.Struct(">16sB16s16sHHBQ27s")  # id, 0, person, thread, purpose, channel, state, number, received
_FOLLOWS = struct.Struct(">16sB16sQH46x")  # thread, 1 (3: only named with it), person, number, purpose
_SEND = struct.Struct(">16sB16sHHBQ27s16s")  # allowed by, 2, person, purpose, channel, basis, number, time, delivery
_SAID = struct.Struct(">16sH27sBH16s27s27s27s27s16sHB??Q")  # person or thread, purpose, time, 0, channel, id, …
_SENT = struct.Struct(">16sH27sBHB16s16s16sBQ95x")  # person or thread, purpose, time, 1, channel, basis, …
_HINDERED = struct.Struct(">16sH27sBH16s16sB?27sQ84x")  # person or thread, purpose, time, 2, channel, chain, id, …
_VIOLATION = struct.Struct(">Q16s16s27sHHB16sB16s27s")
_FINDING = struct.Struct(">Q16s16sB")
NOBODY = bytes(16)


class Words:
    """Numbers for words that recur."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {"": 0}
        self.words = [""]

    def __call__(self, word: str | None) -> int:
        word = word or ""
        number = self.numbers.get(word)
        if number is None:
            if len(self.words) >= MOST_WORDS or not isinstance(word, str):
                raise ValueError("too many different words")
            number = self.numbers[word] = len(self.words)
            self.words.append(word)
        return number


def moment(text: str | None) -> bytes:
    """Return a time as bytes that sort; none is after all others."""
    if text is None:
        return NEVER
    if TIME.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is no time")
    return text.encode()


def identity(text: str) -> bytes:
    """Return the 16 bytes of a UUID or of a person's token."""
    raw = bytes.fromhex(text.replace("-", ""))
    if len(raw) != 16:
        raise ValueError(f"{text[:60]!r} is no identity")
    return raw


def uuid_text(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}" if any(raw) else ""


def later(time: bytes, by: timedelta) -> bytes:
    moved = datetime.fromisoformat(time.decode()[:-1]) + by
    return moved.isoformat(timespec="microseconds").encode() + b"Z"


def between(time: bytes, end: bytes) -> timedelta:
    return datetime.fromisoformat(end.decode()[:-1]) - datetime.fromisoformat(time.decode()[:-1])


class Said(NamedTuple):
    """What counts of what a person said on one purpose and channel; the greatest does."""

    is_answer: bool
    counts_from: bytes
    is_refusal: bool
    event: bytes
    state: str
    claimed: bytes
    valid_until: bytes
    notice: str
    is_general: bool
    sequence: int
    is_own_act: bool


class Hindrance(NamedTuple):
    """What forbids sends to a person whatever she said; it stands until its chain of notes says otherwise."""

    kind: str
    channel: int
    event: bytes
    since: bytes


class Join:
    """Every send against what its person had said by then; keeps nothing but what two sorts need."""

    def __init__(self, begin: str | None, end: str | None) -> None:
        self.begin, self.end = begin or "", end or "~"
        self.words, self.events, self.groups = Words(), Sorter(), Sorter()
        self.violated, self.found = Sorter(), Sorter()
        self.purposes: dict[str, list[tuple[str, str, bool, str]]] = {}  # code: when, legal basis, separate, kind
        self.hindrances, self.sent_for = Sorter(), set[int]()  # of persons who are known; the purposes of sends
        self.material: dict[str, dict[str, list[tuple[str, int]]]] = {}  # purpose: notice: when, version
        self.counts = {"sends": 0, "violations": 0, "findings": 0, "in_flight": 0}
        self.allowed: dict[str, int] = {}
        self.latest = ""

    # what the records say

    def note(self, sequence: int, body: dict[str, Any], person: str | None) -> None:
        facts, at = body["facts"], body["happened_at"]
        if body["kind"] in HINDRANCES:
            self._hinder(sequence, body, identity(person) if person else NOBODY)
        elif body["kind"] == "purpose":
            known = self.purposes.setdefault(body["reference"], [])
            insort(known, (at, facts["basis"], bool(facts["separate"]), str(facts.get("kind", ""))))
        elif body["kind"] == "notice" and facts["material"]:
            code, _, version = body["reference"].rpartition("/")
            for purpose in facts["purposes"]:
                insort(self.material.setdefault(purpose, {}).setdefault(code, []), (at, int(version)))

    def _hinder(self, sequence: int, body: dict[str, Any], who: bytes) -> None:
        """Take in that something stands against sends to a person, or no more."""
        id_, facts, at = identity(body["id"]), body["facts"], moment(body["happened_at"])
        self._check_clock(sequence, id_, who, body["recorded_at"])
        stands = bool(facts["stands"])
        effective = later(at, PROMISED if stands else -ENDS_NOTED)
        since = moment(facts["since"]) if body["kind"] == "suppression" else at
        number, channel = HINDRANCES.index(body["kind"]), self.words(facts.get("channel", ""))
        told = (channel, identity(body["reference"]), id_, number, stands, since, sequence)
        for purpose, text in facts["threads"]:
            thread = identity(text)
            self.events.add(_FOLLOWS.pack(thread, 3, who, sequence, 0))
            if who == NOBODY:
                self.groups.add(_HINDERED.pack(thread, self.words(purpose), effective, 2, *told))
        if who != NOBODY:
            self.hindrances.add(_HINDERED.pack(who, 0, effective, 2, *told))

    def consent(self, sequence: int, body: dict[str, Any], person: str | None) -> None:
        id_, thread = identity(body["id"]), identity(body["thread"])
        who = identity(person) if person else NOBODY
        purpose, channel, state = self.words(body["purpose"]), self.words(body["channel"]), DPV[body["event_state"]]
        received, claimed = moment(body["received_time"]), moment(body["event_time"])
        counts_from, number = min(claimed, received), STATES.index(state)
        if state in REFUSALS:
            counts_from = min(received, later(claimed, CLOCKS_DIFFER))
            # A send that was committed while the withdrawal was written down is no violation, for a minute at most.
            effective = min(max(moment(body["recorded_at"]), received), later(received, PROMISED))
        else:
            effective = later(received, -CLOCKS_DIFFER)  # its place in the ledger tells that it came before a send
        self._check_clock(sequence, id_, who, body["recorded_at"])
        self.events.add(_GRANT.pack(id_, 0, who, thread, purpose, channel, number, sequence, received))
        if thread != id_:
            self.events.add(_FOLLOWS.pack(thread, 1, who, sequence, purpose))
        general = body["consent_kind"] == "general"
        if general and state in GRANTS and self._declared(body["purpose"], body["received_time"])[1]:
            self._find(sequence, id_, who, "not_separate")
        asked = received if state in REFUSALS else claimed
        times = (counts_from, asked, moment(body["valid_until"]), moment(body["ask_cooldown_until"]))
        own_act = body["collection_method"] in OWN_ACTS
        said = (channel, id_, *times, who, self.words(body["notice"]), number, general, own_act, sequence)
        self.groups.add(_SAID.pack(thread if who == NOBODY else who, purpose, effective, 0, *said))

    def hand_off(self, sequence: int, body: dict[str, Any], person: str | None) -> None:
        if not self.begin <= body["handed_off_at"] < self.end:
            return
        self.counts["sends"] += 1
        who, time = identity(person) if person else NOBODY, moment(body["handed_off_at"])
        self._check_clock(sequence, identity(body["id"]), who, body["recorded_at"])
        if between(time, moment(body["recorded_at"])) > PROMISED:
            self._find(sequence, identity(body["id"]), who, "late_record")
        purpose, channel = self.words(body["purpose"]), self.words(body["channel"])
        basis, delivery = self.words(body["basis"]), identity(body["delivery"])
        self.sent_for.add(purpose)
        if body["allowed_by"] is not None:
            named = (who, purpose, channel, basis, sequence, time, delivery)
            self.events.add(_SEND.pack(identity(body["allowed_by"]), 2, *named))
            return
        reason = "no_consent" if body["basis"] == "consent" else ""
        sent = (channel, basis, delivery, NOBODY, who, REASONS.index(reason), sequence)
        self.groups.add(_SENT.pack(who, purpose, time, 1, *sent))

    # what follows from it

    def finish(self, violations: Table, findings: Table) -> None:
        """Sort by event, then by person and purpose; list what is wrong in the order of the ledger."""
        for record in self.hindrances:  # a person's on every purpose
            for purpose in self.sent_for:
                self.groups.add(record[:16] + purpose.to_bytes(2, "big") + record[18:])
        self._resolve()
        self._judge()
        for record in self.violated:
            sequence, delivery, who, time, *words, allowed, reason, event, since = _VIOLATION.unpack(record)
            words = [self.words.words[number] for number in words]
            found = (uuid_text(allowed), REASONS[reason], uuid_text(event), since.decode().strip("~"))
            violations.add((sequence, token(who), uuid_text(delivery), time.decode(), *words, *found))
        for record in self.found:
            sequence, event, who, finding = _FINDING.unpack(record)
            findings.add((sequence, token(who), uuid_text(event), FINDINGS[finding]))
        self.counts["violations"], self.counts["findings"] = violations.rows, findings.rows

    def _resolve(self) -> None:
        """Look up the event that each send names, and the event that began each thread."""
        id_, grant = b"", None
        for record in self.events:
            if record[16] == 0:
                if record[:16] == id_:
                    raise ValueError(f"two events are called {uuid_text(id_)}")
                id_, grant = record[:16], _GRANT.unpack(record)
            elif record[16] != 2:
                self._check_thread(record, grant if record[:16] == id_ else None)
            else:
                allowed, _, who, purpose, channel, basis, sequence, time, delivery = _SEND.unpack(record)
                known = grant if allowed == id_ else None
                reason = self._misnamed(known, who, purpose, channel, sequence, time)
                group = known[3] if known and who == NOBODY else who
                told = (channel, basis, delivery, allowed, who, REASONS.index(reason), sequence)
                self.groups.add(_SENT.pack(group, purpose, time, 1, *told))

    def _check_thread(self, record: bytes, grant: Any) -> None:
        """See that who goes on from an event, or is named with its thread, is whose it was."""
        first, tag, who, sequence, purpose = _FOLLOWS.unpack(record)
        if tag == 1 and (grant is None or grant[4] != purpose):
            raise ValueError(f"the record {sequence} goes on from an event that is not in the bundle")
        if grant is not None and grant[2] != who:
            self._find(sequence, first, who, "split_thread")

    @staticmethod
    def _misnamed(grant: Any, who: bytes, purpose: int, channel: int, sequence: int, time: bytes) -> str:
        """Say what is wrong with the event that a send names, looked at by itself."""
        if grant is None:
            return "unknown_event"
        checks = (
            ("not_a_grant", STATES[grant[6]] in GRANTS),
            ("other_purpose", grant[4] == purpose),
            ("other_channel", grant[5] in (0, channel)),
            ("other_person", grant[2] == who),
            ("recorded_later", grant[7] < sequence),  # whatever time it claims: an event put in afterwards comes after
            ("received_later", grant[8] <= time or grant[8] <= later(time, CLOCKS_DIFFER)),
        )
        return next((reason for reason, holds in checks if not holds), "")

    def _judge(self) -> None:
        """Go through each person's sayings and sends on a purpose in the order in which they took effect."""
        group = b""
        held: dict[int, list[Said]] = {}
        cooling: dict[int, bytes] = {}
        standing: dict[bytes, Hindrance] = {}
        recent: deque[bytes] = deque(maxlen=1000)
        for record in self.groups:
            if record[:18] != group:
                group, held, cooling, standing = record[:18], {}, {}, {}
                recent.clear()
            if record[45] == 1:
                self._judge_send(record, held, standing)
                recent.append(record[18:45])
            elif record[45] == 2:
                *_, channel, chain, id_, kind, stands, since, _ = _HINDERED.unpack(record)
                standing.pop(chain, None)
                if stands:
                    standing[chain] = Hindrance(HINDRANCES[kind], channel, id_, since)
            else:
                self._hear(_SAID.unpack(record), held, cooling, recent)

    def _hear(self, said: Any, held: Any, cooling: dict[int, bytes], recent: Iterable[bytes]) -> None:
        """Take in what a person said."""
        _, _, _, _, channel, id_, counts, asked, valid, cool, who, notice, state, general, own, sequence = said
        name = STATES[state]
        words = (self.words.words[notice], general, sequence, own)
        insort(
            held.setdefault(channel, []),
            Said(name not in QUESTIONS, counts, name in REFUSALS, id_, name, asked, valid, *words),
        )
        del held[channel][:-MOST_SAID]
        if name in REFUSALS:
            cooling[channel] = max(cooling.get(channel, b""), b"" if cool == NEVER else cool)
            self.counts["in_flight"] += sum(time >= asked for time in recent)
        elif name in GRANTS:
            cooling.pop(channel, None)
        elif name == "requested" and asked < max(cooling.get(channel, b""), cooling.get(0, b"")):
            self._find(sequence, id_, who, "asked_again")

    def _judge_send(self, record: bytes, held: dict[int, list[Said]], standing: dict[bytes, Hindrance]) -> None:
        _, purpose, time, _, channel, basis, delivery, allowed, who, number, sequence = _SENT.unpack(record)
        words = self.words.words
        reason, since = REASONS[number], [NOBODY, NEVER]
        if not reason:
            own = _counting(held.get(channel, ()), sequence) if channel else None
            every = _counting(held.get(0, ()), sequence)
            reason, said = self._refused(words[purpose], words[basis], time, own, every)
            since = [said.event, said.counts_from] if said else since
            if not reason and standing and self._declared(words[purpose], time.decode())[2] in ("", "marketing"):
                grants = [one for one in (own, every) if one and words[basis] == "consent"]
                reason, *since = _hindered(standing.values(), channel, grants)
        if not reason:
            self.allowed[words[basis]] = self.allowed.get(words[basis], 0) + 1
            return
        told = (delivery, who, time, purpose, channel, basis, allowed, REASONS.index(reason), *since)
        self.violated.add(_VIOLATION.pack(sequence, *told))

    def _refused(
        self, purpose: str, basis: str, time: bytes, own: Said | None, every: Said | None
    ) -> tuple[str, Said | None]:
        """Return why this must not have been sent, and by which event; nothing where it was allowed."""
        declared, separate, _ = self._declared(purpose, time.decode())
        if declared and declared != basis:
            return "wrong_basis", None
        no = None if basis in NO_CHOICE else self._standing(own, every)
        if no is not None:
            return no.state, no
        if basis != "consent":
            return "", None
        lacking = [(self._lacks(said, purpose, time, separate), said) for said in (own, every) if said]
        if not lacking:
            return "no_consent", None
        return min(lacking, key=lambda found: (found[0] != "", found[0] == "no_consent"))

    @staticmethod
    def _standing(own: Said | None, every: Said | None) -> Said | None:
        """Return the no that stands: a yes for every channel brings back none that was refused by name."""
        if own and own.is_refusal:
            return own
        return every if every and every.is_refusal and (own is None or every[:4] >= own[:4]) else None

    def _lacks(self, said: Said, purpose: str, time: bytes, separate: bool) -> str:
        if said.state == "expired":
            return "expired"
        if said.state not in GRANTS or (separate and said.is_general):
            return "no_consent"
        if said.valid_until <= time:
            return "expired"
        return "stale_notice" if self._stale(said, self.material.get(purpose, {}), time.decode()) else ""

    @staticmethod
    def _stale(said: Said, material: dict[str, list[tuple[str, int]]], time: str) -> bool:
        """Whether what the person was told had changed materially by then."""
        claimed = said.claimed.decode()
        if not said.notice:
            return any(claimed < published <= time for versions in material.values() for published, _ in versions)
        code, _, version = said.notice.rpartition("/")
        return any(newer > int(version) and published <= time for published, newer in material.get(code, ()))

    def _declared(self, purpose: str, time: str) -> tuple[str, bool, str]:
        """Return the legal basis that the purpose had then, whether it needs separate consent, and its kind."""
        known = [declared for declared in self.purposes.get(purpose, ()) if declared[0] <= time]
        return known[-1][1:] if known else ("", False, "")

    def _check_clock(self, sequence: int, event: bytes, who: bytes, recorded_at: str) -> None:
        """The ledger keeps the order of recording: what claims to be much older than its neighbours was put in."""
        if recorded_at >= self.latest:
            self.latest = recorded_at
        elif moment(recorded_at) < later(self.latest.encode(), -LONGEST_WRITE):
            self._find(sequence, event, who, "backdated")

    def _find(self, sequence: int, event: bytes, who: bytes, finding: str) -> None:
        self.found.add(_FINDING.pack(sequence, event, who, FINDINGS.index(finding)))


def _counting(said: Iterable[Said], sequence: int) -> Said | None:
    """Return what counts for a send with this number: of grants only one that the ledger had before it."""
    return next((one for one in reversed(list(said)) if one.is_refusal or one.sequence < sequence), None)


def _hindered(standing: Iterable[Hindrance], channel: int, said: Iterable[Said]) -> tuple[str, bytes, bytes]:
    """Return what stands against marketing on a channel, by which note and since when: age before addresses.

    A suppression ends with a consent that the person gave after it by an act of her own.
    """
    own = max((one.claimed for one in said if one.is_own_act and one.state in GRANTS), default=b"")
    for one in sorted(standing):
        if one.kind == "age":
            return "minor", one.event, one.since
        if one.channel in (0, channel) and own <= one.since:
            return "suppressed", one.event, one.since
    return "", NOBODY, NEVER


def token(who: bytes) -> str:
    return "" if who == NOBODY else who.hex()


class Account:
    """What the records come to: the tables, the sends against consent, and the counts."""

    def __init__(self, begin: str | None, end: str | None, sink: Callable[[str], Callable[[bytes], Any]]) -> None:
        self.tables = {name: Table(columns, sink(name)) for name, columns in TABLES.items()}
        self.join = Join(begin, end)
        self.kinds: dict[str, int] = {}
        self.shredded = 0
        self.notices: dict[str, int] = {}

    def add(self, sequence: int, body: dict[str, Any], person: str | None) -> None:
        """Take one record, in the order of the ledger."""
        kind = body["kind"]
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "consent":
            self.shredded += person is None
            self.join.consent(sequence, body, person)
            self.tables["events.csv"].add((sequence, person, *map(body.get, CONSENT)))
            if body["notice_hash"]:
                self.notices.setdefault(body["notice_hash"], sequence)
        elif kind == "hand_off":
            self.shredded += person is None
            self.join.hand_off(sequence, body, person)
            self.tables["sends.csv"].add((sequence, person, *map(body.get, HAND_OFF)))
        else:
            self.join.note(sequence, body, person)
            self.tables[NOTES.get(kind, "notes.csv")].add((sequence, person, *map(body.get, NOTE_FIELDS)))

    def finish(self) -> dict[str, Any]:
        """Complete the tables and return the counts, as the manifest gives them."""
        self.join.finish(self.tables["sends_violations.csv"], self.tables["findings.csv"])
        for table in self.tables.values():
            table.flush()
        counts = {"kinds": self.kinds, "shredded": self.shredded, "allowed": self.join.allowed, **self.join.counts}
        return counts | {"rows": {name: table.rows for name, table in self.tables.items()}}


# --- notices: the words that people were shown

LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def notice_files(digest: str, notice: dict[str, Any]) -> dict[str, bytes]:
    """Return a notice as files: as it was hashed, and as text and HTML in each of its languages."""
    files = {f"notices/{digest}.json": canonical(notice)}
    for language, texts in sorted(notice["texts"].items()):
        if LANGUAGE.fullmatch(language) is None:
            raise ValueError(f"{language[:40]!r} is no language")
        parts = [texts["title"], texts["body"], texts["withdraw"]]
        items = [_item(item) for item in notice["items"]]
        head = f"{notice['code']}/{notice['version']} {language}"
        files[f"notices/{digest}.{language}.txt"] = "\n\n".join([head, *parts, *items, ""]).encode()
        shown = "".join(f"<p>{_html(part)}</p>\n" for part in parts[1:])
        listed = "".join(f"<li>{_html(item)}</li>\n" for item in items)
        files[f"notices/{digest}.{language}.html"] = (
            f'<!doctype html>\n<html lang="{language}"><meta charset="utf-8"><title>{_html(head)}</title>\n'
            f"<h1>{_html(parts[0])}</h1>\n{shown}<ul>\n{listed}</ul>\n</html>\n"
        ).encode()
    return files


def _item(item: dict[str, Any]) -> str:
    return "; ".join(
        f"{name}: {', '.join(map(str, v)) if isinstance(v, list) else v}" for name, v in sorted(item.items())
    )


def _html(text: str) -> str:
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(sign, name)
    return text.replace("\n", "<br>\n")


# --- the check


class Unread(Exception):
    """Nothing can be said of the bundle, for a reason that is not its fault; the message says which."""


class Proven(NamedTuple):
    """What a genuine bundle proves."""

    manifest: dict[str, Any]
    counts: dict[str, Any]
    key: Key
    shown: int
    beginnings: int


# What no bundle can prove: every manifest says so, word for word, and every answer.
LIMITS = (
    "Messages that were sent outside the system leave no record here: nobody can prove that there were none.",
    "\u5728\u7cfb\u7edf\u4e4b\u5916\u53d1\u9001\u7684\u6d88\u606f\u4e0d\u4f1a\u7559\u4e0b\u8bb0\u5f55\uff0c\u65e0\u4eba\u80fd\u591f\u8bc1\u660e\u5176\u4e0d\u5b58\u5728\u3002",
    "Whoever holds the database and the key can rewrite what came after the last checkpoint that somebody else holds.",
    (
        "\u540c\u65f6\u638c\u63e1\u6570\u636e\u5e93\u4e0e\u5bc6\u94a5\u7684\u4eba\uff0c\u53ef\u4ee5\u6539\u5199\u6700\u8fd1\u4e00\u4e2a\u7531\u4ed6\u4eba"
        "\u4fdd\u7ba1\u7684\u68c0\u67e5\u70b9\u4e4b\u540e\u7684\u5185\u5bb9\u3002"
    ),
)
MANIFEST = frozenset(
    {
        "schema",
        "limits",
        "software",
        "key",
        "old_keys",
        "tree",
        "range",
        "query",
        "time_zone",
        "period",
        "counts",
        "files",
    }
)
QUERY = frozenset({"from", "to", "purposes", "people", "clear_text", "approval", "language", "compare"})
FILE = frozenset({"name", "size", "rows", "sha256", "sm3"})
FILE_NAME = re.compile(r"([a-z]+/)?[A-Za-z0-9][A-Za-z0-9._-]*")  # whatever unpacks it, no file lands elsewhere


def check(path: str, trusted_note: str | None = None, expected_key: str | None = None) -> Proven:
    """Check a bundle whole.

    Raises
    ------
    Rejected
        It is not genuine.
    Unread
        It cannot be checked against that checkpoint.
    """
    container = Container(path)
    with container.file:
        data = container.first("manifest.json", LARGEST_MANIFEST)
        manifest = parsed(data, "manifest.json")
        _check_form(manifest)
        key = _signer(manifest, data, container.first("manifest.sig", 1000), expected_key)
        for file in manifest["files"]:
            container.check(file["name"], file["size"], file["sha256"], file["sm3"])
        container.finish()
        keys = [key, *map(key_of, manifest["old_keys"])]
        now = checkpoint_of(container.read("checkpoint.txt").decode(), [key], "checkpoint.txt")
        if (now.size, now.root.hex()) != (manifest["tree"]["size"], manifest["tree"]["root"]):
            raise Rejected("checkpoint.txt: it is not of the tree that the manifest names")
        trusted = checkpoint_of(trusted_note, keys, "your checkpoint") if trusted_note is not None else None
        counts, shown = Records(container, manifest, now).check(trusted)
        beginnings = _earlier(container, keys, now, trusted)
    return Proven(manifest, counts, key, shown, beginnings)


def _check_form(manifest: Any) -> None:
    """See that the manifest has the fields that are relied on, or shown, and no others."""
    if type(manifest) is not dict or set(manifest) != MANIFEST or manifest["schema"] != BUNDLE:
        raise Rejected(f"manifest.json: not a bundle of the kind {BUNDLE}")
    query, period, range_, size = manifest["query"], manifest["period"], manifest["range"], manifest["tree"]["size"]
    texts = (manifest["software"], manifest["time_zone"], *(query[name] or "" for name in ("from", "to", "approval")))
    forms = (
        set(query) == QUERY and type(query["clear_text"]) is bool and all(type(text) is str for text in texts),
        manifest["limits"] == list(LIMITS),
        len(period) == 2 and all(moment(at) for at in period),
        range_ is None
        or (len(range_) == 2 and all(type(end) is int for end in range_) and 0 <= range_[0] < range_[1] <= size),
        all(set(file) == FILE and type(file["size"]) is int and file["size"] >= 0 for file in manifest["files"]),
        all(FILE_NAME.fullmatch(file["name"]) for file in manifest["files"]),
    )
    if not all(forms):
        raise Rejected(
            "manifest.json: its limits, query, period, range or list of files has not the form it should have"
        )


def _signer(manifest: dict[str, Any], data: bytes, signature: bytes, expected: str | None) -> Key:
    key = key_of(manifest["key"])
    if expected is not None and expected.strip() not in (str(key), base64.b64encode(key.public).decode()):
        raise Rejected(f"manifest.sig: the bundle is signed with another key than yours ({key.fingerprint})")
    raw = unbase64(signature.decode("ascii", "replace").rstrip("\n"), "manifest.sig")
    if base64.b64encode(raw) + b"\n" != signature or not is_signature(key.public, SIGNED + data, raw):
        raise Rejected("manifest.sig: the signature of the manifest is wrong")
    return key


class Records:
    """The records of a bundle: folded to the tree's root, and worked out again to its tables."""

    def __init__(self, container: Container, manifest: dict[str, Any], now: Checkpoint) -> None:
        self.container, self.manifest, self.now = container, manifest, now
        self.files = {file["name"]: file for file in manifest["files"]}
        self.hashes = {name: hashlib.sha256() for name in TABLES}
        begin, end = manifest["period"]
        self.account = Account(begin, end, lambda name: self.hashes[name].update)
        self.clear = bool(manifest["query"]["clear_text"])
        self.profiles = Sorter()

    def check(self, trusted: Checkpoint | None) -> tuple[dict[str, Any], int]:
        shown = self._fold(trusted)
        counts = self.account.finish()
        rows = counts.pop("rows")
        for name, hash_ in self.hashes.items():
            if self.files[name]["sha256"] != hash_.hexdigest() or self.files[name]["rows"] != rows[name]:
                raise Rejected(f"{name}: it does not follow from the records in events.jsonl")
        if counts != self.manifest["counts"]:
            raise Rejected("manifest.json: its counts are not those of the records")
        self._check_notices()
        self._check_people()
        return counts, shown

    def _fold(self, trusted: Checkpoint | None) -> int:
        """Fold what is shown and what is hidden to the root; check each record on the way."""
        fold, size = Fold(), self.now.size
        shown, hidden = self._shown(), self._hidden()
        leaf, node = next(shown, None), next(hidden, None)
        count = nodes = 0
        while fold.size < size:
            if trusted is not None and fold.size == trusted.size and fold.root() != trusted.root:
                raise Rejected("your checkpoint is not a beginning of this ledger: what it signed for was changed")
            if leaf is not None and leaf[0] == fold.size:
                fold.add(leaf[1], 0, False)
                leaf, count = next(shown, None), count + 1
            elif node is not None and node[1] << node[0] == fold.size:
                self._outside_the_range(fold.size, fold.size + (1 << node[0]))
                fold.add(node[2], node[0], True)
                node, nodes = next(hidden, None), nodes + 1
            else:
                raise Rejected(f"events.jsonl: the record {fold.size} is missing, and no hash stands for it")
        self._check_end(fold, leaf is not None or node is not None, count, nodes)
        return count

    def _check_end(self, fold: Fold, more: bool, count: int, nodes: int) -> None:
        if more or fold.size != self.now.size:
            raise Rejected("events.jsonl: there are more records than the tree has")
        if fold.root() != self.now.root:
            raise Rejected("events.jsonl: the records do not lead to the root of the signed checkpoint")
        if self.manifest["range"] is not None and not nodes:
            raise Rejected("manifest.json: it names a range, though nothing is hidden")
        if (self.files["events.jsonl"]["rows"], self.files["proofs.jsonl"]["rows"]) != (count, nodes):
            raise Rejected("manifest.json: its numbers of lines are wrong")

    def _outside_the_range(self, begin: int, end: int) -> None:
        whole = self.manifest["range"]
        if whole is not None and begin < whole[1] and whole[0] < end:
            raise Rejected(
                f"proofs.jsonl: a record between {whole[0]} and {whole[1]} is hidden, though all should be shown"
            )

    def _shown(self) -> Iterator[tuple[int, bytes]]:
        """Yield number and leaf hash of each record, after it has been taken account of."""
        add, clear = self.account.add, self.clear
        for place, line in enumerate(self.container.lines("events.jsonl"), 1):
            try:
                record = _decode(line.decode())
                body, person, sequence = record["body"], record["person"], record["sequence"]
                leaf = canonical(body)
                if type(sequence) is not int or body["schema"] != LEAF:
                    raise Rejected(f"events.jsonl, line {place}: not a record of the kind {LEAF}")
                if not clear:
                    named = "null" if person is None else f'"{person}"'
                    same = line == b'{"body":%b,"person":%b,"sequence":%d}' % (leaf, named.encode(), sequence)
                else:
                    same = canonical(record) == line
                    self._check_commitment(record, body, person)
                if not same:
                    raise Rejected(f"events.jsonl, line {place}: not canonical JSON")
                add(sequence, body, person)
            except (
                ValueError,
                KeyError,
                TypeError,
                AttributeError,
                RecursionError,
                OverflowError,
                struct.error,
            ) as error:
                raise Rejected(
                    f"events.jsonl, line {place}: malformed ({type(error).__name__}: {str(error)[:80]})"
                ) from None
            yield sequence, leaf_hash(leaf)

    def _check_commitment(self, record: dict[str, Any], body: dict[str, Any], person: str | None) -> None:
        """Clear text only: the personal part is what the ledger committed to at the time."""
        if set(record) != ({"body", "person", "sequence"} | ({"personal", "salt"} if person else set())):
            raise ValueError("it has not the fields of a record in clear text")
        if person is None:
            return
        personal = record["personal"]
        digest = hmac.new(bytes.fromhex(record["salt"]), canonical(personal), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(digest, body["commitment"]):
            raise Rejected(f"events.jsonl: record {record['sequence']} is not about the person that it now names")
        self.profiles.add(struct.pack(">Q", personal["profile"]) + identity(person))

    def _check_people(self) -> None:
        """Clear text only: one profile never appears as two people."""
        last = b""
        for record in self.profiles:
            if record[:8] == last[:8] and record != last:
                raise Rejected(f"events.jsonl: the profile {struct.unpack_from('>Q', record)[0]} appears as two people")
            last = record

    def _hidden(self) -> Iterator[tuple[int, int, bytes]]:
        for place, line in enumerate(self.container.lines("proofs.jsonl"), 1):
            node = parsed(line, f"proofs.jsonl, line {place}")
            level, index, hash_ = node["level"], node["index"], bytes.fromhex(node["hash"])
            if len(node) != 3 or not 0 <= level < 64 or not 0 <= index < 1 << 63 or len(hash_) != 32:
                raise Rejected(f"proofs.jsonl, line {place}: not a hash of the tree")
            yield level, index, hash_

    def _check_notices(self) -> None:
        """The words that the records refer to by hash are in the bundle, as hashed, and as rendered."""
        found: dict[str, bytes] = {}
        names = {name for name in self.files if name.startswith("notices/")}
        for name in sorted(names):
            if name.endswith(".json"):
                digest, data = name[8:-5], self.container.read(name)
                if hashlib.sha256(data).hexdigest() != digest:
                    raise Rejected(f"{name}: these are not the words that were shown")
                found.update(notice_files(digest, parsed(data, name)))
        self._compare_notices(names, found)

    def _compare_notices(self, names: set[str], found: dict[str, bytes]) -> None:
        for digest, sequence in self.account.notices.items():
            if f"notices/{digest}.json" not in found:
                raise Rejected(f"notices/{digest}.json: missing, though record {sequence} refers to it")
        if set(found) != names:
            raise Rejected("notices/: there is a file that no notice accounts for, or one is missing")
        for name, data in found.items():
            if hashlib.sha256(data).hexdigest() != self.files[name]["sha256"]:
                raise Rejected(f"{name}: not what the notice says")


def _earlier(container: Container, keys: list[Key], now: Checkpoint, trusted: Checkpoint | None) -> int:
    """Check that the checkpoints published earlier, and the one the auditor holds, are beginnings of this tree."""
    count, known = 0, trusted is None or trusted == now
    for place, line in enumerate(container.lines("checkpoints.jsonl"), 1):
        where = f"checkpoints.jsonl, line {place}"
        entry = parsed(line, where)
        earlier = checkpoint_of(entry["note"], keys, where)
        if not is_beginning(
            earlier.size, earlier.root, now.size, now.root, [bytes.fromhex(step) for step in entry["proof"]]
        ):
            raise Rejected(f"{where}: the checkpoint of {earlier.size} records is not a beginning of this ledger")
        count += 1
        if trusted is not None and earlier.size == trusted.size:
            known = True
            if earlier.root != trusted.root:
                raise Rejected("your checkpoint is not a beginning of this ledger: what it signed for was changed")
    if trusted is not None and not known:
        _must_be_inside(trusted, now, container)
    return count


def _must_be_inside(trusted: Checkpoint, now: Checkpoint, container: Container) -> None:
    """Say so where the bundle holds no way to compare; a bundle of the whole ledger always does."""
    if trusted.size > now.size:
        raise Unread(f"Your checkpoint has {trusted.size} records, the bundle only {now.size}: ask for a newer bundle.")
    if trusted.size == now.size:
        raise Rejected("your checkpoint has another root than this ledger had at that size")
    if trusted.size == 0 or container.members["proofs.jsonl"].size:
        raise Unread("The bundle has no proof from your checkpoint: ask for one made with --checkpoint and your file.")


# --- what is said


def limits() -> str:
    return "\n".join(
        ["what this cannot prove / \u6b64\u9a8c\u8bc1\u4e0d\u80fd\u8bc1\u660e", *(f"  {text}" for text in LIMITS), ""]
    )


def told(proven: Proven, *, checkpoint: bool, key: bool) -> str:
    """Return the answer for a genuine bundle, as text."""
    manifest, counts, size = proven.manifest, proven.counts, proven.manifest["tree"]["size"]
    query, hidden = manifest["query"], size - proven.shown
    complete = (
        "all of them are in here" if not hidden else f"{proven.shown:,} of them are in here, {hidden:,} are hidden"
    )
    if hidden and manifest["range"]:
        complete += f"; of {manifest['range'][0]:,} to {manifest['range'][1] - 1:,} none is"
    allowed = (
        ", ".join(f"{number:,} by {basis}" for basis, number in sorted(counts["allowed"].items())) or "none allowed"
    )
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in sorted(counts["kinds"].items())) or "none"
    held = "yours is a beginning of this ledger" if checkpoint else "none of yours was given (--checkpoint)"
    lines = [
        "OK: the bundle is genuine. / \u901a\u8fc7\uff1a\u5ba1\u8ba1\u5305\u771f\u5b9e\u5b8c\u6574\u3002",
        f"signed by    {proven.key.origin}, made with {manifest['software']}",
        f"key          {proven.key.fingerprint}" + (" (the one you gave)" if key else ""),
        *([] if key else ["             compare it with the fingerprint that you were given by another way (--key)"]),
        f"ledger       {size:,} records; {complete}",
        f"checkpoints  {proven.beginnings} published earlier are beginnings of this ledger; {held}",
        f"period       {query['from'] or 'the beginning'} to {query['to'] or 'the end'} ({manifest['time_zone']})",
        f"             in UTC from {manifest['period'][0] or '-'} to before {manifest['period'][1] or '-'}",
        f"records      {kinds}; {counts['shredded']:,} about people erased since",
        f"sends        {counts['sends']:,}: {allowed}",
        f"VIOLATIONS   {counts['violations']:,}" + (" (see sends_violations.csv)" if counts["violations"] else ""),
        f"findings     {counts['findings']:,}; {counts['in_flight']:,} sends left while a withdrawal was written down",
    ]
    if hidden:
        lines.append(
            "part only    sends or withdrawals may be among the hidden records: only a bundle of the whole ledger"
            " excludes that"
        )
    if not query["clear_text"]:
        lines.append(
            "people       by tokens that the signer assigned; which events are one person's is in the records (thread)"
        )
    return "\n".join(lines) + "\n\n" + limits()


def main(arguments: list[str] | None = None) -> int:
    """Check the bundle that the command line names."""
    parser = argparse.ArgumentParser(description="Check an audit bundle without trusting those who made it.")
    parser.add_argument("bundle")
    parser.add_argument(
        "--checkpoint", metavar="FILE", help="a checkpoint that you kept: the ledger must go on from it"
    )
    parser.add_argument("--key", metavar="KEY", help="the verifier key (or its 32 bytes in base64) that you were given")
    asked = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a console that knows no Chinese is no reason to fail
    try:
        note = None
        if asked.checkpoint is not None:
            with open(asked.checkpoint, "rb") as file:
                note = file.read(20_000).decode("utf-8", "replace")
        print(told(check(asked.bundle, note, asked.key), checkpoint=note is not None, key=asked.key is not None))
    except (
        Rejected,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
        OverflowError,
        struct.error,
    ) as error:
        reason = (
            str(error) if isinstance(error, Rejected) else f"malformed ({type(error).__name__}: {str(error)[:200]})"
        )
        print(f"NOT GENUINE / \u4e0d\u901a\u8fc7: {reason}", file=sys.stderr)
        return 1
    except (Unread, OSError, MemoryError) as error:
        print(f"COULD NOT BE CHECKED / \u65e0\u6cd5\u9a8c\u8bc1: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
