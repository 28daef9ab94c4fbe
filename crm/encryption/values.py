"""Values sealed with AES-256-GCM, and the keyed hashes by which sealed values are still found.

A sealed value is a version byte, a nonce and the ciphertext. What it belongs to (model, field, row) is authenticated
with it: a ciphertext that was moved to another row, field or person does not open.
"""

import os
from base64 import b32encode
from collections.abc import Iterable
from hmac import digest as hmac_digest
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crm.keyring import NONCE_BYTES, ring, ring_with
from crm.normal import normal

PERSON, INSTALLATION = b"\x01", b"\x02"  # the version byte: sealed by a person's key, or by one of the ring's
DIGEST_BYTES = 16


class Tampered(ValueError):
    """A sealed value does not open: it was changed, or belongs to another row, field or person."""


class Shredded(LookupError):
    """The key of the person was destroyed: the value can never be read again."""


def aad(model: str, field: str, *row: object) -> bytes:
    """Return what a value belongs to, as it is authenticated.

    >>> aad("crm.profile", "name", 7), aad("crm.identifier", "value", "phone", bytes([1, 255]))
    (b'crm.profile|name|7', b'crm.identifier|value|phone|01ff')
    """
    return "|".join([model, field, *map(_told, row)]).encode()


def _told(part: object) -> str:
    if isinstance(part, UUID):
        return part.hex
    return part.hex() if isinstance(part, bytes | memoryview) else str(part)


def seal(key: AESGCM, plain: bytes, context: bytes) -> bytes:
    """Return the value sealed by a person's key."""
    nonce = os.urandom(NONCE_BYTES)
    return PERSON + nonce + key.encrypt(nonce, plain, context)


def open_(key: AESGCM, sealed: bytes, context: bytes) -> bytes:
    """Return the value that a person's key sealed.

    Raises
    ------
    Tampered
        It is not what was sealed for this row and field with this key.
    """
    if sealed[:1] != PERSON:
        raise Tampered(f"{context.decode()} was not sealed by a person's key.")
    try:
        return key.decrypt(sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :], context)
    except (InvalidTag, ValueError):
        raise Tampered(f"{context.decode()} does not open.") from None


def seal_for_house(plain: bytes, context: bytes) -> bytes:
    """Return a value sealed by the ring itself: it belongs to no known person, as a message that was refused."""
    keys = ring()
    nonce, key_id = os.urandom(NONCE_BYTES), keys.current.encode()
    head = INSTALLATION + bytes([len(key_id)]) + key_id
    return head + nonce + keys.installation(keys.current).encrypt(nonce, plain, head + context)


def open_for_house(sealed: bytes, context: bytes) -> bytes:
    """Return a value that the ring sealed; ``Tampered`` if it is not what was sealed for this row and field."""
    head, body = sealed[: 2 + sealed[1]], sealed[2 + sealed[1] :]
    if head[:1] != INSTALLATION:
        raise Tampered(f"{context.decode()} was not sealed by the ring.")
    key_id = house_key_id(sealed)
    try:
        key = ring_with(key_id).installation(key_id)
        return key.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], head + context)
    except (InvalidTag, ValueError):
        raise Tampered(f"{context.decode()} does not open.") from None


def house_key_id(sealed: bytes) -> str:
    """Return the id of the ring's key that sealed a value."""
    return sealed[2 : 2 + sealed[1]].decode("ascii", "replace")


def blind_index(type: str, value: str) -> bytes:
    """Return 16 bytes that are equal for equal values, however they are spelled, and tell nothing else.

    >>> blind_index("phone", "138 0013 8000") == blind_index("phone", "+86 138-0013-8000")
    True
    """
    return _keyed(ring().index, type, normal(type, value))


def blind_indexes(refs: Iterable[tuple[str, str]]) -> list[bytes]:
    """Return :func:`blind_index` of many (type, value)."""
    key = ring().index
    return [_keyed(key, type_, normal(type_, value)) for type_, value in refs]


def possible_indexes(type: str, value: str) -> list[bytes]:
    """Return what :func:`blind_index` was or may be for a value, by every generation of the secret, the newest first.

    Who searches asks by all of them: while the secret is rotated, rows of either generation are right.
    """
    text = normal(type, value)
    return [_keyed(key, type, text) for key in ring().generations("index").values()]


def indexes_by_generation(refs: Iterable[tuple[str, str]]) -> list[list[bytes]]:
    """Return :func:`blind_indexes` for every generation of the secret, the one that is written with first."""
    texts = [(type_, normal(type_, value)) for type_, value in refs]
    return [[_keyed(key, *one) for one in texts] for key in ring().generations("index").values()]


def suppression_keys_by_generation(refs: Iterable[tuple[str, str]]) -> dict[str, list[bytes]]:
    """Return :func:`suppression_keys` for every generation of the secret, the one that is written with first."""
    texts = [(type_, normal(type_, value)) for type_, value in refs]
    known = ring().generations("suppression")
    return {number: [_keyed(key, *one) for one in texts] for number, key in known.items()}


def suppression_key(type: str, value: str) -> bytes:
    """Return 16 bytes by which an address stays suppressed when the person is erased; another key than the index."""
    return _keyed(ring().suppression, type, normal(type, value))


def suppression_keys(refs: Iterable[tuple[str, str]]) -> list[bytes]:
    """Return :func:`suppression_key` of many (type, value)."""
    key = ring().suppression
    return [_keyed(key, type_, normal(type_, value)) for type_, value in refs]


def pseudonym(purpose: str, type: str, value: str) -> str:
    """Return a stable name for a value that differs from purpose to purpose, so that two releases cannot be joined."""
    found = _keyed(ring().pseudonym, f"{purpose}\x1f{type}", normal(type, value))
    return b32encode(found).decode().rstrip("=").lower()


def _keyed(key: bytes, type_: str, value: str) -> bytes:
    return hmac_digest(key, f"{type_}\x1f{value}".encode("utf-8", "surrogatepass"), "sha256")[:DIGEST_BYTES]
