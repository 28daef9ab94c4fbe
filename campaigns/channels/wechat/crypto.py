"""How the platforms sign and encrypt what they call us with; the same for official accounts, mini programs and WeCom.

AES-256 in CBC mode, the key's first half as the vector, PKCS#7 to blocks of 32 bytes. The platform says nothing of
who encrypted but by the signature, so that is looked at first: nobody without the token learns how padding fails.
"""

import base64
import binascii
import hashlib
import hmac
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
RANDOM, LENGTH = 16, 4  # bytes before the message: random ones, then its length


class NotGenuine(ValueError):
    """What came is not from the platform, or not for this account; ``check`` says by which check, to us alone."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


def signature(*parts: str) -> str:
    """Return the platform's signature of its token and what it sends: SHA-1 over the sorted parts.

    >>> signature("AAAAA", "1714036504", "1514711492")
    'f464b24fc39322e44b38aa78f5edd27bd1441696'
    """
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def check_signature(told: str, *parts: str) -> None:
    """Raise :class:`NotGenuine` unless the signature is that of the parts; in constant time."""
    if not hmac.compare_digest(signature(*parts).encode(), told.encode()):
        raise NotGenuine("signature")


@dataclass(frozen=True, repr=False)
class Key:
    """An account's EncodingAESKey: 43 characters that stand for 32 bytes."""

    raw: bytes

    @classmethod
    def read(cls, text: str) -> "Key":
        """Return the key; ValueError where the characters are no key."""
        try:
            raw = base64.b64decode(text + "=", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("An EncodingAESKey is 43 letters and digits.") from error
        if len(text) != 43 or len(raw) != 32:
            raise ValueError("An EncodingAESKey is 43 letters and digits.")
        return cls(raw)

    def _cipher(self) -> "Cipher[modes.CBC]":
        return Cipher(algorithms.AES(self.raw), modes.CBC(self.raw[:16]))

    def seal(self, message: bytes, receiver: str) -> str:
        """Encrypt a reply."""
        told = os.urandom(RANDOM) + struct.pack(">I", len(message)) + message + receiver.encode()
        short = BLOCK - len(told) % BLOCK
        cipher = self._cipher().encryptor()
        return base64.b64encode(cipher.update(told + bytes([short]) * short) + cipher.finalize()).decode()

    def open(self, sealed: str, receiver: str) -> bytes:
        """Decrypt a message for a receiver: an appid, a corpid or a suite's.

        Raises
        ------
        NotGenuine
            By the first check that fails: base64, blocks, padding, length, receiver.
        """
        told = _without_padding(self._decrypted(sealed))
        if len(told) < RANDOM + LENGTH:
            raise NotGenuine("length")
        (size,) = struct.unpack(">I", told[RANDOM : RANDOM + LENGTH])
        rest = told[RANDOM + LENGTH :]
        if size > len(rest):
            raise NotGenuine("length")
        if not hmac.compare_digest(rest[size:], receiver.encode()):
            raise NotGenuine("receiver")
        return rest[:size]

    def _decrypted(self, sealed: str) -> bytes:
        try:
            raw = base64.b64decode(sealed, validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotGenuine("base64") from error
        if not raw or len(raw) % 16:
            raise NotGenuine("blocks")
        cipher = self._cipher().decryptor()
        return cipher.update(raw) + cipher.finalize()


def _without_padding(told: bytes) -> bytes:
    short = told[-1]
    if not 1 <= short <= BLOCK or len(told) < short or told[-short:] != bytes([short]) * short:
        raise NotGenuine("padding")
    return told[:-short]


def open_by_any(sealed: str, keys: Iterable[Key], receiver: str) -> bytes:
    """Decrypt by the first key that fits: after a change the platform still uses the one before for a while.

    Raises
    ------
    NotGenuine
        None fits; the check is that which failed with the present key.
    """
    first: NotGenuine | None = None
    for key in keys:
        try:
            return key.open(sealed, receiver)
        except NotGenuine as error:
            first = first or error
    raise first or NotGenuine("no key")


def sealed_reply(message: bytes, key: Key, receiver: str, token: str, timestamp: str, nonce: str) -> bytes:
    """Return an answer as the platform reads it in safe mode."""
    sealed = key.seal(message, receiver)
    signed = signature(token, timestamp, nonce, sealed)
    return (
        f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt><MsgSignature><![CDATA[{signed}]]></MsgSignature>"
        f"<TimeStamp>{timestamp}</TimeStamp><Nonce><![CDATA[{nonce}]]></Nonce></xml>"
    ).encode()
