"""Messages leave here: taken in batches on a lease, handed over just before each call, and the answers written down.

queued → reserved (a batch; safe to put back) → calling (:mod:`campaigns.delivering.handing_off`) → what the provider
answers. Whoever crashes after a hand-off leaves a row in calling: nobody knows whether the message left, so it becomes
*unknown*, is shown, and is never sent again blindly.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from campaigns.bulk import pairs
from campaigns.bulk.pairs import Pair
from campaigns.delivering.handing_off import LEASE, Ready, hand_off_each
from campaigns.delivering.settling import LOST, MOST_ATTEMPTS, settle, settle_each
from campaigns.models import Delivery, Run, SendingPolicy
from campaigns.reach.audience import Reason
from crm.copying import int_array, text_array

__all__ = [
    "LEASE",
    "MOST_ATTEMPTS",
    "Ready",
    "expire",
    "hand_off",
    "recover",
    "release",
    "reserve",
    "reserve_many",
    "send",
    "settle",
    "settle_each",
    "suppress",
]

RATED = timedelta(minutes=1)
Status = Delivery.Status

# A run at a time, by an index that holds what is queued of it: what waits for a paused campaign is never looked at.
TAKE = """
WITH taken AS MATERIALIZED (
    SELECT id FROM campaigns_delivery
    WHERE run_id = %(run)s AND status = 'queued' AND due_at <= %(now)s {which}
    ORDER BY due_at, id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE campaigns_delivery d SET status = 'reserved', reserved_by = %(worker)s, lease_until = %(until)s
FROM taken WHERE d.id = taken.id RETURNING d.id
"""
# What goes to many in one call is taken by whoever makes such calls (campaigns.bulk), and by nobody else.
ANY = TAKE.format(which="")
ALONE = TAKE.format(
    which="AND (variant_id, channel) NOT IN (SELECT * FROM unnest(%(variants)s::bigint[], %(channels)s::text[]))"
)
TOGETHER = TAKE.format(which="AND variant_id = %(variant)s AND channel = %(channel)s")
LEFT = """
SELECT (SELECT count(*) FROM campaigns_delivery WHERE run_id = %(run)s AND called_at > %(since)s)
     + (SELECT count(*) FROM campaigns_delivery WHERE run_id = %(run)s AND status = 'reserved')
"""
# Whoever holds a row has it: it is put back or decided on by them, or the next time.
CHANGE = """
WITH taken AS MATERIALIZED (
    SELECT id FROM campaigns_delivery WHERE {which} ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE campaigns_delivery d SET status = %(status)s, reason = %(reason)s, reserved_by = NULL, lease_until = NULL,
    ended_at = %(ended)s, logged = %(ended)s IS NULL AND d.logged
FROM taken WHERE d.id = taken.id
"""
ABANDONED = CHANGE.format(which="status = 'reserved' AND lease_until < %(now)s")
UNANSWERED = CHANGE.format(which="status = 'calling' AND job_id IS NULL AND lease_until < %(now)s")
EXPIRED = CHANGE.format(which="status = 'queued' AND expires_at <= %(now)s")
OWN = CHANGE.format(which="status = 'reserved' AND reserved_by = %(worker)s")
AT_ONCE = 10_000


def reserve(worker: UUID, limit: int, now: datetime) -> list[UUID]:
    """Take up to ``limit`` due deliveries for a worker, the most important campaigns first; others skip them."""
    if SendingPolicy.objects.filter(stopped_at__isnull=False).exists():
        return []
    taken: list[UUID] = []
    for run in Run.objects.sending().select_related("campaign").order_by("-campaign__priority", "starts_at", "pk"):
        taken += _take_alone(worker, run, limit - len(taken), now)
        if len(taken) >= limit:
            break
    return taken


def reserve_many(worker: UUID, pair: Pair, limit: int, now: datetime) -> list[UUID]:
    """Take up to ``limit`` due deliveries of a message that goes to many at once."""
    if SendingPolicy.objects.filter(stopped_at__isnull=False).exists():
        return []
    return _take(worker, pair.run, limit, now, TOGETHER, variant=pair.variant.pk, channel=pair.channel)


def _take_alone(worker: UUID, run: Run, limit: int, now: datetime) -> list[UUID]:
    many = pairs.of(run)
    if not many:
        return _take(worker, run, limit, now, ANY)
    variants = int_array(one.variant.pk for one in many)
    channels = text_array(one.channel for one in many)
    return _take(worker, run, limit, now, ALONE, variants=variants, channels=channels)


def _take(worker: UUID, run: Run, limit: int, now: datetime, statement: str, **more: Any) -> list[UUID]:
    values: dict[str, Any] = {"worker": worker, "run": run.pk, "until": now + LEASE, "now": now} | more
    with transaction.atomic(), connection.cursor() as cursor:
        if rate := run.campaign.send_rate:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"rate of {run.pk}"])
            cursor.execute(LEFT, values | {"since": now - RATED})
            limit = min(limit, rate - cursor.fetchone()[0])
        if limit <= 0:
            return []
        cursor.execute(statement, values | {"limit": limit})
        return [pk for (pk,) in cursor.fetchall()]


def send(ready: Ready, worker: UUID, clock: Callable[[], datetime]) -> str:
    """Hand one message over, if it still may leave, and write down what became of it; return its new status."""
    call = hand_off(ready, worker, clock())
    if call is None:
        return Delivery.objects.values_list("status", flat=True).get(pk=ready.delivery.pk)
    return settle(call, ready.channel.send(ready.account, ready.message, call), clock())


def hand_off(ready: Ready, worker: UUID, now: datetime) -> UUID | None:
    """Hand over one message; return the hand-off's number, or nothing where it may not leave."""
    return hand_off_each([ready], worker, now).get(ready.delivery.pk)


def release(worker: UUID, now: datetime) -> int:
    """Put back what a worker has reserved and will not send."""
    return _change(OWN, Status.QUEUED, "", None, now, worker=worker)


def recover(now: datetime) -> tuple[int, int]:
    """Put back what a lost worker had reserved, and call unknown what it was handing over; return how many of each."""
    back = _change(ABANDONED, Status.QUEUED, "", None, now)
    return back, _change(UNANSWERED, Status.UNKNOWN, LOST, now, now)


def expire(now: datetime) -> int:
    """Decide that what nobody could send in time is not sent; a campaign that is paused for long comes to this."""
    return _change(EXPIRED, Status.SUPPRESSED, Reason.EXPIRED.value, now, now)


def _change(statement: str, status: str, reason: str, ended: datetime | None, now: datetime, **more: Any) -> int:
    values: dict[str, Any] = {"status": status, "reason": reason, "ended": ended, "now": now, "limit": AT_ONCE} | more
    done = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            done += int(cursor.rowcount)
            if cursor.rowcount < AT_ONCE:
                return done


def suppress(deliveries: Sequence[UUID], reason: str, now: datetime) -> int:
    """Decide not to send deliveries that nobody has handed over; return how many these were."""
    statement = CHANGE.format(which="id = ANY (%(ids)s::uuid[]) AND status = ANY ('{queued,reserved}'::text[])")
    return _change(statement, Status.SUPPRESSED, reason, now, now, ids=text_array(map(str, deliveries)))
