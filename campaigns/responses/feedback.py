"""What providers tell of messages later: kept at once, each thing once, and worked on in whichever order it came.

A status only moves forward (``MOVES``): what is told twice, too late or in the wrong order changes nothing. What was
unknown becomes known here. A dead address, a complaint and a wish to get no more are written where consent is asked
for, before the next message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet

from campaigns import outgoing
from campaigns.channels.base import Feedback, Told
from campaigns.delivering import fallback, outbox
from campaigns.models import Callback, ChannelAccount, Delivery
from campaigns.responses import machines, moods, obeying
from campaigns.runs.planning import source
from crm import ingest
from crm.models import Event

Status = Delivery.Status
BATCH, MOST = 500, 20_000  # in one transaction, in one go: what waits in vain must not keep the others waiting
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
DEFINITE = frozenset({Feedback.BOUNCED, Feedback.FAILED})
# What changes nothing but how far a message came.
PLAIN = frozenset(
    {Feedback.SENT.value, Feedback.DELIVERED.value, Feedback.DEFERRED.value}
    | {Feedback.OPENED.value, Feedback.CLICKED.value}
)
MOVED = ("status", "reason", "ended_at", "lease_until", "reserved_by", "logged", "provider_id")
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
    """Work on callbacks that wait, in the order in which things happened; return how many are done.

    Those that only tell how far a message came are worked on together; those after which something else must be done,
    one by one.
    """
    waiting = (Callback.objects.all() if among is None else among).filter(handled_at=None)
    rows = list(waiting.order_by("happened_at", "pk").values_list("pk", "kind")[:MOST])
    done = 0
    for plain, some in groupby(rows, key=lambda row: row[1] in PLAIN):
        keys = [pk for pk, _ in some]
        if plain:
            done += sum(_work_on_all(keys[start : start + BATCH], now) for start in range(0, len(keys), BATCH))
        else:
            done += sum(_work_on(pk, now) for pk in keys)
    return done


def _work_on_all(keys: Sequence[int], now: datetime) -> int:
    """Write down how far messages came, in one transaction; callbacks of nobody's messages wait, for a while."""
    with transaction.atomic():
        held = Callback.objects.select_for_update(skip_locked=True, of=("self",)).filter(pk__in=keys, handled_at=None)
        rows = list(held.order_by("happened_at", "pk"))
        named = _named_each(rows)
        wanted = {one.pk for one in named.values()}
        locked = Delivery.objects.filter(pk__in=wanted).select_for_update().order_by("pk").in_bulk()
        named = {pk: one for pk, one in named.items() if one.pk in locked}  # who was erased meanwhile is nobody
        moved = [pk for row in rows if (pk := _moved(row, named, locked))]
        Delivery.objects.bulk_update([locked[pk] for pk in dict.fromkeys(moved)], MOVED)
        _tell(rows, named, now)
        done = [row for row in rows if row.pk in named or row.received_at <= now - PATIENCE]
        for row in done:
            row.handled_at, row.delivery = now, named.get(row.pk)
        Callback.objects.bulk_update(done, ["handled_at", "delivery"])
    return len(done)


def _moved(row: Callback, named: Mapping[int, Delivery], locked: Mapping[UUID, Delivery]) -> UUID | None:
    """Move the delivery that a callback names on, in memory; return its key if it moved."""
    delivery = locked[named[row.pk].pk] if row.pk in named else None
    if delivery is None or not (facts := _moves(row, Feedback(row.kind), delivery)):
        return None
    for name, value in facts.items():
        setattr(delivery, name, value)
    return delivery.pk


def _callback(account: ChannelAccount, told: Told, now: datetime) -> Callback:
    facts = {key: str(value) for key, value in asdict(told).items() if value not in (None, "")}
    return Callback(
        account=account,
        key=told.key[:128],
        kind=told.feedback.value,
        code=told.code[:64],
        told=facts | {"permanent": told.permanent},
        angry=told.feedback == Feedback.REPLIED and moods.is_angry(told.text),
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
            obeying.obey(row, feedback, found, now)
            _move(row, feedback, found, now)
            _tell([row], {row.pk: found}, now)
        elif feedback == Feedback.REPLIED or row.told.get("address"):
            obeying.obey_nobody(row, feedback, now)
        elif row.received_at > now - PATIENCE:
            return False
        Callback.objects.filter(pk=pk).update(handled_at=now, delivery=found)
    return True


def _named(row: Callback) -> Delivery | None:
    return _named_each([row]).get(row.pk)


def _named_each(rows: Sequence[Callback]) -> dict[int, Delivery]:
    """Return the delivery that each callback names, by our number or by the provider's."""
    ours = {UUID(told): row.pk for row in rows if (told := row.told.get("delivery"))}
    theirs = {(row.account_id, told): row.pk for row in rows if (told := row.told.get("provider_id"))}
    by_number = Q()
    for account in {account for account, _ in theirs}:
        by_number |= Q(account=account, provider_id__in=[number for one, number in theirs if one == account])
    wanted = [Q(pk__in=ours), Q(call__in=ours), *([by_number] if theirs else [])]
    related = Delivery.objects.prefetch_related("run__campaign__purpose")
    known: dict[object, Delivery] = {}
    for which in wanted if ours else wanted[2:]:  # each by its own index, which an OR would not use
        for one in related.filter(which):
            known |= {one.pk: one, one.call: one, (one.account_id, one.provider_id): one}
    found = {}
    for row in rows:
        told = row.told
        names = (UUID(told["delivery"]) if told.get("delivery") else None, (row.account_id, told.get("provider_id")))
        known_by = next((known[name] for name in names if name and name in known), None)
        if known_by is not None and known_by.account_id in (None, row.account_id):  # nobody speaks for another's
            found[row.pk] = known_by
    return found


def _moves(row: Callback, feedback: Feedback, delivery: Delivery) -> dict[str, Any]:
    """Return what a callback changes of a delivery; nothing where it is further already."""
    kind = Feedback.DELIVERED if feedback in IMPLIES_DELIVERY else feedback
    if kind not in MOVES:
        return {}
    allowed, becomes = MOVES[kind]
    if delivery.status not in allowed or delivery.call is None:
        return {}
    code = row.code or ("returned" if kind == Feedback.BOUNCED else "refused")
    return {
        "status": becomes,
        "reason": code[:64] if kind in DEFINITE else "",
        "ended_at": row.happened_at,
        "lease_until": None,
        "reserved_by": None,
        "logged": False,
        "provider_id": delivery.provider_id or row.told.get("provider_id", ""),
    }


def _move(row: Callback, feedback: Feedback, found: Delivery, now: datetime) -> None:
    facts = _moves(row, feedback, Delivery.objects.select_for_update(of=("self",)).get(pk=found.pk))
    if facts:
        Delivery.objects.filter(pk=found.pk).update(**facts)
    if facts and feedback in DEFINITE:
        fallback.follow(found, now)


def _tell(rows: Sequence[Callback], named: Mapping[int, Delivery], now: datetime) -> None:
    """Tell the log, and other systems that want to know, what people did with their messages."""
    told = [(row, named[row.pk]) for row in rows if row.pk in named and Feedback(row.kind) in EVENTS]
    if not told:
        return
    ingest.record_many(source(), [_event(row, found, now) for row, found in told], now=now)
    outgoing.tell([_fact(row, found) for row, found in told], now)


def _event(row: Callback, found: Delivery, now: datetime) -> ingest.NewEvent:
    return ingest.NewEvent(
        kind=EVENTS[Feedback(row.kind)].value,
        profile_id=found.profile_id,
        occurred_at=row.happened_at,
        received_at=now,
        message_id=f"callback {row.account_id} {row.key}",
        name=found.run.campaign.name if found.run else "",
        session=str(found.occasion),
        channel=found.channel,
        properties=outbox.properties(found, machine=_by_machine(row, found) or None),
    )


def _fact(row: Callback, found: Delivery) -> outgoing.Fact:
    kind = EVENTS[Feedback(row.kind)].value
    machine = str(_by_machine(row, found) or "")
    return outgoing.of_feedback(found, kind, f"callback {row.pk}", row.happened_at, machine=machine)


def _by_machine(row: Callback, found: Delivery) -> bool:
    return machines.is_one(row.told.get("user_agent", ""), found.called_at, row.happened_at)
