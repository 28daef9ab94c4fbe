"""Signatures by the Standard Webhooks specification, version 1: what we send, and what is sent to us."""

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)


class BadSignature(ValueError):
    """What came is not signed by whom it should be, or is too old."""


def new_secret() -> str:
    """Return a secret of 256 random bits."""
    return PREFIX + b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """Return the key that a secret spells; :class:`ValueError` where it is none of 24 to 64 bytes."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("A secret is whsec_ and base64.") from error
    if not 24 <= len(key) <= 64:
        raise ValueError("A secret has 24 to 64 bytes.")
    return key


def sign(secret: str, number: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers that go with a message: its number, the time, and the signature over both and the body.

    >>> from datetime import UTC
    >>> now = datetime.fromtimestamp(1614265330, UTC)
    >>> body = b'{"test": 2432232314}'
    >>> sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", body, now)["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    stamp = str(int(now.timestamp()))
    return {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": _tag(secret, number, stamp, body)}


def sign_with_each(secrets_: Sequence[str], number: str, body: bytes, now: datetime) -> dict[str, str]:
    """Return the headers signed with several secrets: while one is being rotated, a receiver may know either."""
    signed = [sign(secret, number, body, now) for secret in secrets_]
    return signed[0] | {"webhook-signature": " ".join(one["webhook-signature"] for one in signed)}


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
    """Return the number of a message that is genuine and not older than five minutes.

    Raises
    ------
    BadSignature
        It is not.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    number, stamp = lower.get("webhook-id", ""), lower.get("webhook-timestamp", "")
    if not number or not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
        raise BadSignature("The headers are not there.")
    wanted = _tag(secret, number, stamp, body)
    given = lower.get("webhook-signature", "").split(" ")[:16]
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given):
        raise BadSignature("It is signed by somebody else.")
    if abs(now.timestamp() - int(stamp)) > TOLERANCE.total_seconds():
        raise BadSignature("It is too old, or from the future.")
    return number


def _tag(secret: str, number: str, stamp: str, body: bytes) -> str:
    signed = b".".join((number.encode(), stamp.encode(), body))
    return "v1," + b64encode(hmac.digest(key_of(secret), signed, sha256)).decode()
