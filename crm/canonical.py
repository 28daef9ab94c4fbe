"""One way to write a record down, byte for byte (RFC 8785), and to commit to what is personal in it."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_bytes
from unicodedata import normalize
from uuid import UUID

import rfc8785

SALT_BYTES = 32


class NotCanonical(ValueError):
    """A record cannot be written down in one way only; the message says why."""


def canonical(record: Mapping[str, object]) -> bytes:
    """Return the record as canonical JSON: sorted keys, no spaces, UTF-8, strings in Unicode's NFC.

    Values are null, booleans, whole numbers up to 2^53, strings, UUIDs, and lists and mappings of these. Times are
    given as text (:func:`utc`); fractions are refused, because no two languages print them alike.

    >>> canonical({"b": [1, True, None], "a": "caf" + "e\u0301"}).decode()
    '{"a":"café","b":[1,true,null]}'

    Raises
    ------
    NotCanonical
        There is a value of another type, a number that is too large, or two keys that are one in NFC.
    """
    try:
        return rfc8785.dumps(_plain(record))
    except rfc8785.CanonicalizationError as error:
        raise NotCanonical(str(error)) from error


def utc(moment: datetime) -> str:
    """Return a moment as text in UTC, always with microseconds.

    >>> utc(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))
    '2026-01-02T03:04:05.000006Z'

    Raises
    ------
    NotCanonical
        The moment has no time zone.
    """
    if moment.tzinfo is None:
        raise NotCanonical(f"{moment} has no time zone.")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """What stands in the ledger for something personal, and the salt without which it says nothing."""

    salt: bytes
    digest: bytes


def commit_to(personal: Mapping[str, object], salt: bytes | None = None) -> Commitment:
    """Commit to personal values: HMAC-SHA-256 under a salt of their own.

    Whoever has salt and values can check the digest. When both are destroyed the digest can be traced to nobody, not
    even by trying all telephone numbers, and the ledger that holds it still verifies.
    """
    salt = token_bytes(SALT_BYTES) if salt is None else salt
    return Commitment(salt=salt, digest=hmac.digest(salt, canonical(personal), sha256))


def _plain(value: object) -> rfc8785._impl._Value:
    match value:
        case None | bool() | int():
            return value
        case str():
            return normalize("NFC", value)
        case UUID():
            return str(value)
        case Mapping():
            return _plain_mapping(value)
        case list() | tuple():
            return [_plain(one) for one in value]
    raise NotCanonical(f"{value!r:.80} is {type(value).__name__}; only text, whole numbers, lists and mappings are.")


def _plain_mapping(mapping: Mapping[object, object]) -> dict[str, rfc8785._impl._Value]:
    plain: dict[str, rfc8785._impl._Value] = {}
    for key, value in mapping.items():
        if not isinstance(key, str):
            raise NotCanonical(f"The key {key!r:.80} is not text.")
        plain[normalize("NFC", key)] = _plain(value)
    if len(plain) != len(mapping):
        raise NotCanonical("Two keys are the same in NFC.")
    return plain
