"""Signed checkpoints as text that other tools know: C2SP's tlog-checkpoint in a signed note, Ed25519.

A note is ``origin``, the number of leaves and the root in base64, a line each, then an empty line and signatures of
the form ``— origin base64(key id, signature)``. A verifier key is ``origin+key id+base64(1, public key)``.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
NOTE = re.compile(
    r"(?P<text>(?P<origin>[^\s+]+)\n(?P<size>0|[1-9][0-9]{0,18})\n(?P<root>[A-Za-z0-9+/]{43}=)\n)\n"
    r"(?P<signatures>(?:— [^\s+]+ [A-Za-z0-9+/]+={0,2}\n)+)"
)
LONGEST_NOTE = 10_000


class NoteError(ValueError):
    """A text is no signed checkpoint, or nobody whom we trust has signed it; the message says why."""


@dataclass(frozen=True, kw_only=True)
class SignedCheckpoint:
    """What a verified note says."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Signer:
    """Signs for an origin with an Ed25519 seed of 32 bytes."""

    origin: str
    seed: bytes

    @cached_property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @cached_property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._key.public_key().public_bytes_raw()

    @property
    def verifier_key(self) -> str:
        """What an outsider needs to verify our notes; to be handed over once, by another way than the notes."""
        typed = ED25519 + self.public
        return f"{self.origin}+{key_id(self.origin, self.public).hex()}+{b64encode(typed).decode()}"

    def seal(self, data: bytes) -> bytes:
        """Return the signature of something else than a note, which must begin so that it can pass for none."""
        return self._key.sign(data)

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note for a tree."""
        text = f"{self.origin}\n{size}\n{b64encode(root).decode()}\n"
        signature = key_id(self.origin, self.public) + self._key.sign(text.encode())
        return f"{text}\n— {self.origin} {b64encode(signature).decode()}\n"


def key_id(origin: str, public: bytes) -> bytes:
    """Return the four bytes by which a signature line names its key."""
    return sha256(origin.encode() + b"\n" + ED25519 + public).digest()[:4]


def verify(note: str, verifier_keys: Iterable[str]) -> SignedCheckpoint:
    """Return what the note says, once one of the keys is found to have signed it.

    Raises
    ------
    NoteError
        It is not a note, a known key's signature is wrong, or no known key has signed.
    """
    found = NOTE.fullmatch(note) if len(note) <= LONGEST_NOTE else None
    if found is None:
        raise NoteError("This is not a signed checkpoint.")
    known = dict(_parsed(key) for key in verifier_keys)
    signed = False
    for line in found["signatures"].splitlines():
        _, origin, signature = line.split(" ")
        signed |= _is_signed(found["text"], origin, _decoded(signature), known)
    if not signed:
        raise NoteError("No known key has signed this checkpoint.")
    return SignedCheckpoint(origin=found["origin"], size=int(found["size"]), root=_decoded(found["root"]))


def _is_signed(text: str, origin: str, signature: bytes, known: dict[tuple[str, bytes], bytes]) -> bool:
    """Tell whether this signature is of a known key, which is also the key of the note's own origin."""
    public = known.get((origin, signature[:4]))
    if public is None or not text.startswith(f"{origin}\n"):
        return False  # a witness's, or of a key that we do not know
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature[4:], text.encode())
    except InvalidSignature:
        raise NoteError(f"The signature of {origin} is wrong.") from None
    return True


def _parsed(verifier_key: str) -> tuple[tuple[str, bytes], bytes]:
    try:
        origin, id_, typed = verifier_key.strip().split("+", 2)
        public = b64decode(typed, validate=True)[1:]
        given = bytes.fromhex(id_)
    except ValueError:
        raise NoteError(f"{verifier_key!r:.100} is not a verifier key.") from None
    if len(public) != 32 or given != key_id(origin, public):
        raise NoteError(f"{verifier_key!r:.100} is not a verifier key, or was mistyped.")
    return (origin, given), public


def _decoded(text: str) -> bytes:
    try:
        decoded = b64decode(text, validate=True)
    except ValueError:
        raise NoteError("This is not a signed checkpoint.") from None
    if b64encode(decoded).decode() != text:  # spare bits: the same bytes could be written in several ways
        raise NoteError("This is not a signed checkpoint.")
    return decoded
