"""Taking consent back: as easily as it was given, for one purpose or for all, on one channel or on every one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from crm import suppression
from crm.consent_checks import ConsentRefused, NewConsent
from crm.consent_rules import NO_CHOICE, REFUSALS, State
from crm.consent_writing import Wanted, lock, record_each
from crm.keys import NAMESPACE
from crm.merging import members_of
from crm.models import ConsentEvent, ConsentState, Purpose, Source, Suppression
from crm.models.purposes import PurposeQuerySet


@dataclass(frozen=True, kw_only=True)
class Heard:
    """How a withdrawal reached us: from where, when it was said if not just now, by which message, with what proof.

    A message with the same ``idempotency`` is taken once.
    """

    source: Source | None = None
    idempotency: UUID | None = None
    claimed_at: datetime | None = None
    proof: dict[str, Any] = field(default_factory=dict)


def withdraw(
    profile: int,
    purpose: str | None,
    channel: str,
    method: str,
    now: datetime,
    heard: Heard | None = None,
) -> list[ConsentEvent]:
    """Take back the consent to one purpose, or (``None``) to all of them, on one channel, or (empty) on every one.

    As it happens (no ``claimed_at``) it wins over all that was said before, whatever the clocks say; and it is never
    refused for want of a consent: who never gave one objects. All purposes on one channel means all marketing there;
    on every channel it means whatever a person may choose.

    Raises
    ------
    ConsentRefused
        There is no such profile, purpose or channel.
    """
    heard = heard or Heard()
    told = _told(method, channel, heard)
    if purpose is None:
        chosen = _marketing(channel) if channel else _chosen()
        return _withdraw_all(profile, chosen, told, heard, now)
    with transaction.atomic():
        return _written([Wanted(profile, replace(told, purpose=purpose, idempotency=heard.idempotency))], heard, now)


def withdraw_marketing(
    profile: int,
    channel: str,
    method: str,
    now: datetime,
    heard: Heard | None = None,
) -> list[ConsentEvent]:
    """Take back the consent to all marketing, on one channel or (empty) on every one; as :func:`withdraw` does."""
    heard = heard or Heard()
    return _withdraw_all(profile, _marketing(channel), _told(method, channel, heard), heard, now)


def _told(method: str, channel: str, heard: Heard) -> NewConsent:
    return NewConsent(
        purpose="",
        state=State.WITHDRAWN.value,
        method=method,
        channel=channel,
        claimed_at=heard.claimed_at,
        proof=heard.proof,
    )


def _withdraw_all(
    profile: int, chosen: PurposeQuerySet, told: NewConsent, heard: Heard, now: datetime
) -> list[ConsentEvent]:
    """Withdraw from what is left of the chosen purposes, and suppress the addresses: the wish outlives the profile."""
    with transaction.atomic():
        people = members_of([profile])[profile]
        lock(people)
        keys = {purpose.code: _key(heard.idempotency, purpose.code) for purpose in chosen.order_by("code")}
        if _heard_before(keys):  # sent again: a consent that was given since stands
            return []
        done = _refused(people, told.channel)
        left = [replace(told, purpose=code, idempotency=key) for code, key in keys.items() if code not in done]
        since = min(told.claimed_at or now, now)
        suppression.suppress_people(people, told.channel, Suppression.Why.UNSUBSCRIBED, now=now, since=since)
        return _written([Wanted(profile, one) for one in left], heard, now)


def _written(wanted: list[Wanted], heard: Heard, now: datetime) -> list[ConsentEvent]:
    done = record_each(wanted, source=heard.source, now=now)
    for outcome in done:
        if isinstance(outcome, ConsentRefused):
            raise outcome
    return [event for event in done if isinstance(event, ConsentEvent)]


def _heard_before(keys: Mapping[str, UUID | None]) -> bool:
    return ConsentEvent.objects.filter(idempotency__in=[key for key in keys.values() if key]).exists()


def _key(idempotency: UUID | None, code: str) -> UUID | None:
    return uuid5(NAMESPACE, f"withdraw:{idempotency}:{code}") if idempotency else None


def _chosen() -> PurposeQuerySet:
    """Return what a person may choose: not what a contract or the law needs, and not that the data are kept safe."""
    needed = [*NO_CHOICE, Purpose.Basis.CONTRACT.value]
    return Purpose.objects.exclude(basis__in=needed).exclude(kind=Purpose.Kind.STORAGE)


def _marketing(channel: str) -> PurposeQuerySet:
    marketing = _chosen().filter(kind=Purpose.Kind.MARKETING)
    return marketing.covering(channel) if channel else marketing


def _refused(people: Collection[int], channel: str) -> set[str]:
    """Return the purposes that were refused on the channel already: saying so again would say nothing."""
    rows = ConsentState.objects.filter(profile_id__in=people, state__in=REFUSALS, channel=channel)
    return set(rows.values_list("purpose__code", flat=True))
