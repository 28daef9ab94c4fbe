"""Taking consent back: as easily as it was given, for one purpose or for all, on one channel or on every one."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from crm import suppression
from crm.consent_checks import ConsentRefused, NewConsent
from crm.consent_rules import NO_CHOICE, REFUSALS, State
from crm.consent_writing import Wanted, lock, record_each
from crm.keys import NAMESPACE
from crm.merging import members
from crm.models import ConsentEvent, ConsentState, Purpose, Source
from crm.models.suppression import Suppression


def withdraw(
    profile: int,
    purpose: str | None,
    channel: str,
    method: str,
    now: datetime,
    *,
    source: Source | None = None,
    idempotency: UUID | None = None,
    proof: dict[str, Any] | None = None,
) -> list[ConsentEvent]:
    """Take back the consent to one purpose, or (``None``) to all of them, on one channel, or (empty) on every one.

    It always wins over what was said before, whatever the clocks say, and it is never refused for want of a consent:
    who never gave one objects. All of them on one channel means all marketing there; on every channel it means whatever
    a person may choose. Then her addresses are suppressed as well, so that the wish outlives her profile.

    Raises
    ------
    ConsentRefused
        There is no such profile, purpose or channel.
    """
    told = NewConsent(purpose="", state=State.WITHDRAWN.value, method=method, channel=channel, proof=proof or {})
    with transaction.atomic():
        people = members(profile)
        lock(people)
        codes = [purpose] if purpose else _all(people, channel)
        wanted = [Wanted(profile, _one(told, code, idempotency)) for code in codes]
        done = record_each(wanted, source=source, now=now)
        if purpose is None:
            suppression.suppress_people(people, channel, Suppression.Why.UNSUBSCRIBED, now=now)
    for outcome in done:
        if isinstance(outcome, ConsentRefused):
            raise outcome
    return [event for event in done if isinstance(event, ConsentEvent)]


def _one(told: NewConsent, code: str, idempotency: UUID | None) -> NewConsent:
    from dataclasses import replace  # noqa: PLC0415

    key = uuid5(NAMESPACE, f"withdraw:{idempotency}:{code}") if idempotency else None
    return replace(told, purpose=code, idempotency=key)


def _all(people: Iterable[int], channel: str) -> list[str]:
    """Return the purposes that "everything" means: what the person may choose and has not refused already."""
    purposes = Purpose.objects.exclude(basis__in=[*NO_CHOICE, Purpose.Basis.CONTRACT]).exclude(
        kind=Purpose.Kind.STORAGE
    )
    if channel:
        purposes = purposes.filter(kind=Purpose.Kind.MARKETING).covering(channel)
    refused = ConsentState.objects.filter(profile_id__in=list(people), state__in=REFUSALS, channel=channel)
    return sorted(set(purposes.values_list("code", flat=True)) - set(refused.values_list("purpose_id", flat=True)))
