"""Messages leave here: taken in batches on a lease, handed over one by one, each written down before its call.

queued → reserved (a batch; safe to put back) → calling (one row, just before its call) → what the provider answers.
The *hand-off* is the commit that moves a row to calling: in that transaction everything is asked again, it excludes a
withdrawal, and it leaves a leaf in the ledger. Whoever crashes after it leaves a row in calling: nobody knows whether
the message left, so it becomes *unknown*, is shown, and is never sent again blindly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from django.db import connection, transaction
from django.utils.timezone import get_default_timezone

from campaigns import policies, quiet
from campaigns.audience import Reason
from campaigns.channels import Answer, Channel, Message, Outcome
from campaigns.models import Campaign, ChannelAccount, Delivery, Run
from crm import consent_gate, handoffs

LEASE = timedelta(minutes=2)
MOST_ATTEMPTS = 5
Status = Delivery.Status

RESERVE = """
UPDATE campaigns_delivery d SET status = 'reserved', reserved_by = %(worker)s, lease_until = %(until)s
FROM (
    SELECT d.id FROM campaigns_delivery d
    JOIN campaigns_run r ON r.id = d.run_id AND r.status = 'sending'
    JOIN campaigns_campaign c ON c.id = r.campaign_id AND c.status = 'running'
    WHERE d.status = 'queued' AND d.due_at <= %(now)s
      AND NOT EXISTS (SELECT FROM campaigns_sendingpolicy WHERE stopped_at IS NOT NULL)
    ORDER BY c.priority DESC, d.due_at, d.id LIMIT %(limit)s FOR UPDATE OF d SKIP LOCKED
) AS taken
WHERE d.id = taken.id RETURNING d.id
"""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A message that is written, to whom, and through which account."""

    delivery: Delivery
    account: ChannelAccount
    channel: Channel
    message: Message


def reserve(worker: UUID, limit: int, now: datetime) -> list[UUID]:
    """Take up to ``limit`` due deliveries for a worker, the most important first; others skip them."""
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, {"worker": worker, "until": now + LEASE, "now": now, "limit": limit})
        return [pk for (pk,) in cursor.fetchall()]


def send(ready: Ready, worker: UUID, clock: Callable[[], datetime]) -> str:
    """Hand one message over, if it still may leave, and write down what became of it; return its new status."""
    call = hand_off(ready.delivery.pk, worker, ready.account, clock())
    if call is None:
        return Delivery.objects.values_list("status", flat=True).get(pk=ready.delivery.pk)
    outcome = ready.channel.send(ready.account, ready.message, call)
    return settle(call, outcome, clock())


def hand_off(pk: UUID, worker: UUID, account: ChannelAccount, now: datetime) -> UUID | None:
    """Move a reserved delivery to calling, if everything still allows it; return the hand-off's number, or nothing.

    The row that may not leave is suppressed with the reason, or put back where it only has to wait.
    """
    with transaction.atomic():
        rows = Delivery.objects.select_for_update(of=("self",)).select_related("run__campaign__purpose")
        delivery = rows.filter(pk=pk, status=Status.RESERVED, reserved_by=worker).first()
        if delivery is None:
            return None
        why = _must_wait(delivery, now)
        if why is not None:
            Delivery.objects.filter(pk=pk).update(**why)
            return None
        purpose = _run(delivery).campaign.purpose
        basis = consent_gate.may_hand_off(delivery.profile_id, purpose, delivery.channel, now)
        if not basis.allowed:
            suppress([pk], str(basis.reason), now)
            return None
        call = uuid5(delivery.pk, str(delivery.attempt))
        leaf = handoffs.NewHandOff(
            delivery=call,
            profile_id=delivery.profile_id,
            allowed_by=basis.event_id,
            basis=purpose.basis,
            purpose=purpose.code,
            channel=delivery.channel,
            handed_off_at=now,
        )
        handoffs.record([leaf], now)
        Delivery.objects.filter(pk=pk).update(
            status=Status.CALLING,
            call=call,
            attempt=delivery.attempt + 1,
            account=account,
            called_at=now,
            lease_until=now + LEASE,
        )
    return call


def settle(call: UUID, outcome: Outcome, now: datetime) -> str:
    """Write down what the provider answered to a hand-off; a later word of the provider's own is not overwritten."""
    with transaction.atomic():
        delivery = Delivery.objects.select_for_update().filter(call=call, status=Status.CALLING).first()
        if delivery is None:  # recovered meanwhile, or told by a callback that was faster
            return Delivery.objects.values_list("status", flat=True).get(call=call)
        facts = _answered(delivery, outcome, now)
        Delivery.objects.filter(pk=delivery.pk).update(**facts)
    return str(facts["status"])


def recover(now: datetime) -> tuple[int, int]:
    """Put back what a lost worker had reserved, and call unknown what it was handing over; return how many of each."""
    back = Delivery.objects.abandoned(now).update(status=Status.QUEUED, reserved_by=None, lease_until=None)
    lost = Delivery.objects.unanswered(now).update(
        status=Status.UNKNOWN, reason="worker_lost", ended_at=now, lease_until=None, logged=False
    )
    return back, lost


def suppress(deliveries: Sequence[UUID], reason: str, now: datetime) -> int:
    """Decide not to send deliveries that nobody has handed over; return how many these were."""
    rows = Delivery.objects.filter(pk__in=deliveries, status__in=[Status.QUEUED, Status.RESERVED])
    return rows.update(
        status=Status.SUPPRESSED, reason=reason, ended_at=now, reserved_by=None, lease_until=None, logged=False
    )


def _run(delivery: Delivery) -> Run:
    if delivery.run is None:
        raise ValueError(f"The delivery {delivery.pk} belongs to no run.")
    return delivery.run


def _must_wait(delivery: Delivery, now: datetime) -> Mapping[str, object] | None:
    """Return what becomes of a delivery that does not leave at this moment, or nothing where it may."""
    policy, run = policies.policy(), _run(delivery)
    ended = {"status": Status.SUPPRESSED, "ended_at": now, "reserved_by": None, "lease_until": None}
    back = {"status": Status.QUEUED, "reserved_by": None, "lease_until": None}
    if delivery.expires_at <= now:
        return ended | {"reason": Reason.EXPIRED.value, "logged": False}
    if policy.stopped_at or run.status != Run.Status.SENDING or run.campaign.status != Campaign.Status.RUNNING:
        return back
    if quiet.is_quiet(now, get_default_timezone(), policy):
        return back | {"due_at": quiet.allowed_from(now, get_default_timezone(), policy)}
    return None


def _answered(delivery: Delivery, outcome: Outcome, now: datetime) -> dict[str, object]:
    ended = {"ended_at": now, "lease_until": None, "reserved_by": None, "logged": False}
    match outcome.answer:
        case Answer.ACCEPTED:
            cost = delivery.account.cost if delivery.account else None
            return ended | {"status": Status.ACCEPTED, "provider_id": outcome.provider_id, "reason": "", "cost": cost}
        case Answer.REFUSED:
            return ended | {"status": Status.FAILED, "reason": outcome.reason or "refused"}
        case Answer.BUSY if delivery.attempt < MOST_ATTEMPTS:
            wait = outcome.again_after or timedelta(seconds=30 * 2**delivery.attempt)
            return {"status": Status.QUEUED, "due_at": now + wait, "reserved_by": None, "lease_until": None}
        case Answer.BUSY:
            return ended | {"status": Status.FAILED, "reason": outcome.reason or "busy"}
        case _:
            return ended | {"status": Status.UNKNOWN, "reason": outcome.reason or "no_answer"}
