"""The key ring of the house: what wraps every person's key, and the secrets of the keyed hashes.

The ring lies outside the database, so that a stolen dump opens nothing: in the environment (``KEY_RING``), in a file
(``KEY_RING_FILE``, made at the first start) or wherever ``KEY_RING_HOOK`` fetches it from (a KMS that unwraps it).
It is JSON::

    {"current": "k2", "wrapping": {"k1": "<32 bytes, base64>", "k2": "..."}, "since": {"k2": "2026-03-01T12:00:00Z"},
     "index": "...", "suppression": "...", "pseudonym": "..."}

``others`` may hold other generations of the secrets ``index`` and ``suppression``, by number: whoever searches asks by
all of them, whoever writes uses the one that stands by its name (``crm.index_rotation``).

New values are wrapped by the current key, old ones are opened by the key they name. So a rotation needs no pause: add
a key everywhere, make it current, wrap the rest again (``manage.py keys``).
"""

import json
import os
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from hmac import digest as hmac_digest
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.utils.module_loading import import_string

KEY_BYTES, NONCE_BYTES = 32, 12
KEY_ID = re.compile(r"[a-z0-9-]{1,16}")
SECRETS = ("index", "suppression", "pseudonym")
ROTATABLE = ("index", "suppression")
FIRST = "1"


class BadKeyRing(ValueError):
    """The key ring cannot be used; the message says why and holds no key."""


class UnknownKey(LookupError):
    """A value was wrapped by a key that the ring does not have (any more)."""


@dataclass(frozen=True, kw_only=True)
class KeyRing:
    """Wrapping keys by id, which of them is current, and three secrets that must never be the same."""

    current: str
    wrapping: Mapping[str, bytes] = field(repr=False)
    since: Mapping[str, str]
    index: bytes = field(repr=False)
    suppression: bytes = field(repr=False)
    pseudonym: bytes = field(repr=False)
    versions: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict, repr=False)

    def version(self, secret: str) -> str:
        """Return which generation of a secret is written with."""
        return self.versions.get(secret, FIRST)

    def generations(self, secret: str) -> dict[str, bytes]:
        """Return a secret in all its generations, the one that is written with first."""
        return {self.version(secret): getattr(self, secret), **self.others.get(secret, {})}

    def with_secret(self, secret: str) -> tuple["KeyRing", str]:
        """Return the ring with one more generation of a secret, only searched by as yet, and its number."""
        known = self.generations(secret)
        number = str(max(map(int, known)) + 1)
        return self._with_others(secret, {**self.others.get(secret, {}), number: token_bytes(KEY_BYTES)}), number

    def using_secret(self, secret: str, number: str) -> "KeyRing":
        """Return the ring that writes with another generation, and goes on searching by all."""
        known = self.generations(secret)
        if number not in known:
            raise UnknownKey(f"The key ring has no generation {number!r} of the secret {secret}.")
        kept = self._with_others(secret, {other: key for other, key in known.items() if other != number})
        used: dict[str, Any] = {secret: known[number]}
        return replace(kept, versions={**self.versions, secret: number}, **used)

    def without_secret(self, secret: str, number: str) -> "KeyRing":
        """Return the ring without a generation that is not written with."""
        if number not in self.others.get(secret, {}):
            raise UnknownKey(f"The key ring has no other generation {number!r} of the secret {secret}.")
        return self._with_others(secret, {other: key for other, key in self.others[secret].items() if other != number})

    def _with_others(self, secret: str, others: Mapping[str, bytes]) -> "KeyRing":
        return replace(self, others={**self.others, secret: others})

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return a key sealed under the current wrapping key, for this context only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + _cipher(self.wrapping[self.current]).encrypt(nonce, key, context)

    def unwrap(self, key_id: str, wrapped: bytes, context: bytes) -> bytes:
        """Return the key; ``cryptography.exceptions.InvalidTag`` if it was changed or belongs elsewhere."""
        return _cipher(self.key(key_id)).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)

    def installation(self, key_id: str) -> AESGCM:
        """Return what seals values that belong to no known person; another key than the one that wraps."""
        return _cipher(hmac_digest(self.key(key_id), b"zhiyin/installation/1", "sha256"))

    def key(self, key_id: str) -> bytes:
        try:
            return self.wrapping[key_id]
        except KeyError:
            raise UnknownKey(f"The key ring has no key {key_id!r}.") from None

    def with_key(self, key_id: str, now: datetime) -> "KeyRing":
        """Return the ring with one more key, which is not current yet."""
        if key_id in self.wrapping or not KEY_ID.fullmatch(key_id):
            raise BadKeyRing(f"{key_id!r} is taken, or not 1 to 16 small letters, digits and hyphens.")
        return replace(
            self,
            wrapping={**self.wrapping, key_id: token_bytes(KEY_BYTES)},
            since={**self.since, key_id: now.isoformat()},
        )

    def to_json(self) -> str:
        """Return the ring as it is kept. It holds every key: write it nowhere but to where rings are kept."""
        texts: dict[str, object] = {"current": self.current, "since": dict(self.since)}
        texts["wrapping"] = {key_id: b64encode(key).decode() for key_id, key in self.wrapping.items()}
        texts |= {name: b64encode(getattr(self, name)).decode() for name in SECRETS}
        texts["versions"] = {name: self.version(name) for name in ROTATABLE}
        texts["others"] = {
            name: {number: b64encode(key).decode() for number, key in known.items()}
            for name, known in self.others.items()
        }
        return json.dumps(texts, indent=1)


def new_ring(now: datetime) -> KeyRing:
    """Return a ring of fresh keys."""
    fresh: dict[str, Any] = {name: token_bytes(KEY_BYTES) for name in SECRETS}
    return KeyRing(current="k1", wrapping={"k1": token_bytes(KEY_BYTES)}, since={"k1": now.isoformat()}, **fresh)


def read_ring(text: str) -> KeyRing:
    """Return the ring that a JSON text holds.

    Raises
    ------
    BadKeyRing
        A key is missing, too short or used twice.
    """
    try:
        told = json.loads(text)
        wrapping = {str(key_id): b64decode(key, validate=True) for key_id, key in told["wrapping"].items()}
        secrets: dict[str, Any] = {name: b64decode(told[name], validate=True) for name in SECRETS}
        others = {
            name: {str(int(number)): b64decode(key, validate=True) for number, key in known.items()}
            for name, known in told.get("others", {}).items()
        }
        versions = {name: str(int(number)) for name, number in told.get("versions", {}).items()}
        found = KeyRing(
            current=told["current"],
            wrapping=wrapping,
            since=told.get("since", {}),
            versions=versions,
            others=others,
            **secrets,
        )
    except (ValueError, KeyError, TypeError, AttributeError, NotBase64) as error:
        raise BadKeyRing(f"The key ring is not readable ({type(error).__name__}).") from None
    _check(found)
    return found


def ring() -> KeyRing:
    """Return the ring as it is now: a file that was changed, by this process or another, is read again."""
    if settings.KEY_RING_HOOK:
        return _hooked(settings.KEY_RING_HOOK)
    if settings.KEY_RING:
        return _parsed(settings.KEY_RING)
    return _read(settings.KEY_RING_FILE, _stamp(settings.KEY_RING_FILE))


def ring_with(key_id: str) -> KeyRing:
    """Return a ring that has the key; what a hook gave before may be older than a rotation, so it is asked again."""
    found = ring()
    if key_id not in found.wrapping and settings.KEY_RING_HOOK:
        _hooked.cache_clear()
        found = ring()
    return found


def write_ring(changed: KeyRing) -> None:
    """Replace the ring's file, whole or not at all."""
    _check(changed)
    path = Path(settings.KEY_RING_FILE)
    part = path.with_name(f"{path.name}.{token_hex(4)}.part")
    _write_private(part, changed.to_json())
    part.replace(path)


def _make(path: Path) -> None:
    """Write a fresh ring, unless another process is faster: nobody may replace a ring that is in use."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{token_hex(4)}.new")
    _write_private(part, new_ring(datetime.now().astimezone()).to_json())
    try:
        os.link(part, path)
    except FileExistsError:
        return
    finally:
        part.unlink()


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        _make(Path(path))
        found = os.stat(path)
    return found.st_mtime_ns, found.st_ino


@lru_cache(maxsize=2)
def _read(path: str, stamp: tuple[int, int]) -> KeyRing:
    return read_ring(Path(path).read_text())


@lru_cache(maxsize=2)
def _parsed(text: str) -> KeyRing:
    return read_ring(text)


@lru_cache(maxsize=1)
def _hooked(dotted: str) -> KeyRing:
    return read_ring(import_string(dotted)())


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    return AESGCM(key)


def _check(found: KeyRing) -> None:
    keys = [*found.wrapping.values(), *(getattr(found, name) for name in SECRETS)]
    keys += [key for known in found.others.values() for key in known.values()]
    if any(len(key) != KEY_BYTES for key in keys):
        raise BadKeyRing(f"Every key must have {KEY_BYTES} bytes.")
    if len(set(keys)) < len(keys):
        raise BadKeyRing("Two keys of the ring are the same.")
    if any(name not in ROTATABLE or found.version(name) in known for name, known in found.others.items()):
        raise BadKeyRing("Another generation of a secret has the number of the one in use, or is of no such secret.")
    if found.current not in found.wrapping or not all(KEY_ID.fullmatch(key_id) for key_id in found.wrapping):
        raise BadKeyRing("The current key is missing, or an id is not 1 to 16 small letters, digits and hyphens.")
