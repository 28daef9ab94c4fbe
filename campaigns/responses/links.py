"""Addresses in messages leave as tokens of ours: opaque, signed, bound to one delivery and one link.

A token is a tag of 96 bits over what it says, and that encrypted under the tag (deterministic authenticated encryption
after Rogaway and Shrimpton, "Deterministic Authenticated Encryption", 2006: HMAC-SHA256 and AES-256 in counter mode).
It says which delivery and which link. An address that holds variables is said too, as it was when the message was
written: what it led to when it was sent is what it leads to. So there is nothing that a stranger could put into an
address of ours to be sent elsewhere: the targets are those that a template named and we sealed.
"""

import hmac
import struct
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.conf import settings
from django.urls import reverse
from django.utils.crypto import salted_hmac

from crm.preference_links import public

SALT = "campaigns.links"
TAG = 12
FACTS = struct.Struct(">16sI")
OPEN = 0  # stands where a link's number would: the message itself was opened
LONGEST = 3000  # signs of a token


@dataclass(frozen=True, kw_only=True)
class Opened:
    """What a token says: which delivery, which link (0: the message was opened), and a sealed address, if any."""

    delivery: UUID
    link: int
    url: str = ""


def token(delivery: UUID, link: int, url: str = "") -> str:
    """Return the token of a link of a delivery; ``url`` is sealed in it where the link holds variables."""
    said = FACTS.pack(delivery.bytes, link) + (zlib.compress(url.encode(), 9) if url else b"")
    key = settings.SECRET_KEY
    tag = _tag(key, said)
    return urlsafe_b64encode(tag + _crypt(key, tag, said)).decode().rstrip("=")


def open(token: str) -> Opened | None:  # links.open
    """Return what a token says, or nothing where it is not ours; why not is nobody's business."""
    raw = _decoded(token)
    if raw is None:
        return None
    for key in (settings.SECRET_KEY, *map(str, settings.SECRET_KEY_FALLBACKS)):
        said = _crypt(key, raw[:TAG], raw[TAG:])
        if hmac.compare_digest(_tag(key, said), raw[:TAG]):
            delivery, link = FACTS.unpack(said[: FACTS.size])
            packed = said[FACTS.size :]
            url = zlib.decompress(packed).decode() if packed else ""
            return Opened(delivery=UUID(bytes=delivery), link=link, url=url)
    return None


def address(delivery: UUID, link: int, url: str = "") -> str:
    """Return the whole address of a link, for a message."""
    return public(reverse("campaigns-link", args=[token(delivery, link, url)]))


def pixel(delivery: UUID) -> str:
    """Return the whole address of the picture that tells of an opened message."""
    return public(reverse("campaigns-open", args=[token(delivery, OPEN)]))


@lru_cache(maxsize=8)
def _keys(key: str) -> tuple[bytes, bytes]:
    return tuple(  # type: ignore[return-value]  # two of them
        salted_hmac(f"{SALT}.{use}", b"", secret=key, algorithm="sha256").digest() for use in ("tag", "cipher")
    )


def _tag(key: str, said: bytes) -> bytes:
    return hmac.digest(_keys(key)[0], said, sha256)[:TAG]


def _crypt(key: str, tag: bytes, said: bytes) -> bytes:
    cipher = Cipher(algorithms.AES256(_keys(key)[1]), modes.CTR(tag + bytes(4))).encryptor()
    return cipher.update(said) + cipher.finalize()


def _decoded(token: str) -> bytes | None:
    if len(token) > LONGEST:
        return None
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError:
        return None
    spelt = urlsafe_b64encode(raw).decode().rstrip("=") == token  # one spelling only: the last sign has spare bits
    return raw if spelt and len(raw) >= TAG + FACTS.size else None
