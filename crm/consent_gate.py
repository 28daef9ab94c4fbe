"""The last question before a message leaves: asked, answered and written down in one transaction.

A hand-off shares the locks of all of a person's profiles, a withdrawal excludes them. So whichever commits first came
first: no hand-off commits after a withdrawal that it did not see. A hand-off's leaf in the ledger names the event that
allowed it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction

from crm import handoffs
from crm.consent_basis import bases_for, purpose_of
from crm.consent_rules import Basis
from crm.copying import int_array
from crm.handoffs import NewHandOff
from crm.merging import members_of
from crm.models import Purpose

# In the order of their ids, like everybody who locks profiles, so that no two wait for each other.
SHARE = "SELECT 1 FROM crm_profile WHERE id = ANY (%s::bigint[]) ORDER BY id FOR SHARE"


class ToSend(NamedTuple):
    """A message that is ready: the delivery it belongs to, and to whom it goes."""

    delivery: UUID
    profile: int


def may_hand_off(profile: int, purpose: str | Purpose, channel: str, now: datetime) -> Basis:
    """Answer whether a message may leave now, and hold the answer true until the caller's transaction ends.

    The caller records the hand-off (:func:`crm.handoffs.record`) and commits before the provider is called.
    """
    return may_hand_off_each([profile], purpose, channel, now)[profile]


def may_hand_off_each(
    profiles: Iterable[int], purpose: str | Purpose, channel: str, now: datetime
) -> Mapping[int, Basis]:
    """Answer it for many people, with one lock statement and one question."""
    if not connection.in_atomic_block:
        raise RuntimeError("A hand-off is asked for in the transaction that records it.")
    asked = set(profiles)
    with connection.cursor() as cursor:
        cursor.execute(SHARE, [int_array(sorted({one for people in members_of(asked).values() for one in people}))])
    # A statement of its own: it sees what was committed while the locks were waited for.
    return bases_for(asked, purpose, channel, now)


def hand_off(messages: Sequence[ToSend], purpose: str | Purpose, channel: str, now: datetime) -> dict[UUID, Basis]:
    """Hand over those messages that may leave, as leaves of the ledger, and say of each why or why not.

    Call the provider for the allowed ones after the transaction has committed, and for no others.
    """
    found = purpose_of(purpose)
    with transaction.atomic():
        bases = may_hand_off_each((message.profile for message in messages), found, channel, now)
        allowed = [message for message in messages if bases[message.profile].allowed]
        leaves = [
            leaf(message.delivery, message.profile, bases[message.profile], found, channel, now) for message in allowed
        ]
        handoffs.record(leaves, now)
    return {message.delivery: bases[message.profile] for message in messages}


def leaf(delivery: UUID, profile: int, basis: Basis, purpose: Purpose, channel: str, now: datetime) -> NewHandOff:
    """Return what is to be written of one hand-off (:func:`crm.handoffs.record`) that a basis allows."""
    return NewHandOff(
        delivery=delivery,
        profile_id=profile,
        allowed_by=basis.event_id,
        basis=purpose.basis,
        purpose=purpose.code,
        channel=channel,
        handed_off_at=now,
    )
