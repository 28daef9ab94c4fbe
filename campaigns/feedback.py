"""What providers tell of messages later: kept at once, each thing once, and worked on in whichever order it came.

A status only moves forward (``MOVES``): what is told twice, too late or in the wrong order changes nothing. What was
unknown becomes known here. A dead address, a complaint and a wish to get no more are written where consent is asked
for, before the next message.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns import fallback, machines, outbox, outgoing
from campaigns.channels.base import Feedback, Told
from campaigns.keys import NAMESPACE
from campaigns.models import Callback, ChannelAccount, Delivery
from campaigns.planning import source
from crm import consent, ingest, replies, suppression
from crm.addresses import ADDRESSES
from crm.merging import members_of
from crm.models import Event, Suppression

log = logging.getLogger(__name__)

Status = Delivery.Status
BATCH = 500
PATIENCE = timedelta(minutes=10)  # for a callback that comes before its message's answer; then it is nobody's

# From which statuses a message comes to which. After an attempt that found the provider busy a message waits again:
# if the provider took it after all, it must not leave a second time.
WAITS = frozenset({Status.QUEUED, Status.RESERVED})
OPEN = frozenset({Status.CALLING, Status.UNKNOWN})
MOVES: Mapping[Feedback, tuple[frozenset[Status], Status]] = {
    Feedback.SENT: (OPEN | WAITS, Status.ACCEPTED),
    Feedback.DELIVERED: (OPEN | WAITS | {Status.ACCEPTED}, Status.DELIVERED),
    # Some servers take a message and send it back hours later; none takes one that it has sent back.
    Feedback.BOUNCED: (OPEN | WAITS | {Status.ACCEPTED, Status.DELIVERED}, Status.BOUNCED),
    Feedback.FAILED: (OPEN | {Status.ACCEPTED}, Status.FAILED),
}
# What people do with a message they have got: it came, whatever was or was not told of it.
IMPLIES_DELIVERY = frozenset(
    {Feedback.OPENED, Feedback.CLICKED, Feedback.COMPLAINED, Feedback.UNSUBSCRIBED, Feedback.REPLIED}
)
EVENTS: Mapping[Feedback, Event.Kind] = {
    Feedback.OPENED: Event.Kind.OPENED,
    Feedback.CLICKED: Event.Kind.CLICKED,
    Feedback.COMPLAINED: Event.Kind.COMPLAINED,
    Feedback.UNSUBSCRIBED: Event.Kind.UNSUBSCRIBED,
    Feedback.REPLIED: Event.Kind.REPLIED,
}


def take(account: ChannelAccount, told: Sequence[Told], now: datetime) -> int:
    """Keep what a provider told, each thing once, then work on what waits; return how much of it was kept.

    Whoever calls this answers the provider as soon as it returns: what is kept is not told again.
    """
    keys = {one.key[:128] for one in told}
    known = set(Callback.objects.filter(account=account, key__in=keys).values_list("key", flat=True))
    rows = {one.key[:128]: _callback(account, one, now) for one in told if one.key[:128] not in known}
    Callback.objects.bulk_create(rows.values(), ignore_conflicts=True)
    work(now, Callback.objects.filter(account=account, key__in=list(rows)))
    return len(rows)


def work(now: datetime, among: QuerySet[Callback] | None = None) -> int:
    """Work on callbacks that wait, in the order in which things happened; return how many are done."""
    waiting = (Callback.objects.all() if among is None else among).filter(handled_at=None)
    keys = list(waiting.order_by("happened_at", "pk").values_list("pk", flat=True)[:BATCH])
    return sum(_work_on(pk, now) for pk in keys)


def _callback(account: ChannelAccount, told: Told, now: datetime) -> Callback:
    facts = {key: str(value) for key, value in asdict(told).items() if value not in (None, "")}
    return Callback(
        account=account,
        key=told.key[:128],
        kind=told.feedback.value,
        code=told.code[:64],
        told=facts | {"permanent": told.permanent},
        happened_at=min(told.happened_at, now),
        received_at=now,
    )


def _work_on(pk: int, now: datetime) -> bool:
    """Do what one callback asks for, in one transaction: the person is locked before her deliveries."""
    with transaction.atomic():
        row = Callback.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk, handled_at=None).first()
        if row is None:
            return False
        feedback = Feedback(row.kind)
        found = _named(row)
        if found is not None:
            _obey(row, feedback, found, now)
            _move(row, feedback, found, now)
            _tell(row, feedback, found, now)
        elif feedback == Feedback.REPLIED or row.told.get("address"):
            _obey_nobody(row, feedback, now)
        elif row.received_at > now - PATIENCE:
            return False
        Callback.objects.filter(pk=pk).update(handled_at=now, delivery=found)
    return True


def _named(row: Callback) -> Delivery | None:
    told: dict[str, Any] = row.told
    wanted = Q(pk=None)
    if told.get("delivery"):
        wanted |= Q(pk=told["delivery"]) | Q(call=told["delivery"])
    if told.get("provider_id"):
        wanted |= Q(account=row.account_id, provider_id=told["provider_id"])
    return Delivery.objects.filter(wanted).select_related("run__campaign__purpose", "profile").first()


def _move(row: Callback, feedback: Feedback, found: Delivery, now: datetime) -> None:
    kind = Feedback.DELIVERED if feedback in IMPLIES_DELIVERY else feedback
    if kind not in MOVES:
        return
    delivery = Delivery.objects.select_for_update(of=("self",)).get(pk=found.pk)
    allowed, becomes = MOVES[kind]
    if delivery.status not in allowed or delivery.call is None:
        return
    code = row.code or ("returned" if kind == Feedback.BOUNCED else "refused")
    definite = kind in (Feedback.BOUNCED, Feedback.FAILED)
    Delivery.objects.filter(pk=delivery.pk).update(
        status=becomes,
        reason=code[:64] if definite else "",
        ended_at=row.happened_at,
        lease_until=None,
        reserved_by=None,
        logged=False,
        provider_id=delivery.provider_id or row.told.get("provider_id", ""),
    )
    if definite:
        fallback.follow(found, now)


def _obey(row: Callback, feedback: Feedback, found: Delivery, now: datetime) -> None:
    """Write down what forbids further messages."""
    channel, profile, told = found.channel, found.profile_id, row.told
    if feedback == Feedback.BOUNCED and told.get("permanent"):
        _suppress(row, found, now)
    elif feedback == Feedback.COMPLAINED:
        suppression.suppress_people(members_of([profile])[profile], channel, Suppression.Why.COMPLAINED, now=now)
        consent.withdraw_marketing(profile, channel, "system", now, _heard(row))
    elif feedback == Feedback.UNSUBSCRIBED:
        consent.withdraw_marketing(profile, channel, "one_click", now, _heard(row))
    elif feedback == Feedback.REPLIED and replies.read_reply(told.get("text", "")):
        consent.withdraw_marketing(profile, channel, "sms_reply", now, _heard(row))


def _obey_nobody(row: Callback, feedback: Feedback, now: datetime) -> None:
    """Obey what is told of an address, where nobody knows of which message."""
    told, channel = row.told, row.account.channel
    types = ADDRESSES.get(channel, ())
    if not told.get("address") or not types:
        return
    if feedback == Feedback.REPLIED and types[0] == "phone":
        replies.take_reply(
            told["address"], told.get("text", ""), source=source(), now=now, message_id=row.key, channel=channel
        )
    elif feedback in (Feedback.COMPLAINED, Feedback.UNSUBSCRIBED):
        suppression.suppress([(types[0], told["address"])], channel, feedback.value, now=now)
    elif feedback == Feedback.BOUNCED and told.get("permanent"):
        suppression.suppress([(types[0], told["address"])], channel, Suppression.Why.BOUNCED, now=now)


def _suppress(row: Callback, found: Delivery, now: datetime) -> None:
    """Let nothing more go to an address that is dead: the one that was told, or those that the message may have had."""
    types = ADDRESSES.get(found.channel, ())
    if row.told.get("address") and types:
        suppression.suppress([(types[0], row.told["address"])], found.channel, Suppression.Why.BOUNCED, now=now)
    else:
        suppression.suppress_people([found.profile_id], found.channel, Suppression.Why.BOUNCED, now=now)


def _heard(row: Callback) -> consent.Heard:
    key = uuid5(NAMESPACE, f"callback {row.account_id} {row.key}")
    return consent.Heard(source=source(), idempotency=key, proof={"callback": row.key})


def _tell(row: Callback, feedback: Feedback, found: Delivery, now: datetime) -> None:
    kind = EVENTS.get(feedback)
    if kind is None:
        return
    agent = row.told.get("user_agent", "")
    event = ingest.NewEvent(
        kind=kind.value,
        profile_id=found.profile_id,
        occurred_at=row.happened_at,
        received_at=now,
        message_id=f"callback {row.account_id} {row.key}",
        name=found.run.campaign.name if found.run else "",
        session=str(found.occasion),
        channel=found.channel,
        properties=outbox.properties(found, machine=machines.is_one(agent, found.called_at, row.happened_at) or None),
    )
    ingest.record_many(source(), [event], now=now)
    machine = str(machines.is_one(agent, found.called_at, row.happened_at) or "")
    outgoing.tell(
        [outgoing.of_feedback(found, kind.value, f"callback {row.pk}", row.happened_at, machine=machine)], now
    )
