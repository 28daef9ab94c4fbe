"""What a provider answers to a call is written down: of all calls that have ended, in one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from campaigns.channels import Answer, Outcome
from campaigns.delivering import fallback
from campaigns.models import ChannelAccount, Delivery
from campaigns.wechat import pauses, permissions, ways
from crm.copying import text_array

MOST_ATTEMPTS = 5
LOST = "worker_lost"
Status = Delivery.Status

# People before their deliveries, as everybody locks them (``delivering.handing_off``): new rows refer to them.
PEOPLE = """
SELECT 1 FROM crm_profile WHERE id IN (SELECT profile_id FROM campaigns_delivery WHERE call = ANY (%s::uuid[]))
ORDER BY id FOR KEY SHARE
"""
# Deliveries by their hand-offs, held until the answers are written down.
HANDED = """
SELECT id, call, status, reason, attempt, account_id, address_id, channel, job_id IS NOT NULL FROM campaigns_delivery
WHERE call = ANY (%s::uuid[]) ORDER BY id FOR UPDATE
"""
ANSWERED = """
UPDATE campaigns_delivery d SET status = told.status, reason = told.reason, reserved_by = NULL, lease_until = NULL,
    provider_id = CASE WHEN told.number = '' THEN d.provider_id ELSE told.number END,
    cost = CASE WHEN told.status = 'accepted' THEN (SELECT cost FROM campaigns_channelaccount WHERE id = d.account_id)
                ELSE d.cost END,
    due_at = coalesce(told.due, d.due_at), ended_at = told.ended, logged = told.ended IS NULL AND d.logged
FROM unnest(%(ids)s::uuid[], %(statuses)s::text[], %(reasons)s::text[], %(numbers)s::text[], %(due)s::timestamptz[],
            %(ended)s::timestamptz[]) AS told (id, status, reason, number, due, ended)
WHERE d.id = told.id
"""
MAY_FAIL = frozenset({Answer.REFUSED, Answer.BUSY})


class Handed(NamedTuple):
    """A delivery that was handed over, under lock."""

    pk: UUID
    call: UUID
    status: str
    reason: str
    attempt: int
    account: int | None
    address: int | None
    channel: str
    together: bool  # with others, by one call


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What becomes of a delivery by its answer; ``answered`` where it was one that had been waited for."""

    pk: UUID
    status: str
    reason: str = ""
    provider_id: str = ""
    answered: bool = False
    due_at: datetime | None = None
    ended_at: datetime | None = None


def settle(call: UUID, outcome: Outcome, now: datetime) -> str:
    """Write down what the provider answered to one hand-off; return the delivery's status."""
    return settle_each({call: outcome}, now)[call]


def settle_each(outcomes: Mapping[UUID, Outcome], now: datetime) -> dict[UUID, str]:
    """Write down what the provider answered; a word of its own that came faster is not overwritten.

    A hand-off that was given up as unknown meanwhile is answered late, and is known from then on.
    """
    if not outcomes:
        return {}
    with transaction.atomic():
        if any(outcome.answer in MAY_FAIL for outcome in outcomes.values()):
            _ask(PEOPLE, outcomes)
        rows = [Handed(*row) for row in _ask(HANDED, outcomes)]
        found = {row.call: _settled(row, outcomes[row.call], now) for row in rows}
        _write(found)
        _refuse(rows, outcomes)
        _tell_platform(rows, found, outcomes, now)
        failed = [row.pk for row in rows if found[row.call].status == Status.FAILED]
        for delivery in Delivery.objects.filter(pk__in=failed).select_related("run__campaign__purpose", "profile"):
            fallback.follow(delivery, now)
    return {call: one.status for call, one in found.items()}


def _settled(row: Handed, outcome: Outcome, now: datetime) -> Settled:
    late = row.status == Status.UNKNOWN and row.reason == LOST
    if row.status == Status.CALLING or (late and outcome.answer != Answer.UNKNOWN):
        return _answered(row, outcome, now)
    # A callback was faster; the next one may know no other number.
    return Settled(pk=row.pk, status=row.status, provider_id=outcome.provider_id)


def _write(found: Mapping[UUID, Settled]) -> None:
    told = [one for one in found.values() if one.answered]
    if told:
        values: dict[str, Any] = {
            "ids": text_array(str(one.pk) for one in told),
            "statuses": text_array(one.status for one in told),
            "reasons": text_array(one.reason for one in told),
            "numbers": text_array(one.provider_id for one in told),
            "due": text_array(one.due_at.isoformat() if one.due_at else None for one in told),
            "ended": text_array(one.ended_at.isoformat() if one.ended_at else None for one in told),
        }
        with connection.cursor() as cursor:
            cursor.execute(ANSWERED, values)
    for one in found.values():
        if not one.answered and one.provider_id:
            Delivery.objects.filter(pk=one.pk, provider_id="").update(provider_id=one.provider_id)


def _refuse(rows: Sequence[Handed], outcomes: Mapping[UUID, Outcome]) -> None:
    """Use an account no more that its provider refuses, until a person has looked at it."""
    refused = {row.account: outcomes[row.call] for row in rows if row.account and outcomes[row.call].account_refused}
    for account, outcome in refused.items():
        ChannelAccount.objects.filter(pk=account, status=ChannelAccount.Status.ACTIVE).update(
            status=ChannelAccount.Status.REFUSED, status_reason=(outcome.reason or outcome.code)[:300]
        )


def _tell_platform(
    rows: Sequence[Handed], found: Mapping[UUID, Settled], outcomes: Mapping[UUID, Outcome], now: datetime
) -> None:
    """Write down what became of what a message used up at a platform that counts; of e-mail none does."""
    ended = [
        permissions.Ended(
            delivery=row.pk, call=row.call, account=row.account, identifier=row.address, outcome=outcomes[row.call]
        )
        for row in rows
        if row.channel in ways.CHANNELS and row.account and row.address and found[row.call].answered
        if not row.together
    ]
    if ended:
        permissions.settle(ended, now)
    waits = {row.account: outcomes[row.call] for row in rows if row.account and outcomes[row.call].account_waits}
    for account, outcome in waits.items():
        pauses.pause(account, outcome, now)


def _ask(statement: str, outcomes: Mapping[UUID, Outcome]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, [text_array(map(str, outcomes))])
        return list(cursor.fetchall())


def _answered(row: Handed, outcome: Outcome, now: datetime) -> Settled:
    ended = Settled(pk=row.pk, status=Status.FAILED.value, answered=True, ended_at=now)
    again = Settled(pk=row.pk, status=Status.QUEUED.value, answered=True)
    why = (outcome.reason or outcome.code)[:64]
    match outcome.answer:
        case Answer.ACCEPTED:
            return replace(ended, status=Status.ACCEPTED.value, provider_id=outcome.provider_id)
        case Answer.REFUSED | Answer.BUSY if outcome.account_refused or outcome.account_waits:
            # Not the message's fault: another account may, or this one once its quota is counted anew.
            return replace(again, due_at=now + (outcome.again_after or timedelta(minutes=1)))
        case Answer.REFUSED:
            return replace(ended, reason=why or "refused")
        case Answer.BUSY if row.attempt < MOST_ATTEMPTS:
            return replace(again, due_at=now + (outcome.again_after or timedelta(seconds=30 * 2**row.attempt)))
        case Answer.BUSY:
            return replace(ended, reason=why or "busy")
        case _:
            return replace(ended, status=Status.UNKNOWN.value, reason=(outcome.reason or "no_answer")[:64])
