"""Hand-offs in the ledger: each message given to a provider leaves a leaf, so one that is removed later is missed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from crm import evidence
from crm.models import HandOff, HandOffPerson
from crm.uuid7 import uuid7


@dataclass(frozen=True, kw_only=True)
class NewHandOff:
    """A message about to be given to a provider, and what allows it at this moment.

    ``allowed_by`` is the consent event; it is ``None`` where the basis is not consent. ``basis``, ``purpose`` and
    ``channel`` are codes.
    """

    delivery: UUID
    profile_id: int
    allowed_by: UUID | None
    basis: str
    purpose: str
    channel: str
    handed_off_at: datetime


def record(handoffs: Sequence[NewHandOff], now: datetime) -> list[HandOff]:
    """Write hand-offs as evidence, in the transaction that moves their deliveries to *calling*.

    A delivery is handed off once: recording it again raises ``IntegrityError``, and nothing of the batch is written.
    """
    rows: list[HandOff] = []
    persons: list[HandOffPerson] = []
    for new in handoffs:
        row = HandOff(
            pk=uuid7(now),
            delivery=new.delivery,
            allowed_by=new.allowed_by,
            basis=new.basis,
            purpose=new.purpose,
            channel=new.channel,
            handed_off_at=new.handed_off_at,
            recorded_at=now,
        )
        person = HandOffPerson(hand_off=row, profile_id=new.profile_id)
        row.commitment = person.commit()
        rows.append(row)
        persons.append(person)
    evidence.append(rows, persons)
    return rows
