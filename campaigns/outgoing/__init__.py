"""What other systems are told: a fact becomes a message to each endpoint that wants its kind, in its transaction.

So what is committed is told, and what was rolled back is not. A message's id is the uuid5 of endpoint and fact: a fact
that is told twice makes one message. Nothing personal goes out: people are our numbers, what happened is codes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.utils.translation import gettext_lazy as _

from campaigns.keys import NAMESPACE
from campaigns.models import Delivery, WebhookEndpoint, WebhookMessage
from crm.models import Profile

PING = "ping"
KINDS: Mapping[str, Any] = {
    "delivery.accepted": _("a provider took a message"),
    "delivery.delivered": _("a message arrived"),
    "delivery.bounced": _("a message came back"),
    "delivery.failed": _("a message was definitely not sent"),
    "delivery.unknown": _("nobody knows whether a message left"),
    "delivery.suppressed": _("a message was not to be sent"),
    "delivery.opened": _("a message was opened"),
    "delivery.clicked": _("a link was followed"),
    "delivery.complained": _("somebody complained"),
    "delivery.unsubscribed": _("somebody unsubscribed by a message"),
    "delivery.replied": _("somebody replied"),
    "consent.given": _("somebody gave consent"),
    "consent.refused": _("somebody refused consent"),
    "consent.withdrawn": _("somebody's consent ended"),
    "scores.finished": _("people were scored anew"),
    "journey.step": _("somebody came by a step of a journey"),
}
Status = Delivery.Status
# What a status comes to; a message that arrived before anybody looked was taken first.
OF_STATUS: Mapping[str, Sequence[str]] = {
    Status.ACCEPTED: ("delivery.accepted",),
    Status.DELIVERED: ("delivery.accepted", "delivery.delivered"),
    Status.BOUNCED: ("delivery.accepted", "delivery.bounced"),
    Status.FAILED: ("delivery.failed",),
    Status.UNKNOWN: ("delivery.unknown",),
    Status.SUPPRESSED: ("delivery.suppressed",),
}


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that happened: its kind, a key that no other fact of the kind has, when, to whom, and the rest."""

    kind: str
    key: str
    happened_at: datetime
    profile: int | None = None
    data: Mapping[str, object] = field(default_factory=dict)


def tell(facts: Sequence[Fact], now: datetime) -> int:
    """Put facts into the queues of the endpoints that want them; return how many messages that are, old or new.

    Call it in the transaction of the facts. People whose data may only be stored are told of to nobody.
    """
    kinds = {fact.kind for fact in facts}
    wanting = WebhookEndpoint.objects.listening().filter(kinds__overlap=sorted(kinds)) if kinds else ()
    endpoints = [(endpoint.pk, frozenset(endpoint.kinds)) for endpoint in wanting]
    if not endpoints:
        return 0
    people = {fact.profile for fact in facts if fact.profile is not None}
    usable = set(Profile.objects.usable().filter(pk__in=people).values_list("pk", flat=True))
    told = [fact for fact in facts if fact.profile is None or fact.profile in usable]
    rows = [message(endpoint, fact, now) for fact in told for endpoint, wanted in endpoints if fact.kind in wanted]
    WebhookMessage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return len(rows)


def message(endpoint: int, fact: Fact, now: datetime) -> WebhookMessage:
    """Return the message of a fact to an endpoint, due at once and not yet kept."""
    return WebhookMessage(
        id=message_id(endpoint, fact.kind, fact.key),
        endpoint_id=endpoint,
        kind=fact.kind,
        profile_id=fact.profile,
        body=dict(fact.data),
        happened_at=fact.happened_at,
        created_at=now,
        next_at=now,
    )


def message_id(endpoint: int, kind: str, key: str) -> UUID:
    return uuid5(NAMESPACE, f"webhook {endpoint} {kind} {key}")


def of_delivery(row: Delivery, now: datetime) -> list[Fact]:
    """Return what a delivery's present status comes to; its run is at hand."""
    kinds = OF_STATUS.get(row.status, ())
    first = row.called_at or now
    return [
        Fact(
            kind=kind,
            key=str(row.pk),
            happened_at=(first if kind == "delivery.accepted" else row.ended_at) or now,
            profile=row.profile_id,
            data=_of(row) | {"reason": row.reason},
        )
        for kind in kinds
    ]


def of_feedback(row: Delivery, kind: str, key: str, happened_at: datetime, *, machine: str = "") -> Fact:
    """Return what somebody did with a message; ``machine`` says which kind of program it was, if it was one."""
    return Fact(
        kind=f"delivery.{kind}",
        key=key,
        happened_at=happened_at,
        profile=row.profile_id,
        data=_of(row) | {"automatic": bool(machine)},
    )


def _of(row: Delivery) -> dict[str, object]:
    return {
        "delivery": str(row.pk),
        "campaign": row.run.campaign_id if row.run else None,
        "run": str(row.run_id) if row.run_id else None,
        "variant": row.variant_id,
        "channel": row.channel,
    }
