"""Who got to see or to hold something of a person: providers, recipients, staff and programs."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from crm.models import HandOff, LedgerNote, PersonalDataAccess

Row = Mapping[str, Any]


def hand_offs(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield the messages that left for a provider, with what allowed them."""
    sent = HandOff.objects.filter(person__profile__in=profiles).order_by("handed_off_at", "pk")
    for hand_off in sent.iterator(chunk_size=2000):
        yield hand_off.facts() | {"id": hand_off.pk}


def disclosures(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield the notes of data that were given to others, and of what else the ledger says of this person."""
    notes = LedgerNote.objects.filter(person__profile__in=profiles).order_by("happened_at", "pk")
    for one in notes.iterator(chunk_size=2000):
        yield {"kind": one.kind, "reference": one.reference, "facts": json.loads(one.facts_json), "at": one.happened_at}


def accesses(profiles: Sequence[int]) -> Iterator[Row]:
    """Yield who saw her data whole; members of staff by their part, not by name: those data are theirs."""
    for access in (
        PersonalDataAccess.objects.filter(profile__in=profiles).order_by("at", "pk").iterator(chunk_size=2000)
    ):
        who = "staff" if access.user_id else "program"
        yield {"who": who, "action": access.action, "what": access.what, "reason": access.reason, "at": access.at}
