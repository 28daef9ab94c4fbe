"""Signed, short-lived tokens with which one person's browser may ask one thing about that person.

The server application that knows who is logged in asks for one and hands it to its page. Nothing is stored: the token
says whom it is for, what for and until when, and its signature has a salt of its own, so no other signed value of this
project passes for one. It is short-lived, and it names the epoch of its client: when that has gone up, it is refused.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.signing import BadSignature, Signer

PREFIX = "person."
SALT = "crm.person_tokens"
LONGEST = timedelta(minutes=15)
CLOCKS_DIFFER = timedelta(seconds=30)


class BadToken(ValueError):
    """The token is not ours, was changed, or its time is over; which of them is nobody's business."""


@dataclass(frozen=True, kw_only=True)
class PersonToken:
    """What a token says: this application may let this person's browser ask this, until then."""

    client_id: int
    profile_id: int
    purpose: str
    expires_at: datetime
    epoch: int = 0


def mint(token: PersonToken, now: datetime) -> str:
    """Return the token as text for an ``Authorization: Bearer`` header."""
    if not now < token.expires_at <= now + LONGEST:
        raise ValueError(f"A person token lives for at most {LONGEST}, until {token.expires_at} is not in it.")
    begun, ended = int(now.timestamp()), int(token.expires_at.timestamp())
    said = [token.client_id, token.profile_id, token.purpose, begun, ended, token.epoch]
    return PREFIX + Signer(salt=SALT).sign_object(said)


def read(text: str, now: datetime) -> PersonToken:
    """Return what a token says, if it is ours and its time is not over; raise ``BadToken`` otherwise."""
    if not text.startswith(PREFIX):
        raise BadToken("not a person token")
    try:
        said: list[Any] = Signer(salt=SALT).unsign_object(text.removeprefix(PREFIX))
    except (BadSignature, ValueError) as error:
        raise BadToken("not signed by us") from error
    client_id, profile_id, purpose, begun, ended, epoch = said
    begun_at, expires_at = datetime.fromtimestamp(begun, UTC), datetime.fromtimestamp(ended, UTC)
    # Both are ours, yet LONGEST may have been lowered since, and another server's clock may be wrong.
    if not begun_at - CLOCKS_DIFFER <= now < expires_at <= begun_at + LONGEST:
        raise BadToken("its time is over")
    return PersonToken(client_id=client_id, profile_id=profile_id, purpose=purpose, expires_at=expires_at, epoch=epoch)
