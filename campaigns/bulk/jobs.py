"""A job's way: opened with its first people, sealed just before the call, settled by the one answer for all of them.

A worker that dies before the seal has sent nothing: its people go back. One that dies after it leaves a job of which
nobody knows whether the platform took it: it is asked for again by its key (:mod:`campaigns.bulk.reconciling`), or it
stays unknown. Nobody's own state is made of what the platform counts for all.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction

from campaigns.bulk.pairs import Pair
from campaigns.channels.base import Answer, Batch, BatchOutcome, Outcome
from campaigns.delivering.handing_off import Ready, hand_off_each
from campaigns.delivering.settling import LOST, settle_each
from campaigns.models import BulkJob, ChannelAccount, Delivery
from campaigns.reach import addressing
from campaigns.reach.audience import Reason
from campaigns.wechat import ways
from crm.consent import bases_for

PIECE = 500  # people of one transaction: whoever withdraws waits for one at most
LEASE = timedelta(minutes=2)
EACH = timedelta(milliseconds=10)  # by which a lease is longer for each person: some platforms are told one by one
ASK_AGAIN_AFTER = timedelta(seconds=65)  # a key that is repeated within a minute is refused
Status = BulkJob.Status


@dataclass(frozen=True, kw_only=True)
class Group:
    """People who get the same in the same way, ready to be handed over."""

    pair: Pair
    account: ChannelAccount
    kind: str
    language: str
    sender: str
    ready: Sequence[Ready]


def hand_over(group: Group, worker: UUID, now: datetime) -> tuple[BulkJob, list[Ready]]:
    """Open a job and hand its people over, some hundred at a time; return who may be named in the call."""
    job = BulkJob(
        pk=uuid4(), account=group.account, run=group.pair.run, variant=group.pair.variant, language=group.language,
        kind=group.kind, sender=group.sender, people=0, lease_until=lease(len(group.ready), now),
    )  # fmt: skip
    left: list[Ready] = []
    for start in range(0, len(group.ready), PIECE):
        piece = group.ready[start : start + PIECE]
        with transaction.atomic():
            if start == 0:
                job.save(force_insert=True)
            calls = hand_off_each(piece, worker, now)
            Delivery.objects.filter(pk__in=calls).update(job=job, lease_until=job.lease_until)
        left += [one for one in piece if one.delivery.pk in calls]
    return job, left


def lease(people: int, now: datetime) -> datetime:
    return now + LEASE + people * EACH


def seal(job: BulkJob, ready: Sequence[Ready], now: datetime) -> list[Ready]:
    """Fix who is named in the call, which begins now; nobody if the job was given up meanwhile.

    The first were handed over some seconds ago: whoever has withdrawn or unfollowed since is left out.
    """
    with transaction.atomic():
        held = BulkJob.objects.select_for_update().filter(pk=job.pk, status=Status.CALLING, called_at=None).first()
        if held is None:
            return []
        left = _leave_out(job, ready, now, again=False)
        facts = {"called_at": now, "people": len(left), "lease_until": lease(len(left), now)}
        if not left:
            facts = {"status": Status.CANCELLED, "reason": "nobody", "ended_at": now, "lease_until": None}
        BulkJob.objects.filter(pk=job.pk).update(**facts)
    job.refresh_from_db()
    return left


def _leave_out(job: BulkJob, ready: Sequence[Ready], now: datetime, *, again: bool) -> list[Ready]:
    """Leave out whoever has withdrawn or unfollowed since; return the others.

    Of a call that is made ``again`` the first may have reached her: that stays unknown.
    """
    gone = _gone(job, ready, now)
    for reason in set(gone.values()):
        rows = Delivery.objects.filter(pk__in=[pk for pk, why in gone.items() if why == reason])
        rows = rows.filter(status=Delivery.Status.CALLING)
        if again:
            rows.update(status=Delivery.Status.UNKNOWN, ended_at=now)
        else:
            rows.update(status=Delivery.Status.SUPPRESSED, reason=reason, ended_at=now, lease_until=None, logged=False)
    return [one for one in ready if one.delivery.pk not in gone]


def _gone(job: BulkJob, ready: Sequence[Ready], now: datetime) -> dict[UUID, str]:
    if not ready:
        return {}
    people = {one.delivery.profile_id for one in ready}
    bases = bases_for(people, job.run.campaign.purpose, ready[0].delivery.channel, now)
    places = addressing.places(people, job.account) if ways.bound(job.account) else None
    found: dict[UUID, str] = {}
    for one in ready:
        person = one.delivery.profile_id
        if not bases[person].allowed:
            found[one.delivery.pk] = str(bases[person].reason)
        elif places is not None and (person not in places or not places[person].open):
            found[one.delivery.pk] = Reason.NOT_FOLLOWING.value
    return found


def batch(job: BulkJob, ready: Sequence[Ready], clock: Callable[[], datetime], *, again: bool = False) -> Batch:
    """Return what the provider is given."""

    def still() -> set[str]:
        left = _leave_out(job, ready, clock(), again=again)
        BulkJob.objects.filter(pk=job.pk).update(people=len(left))
        return {one.message.to for one in left}

    to = [one.message.to for one in ready]
    return Batch(to=to, language=job.language, parts=ready[0].message.parts, sender=job.sender, still=still)


def settle(job: BulkJob, ready: Sequence[Ready], told: BatchOutcome, now: datetime) -> dict[UUID, str]:
    """Write down the one answer, for the job and for all whom the call named; return the deliveries' statuses.

    In one transaction, except after a refusal: then each may be followed by another channel, which takes its time.
    """
    refused = set(told.refused)
    not_taken = {one.delivery.pk for one in ready if one.message.to in refused}
    calls = _calls(job)
    each = {call: _of_one(told.outcome, refused=pk in not_taken) for pk, call in calls.items()}
    if told.outcome.answer == Answer.REFUSED:
        _write(job, told, now)
        return _in_pieces(each, now)
    with transaction.atomic():
        _write(job, told, now)
        rest = {call: one for call, one in each.items() if one.answer != Answer.REFUSED}
        statuses = settle_each(rest, now)
    return statuses | _in_pieces({call: one for call, one in each.items() if call not in rest}, now)


def _calls(job: BulkJob) -> dict[UUID, UUID]:
    rows = Delivery.objects.filter(job=job, status=Delivery.Status.CALLING).values_list("pk", "call")
    return {pk: call for pk, call in rows if call is not None}


def _of_one(outcome: Outcome, *, refused: bool) -> Outcome:
    """Return the answer to one of many: the platform's number is the job's, never a person's."""
    if refused and outcome.answer == Answer.ACCEPTED:
        return Outcome(answer=Answer.REFUSED, reason="not_taken")
    return replace(outcome, provider_id="")


def _in_pieces(outcomes: Mapping[UUID, Outcome], now: datetime) -> dict[UUID, str]:
    found: dict[UUID, str] = {}
    keys = list(outcomes)
    for start in range(0, len(keys), PIECE):
        found |= settle_each({call: outcomes[call] for call in keys[start : start + PIECE]}, now)
    return found


STATUSES = {
    Answer.ACCEPTED: Status.ACCEPTED,
    Answer.REFUSED: Status.FAILED,
    Answer.BUSY: Status.CANCELLED,  # nobody got anything: they go with another job
    Answer.UNKNOWN: Status.UNKNOWN,
}
FIRST_LOOK = timedelta(minutes=5)


def _write(job: BulkJob, told: BatchOutcome, now: datetime) -> None:
    outcome = told.outcome
    asked_again = {Answer.ACCEPTED: FIRST_LOOK, Answer.UNKNOWN: ASK_AGAIN_AFTER}.get(outcome.answer)
    BulkJob.objects.filter(pk=job.pk).update(
        status=STATUSES[outcome.answer],
        reason="" if outcome.answer == Answer.ACCEPTED else (outcome.reason or outcome.code)[:64],
        provider_id=outcome.provider_id or job.provider_id,
        data_id=told.data_id or job.data_id,
        ended_at=now if outcome.answer != Answer.UNKNOWN else None,
        lease_until=None,
        poll_at=now + asked_again if asked_again else None,
    )
    job.refresh_from_db()


def recover(now: datetime) -> tuple[int, int]:
    """Put back whom a lost worker had not yet called for, and call unknown what it was calling; return how many."""
    back = unknown = 0
    for job in BulkJob.objects.unanswered(now):
        with transaction.atomic():
            held = BulkJob.objects.select_for_update(skip_locked=True).filter(pk=job.pk, status=Status.CALLING).first()
            if held is None or held.lease_until is None or held.lease_until >= now:
                continue
            answer = Answer.UNKNOWN if held.called_at else Answer.BUSY
            wait = None if held.called_at else timedelta()
            settle(held, [], BatchOutcome(outcome=Outcome(answer=answer, reason=LOST, again_after=wait)), now)
            back, unknown = back + (held.called_at is None), unknown + (held.called_at is not None)
    _finish_refused(now)
    return back, unknown


def _finish_refused(now: datetime) -> None:
    """Go on where a worker was lost while it wrote a refusal down, person by person."""
    left = Delivery.objects.filter(status=Delivery.Status.CALLING, lease_until__lt=now, job__status=Status.FAILED)
    rows = list(left.values_list("call", "job__reason")[:5_000])
    _in_pieces({call: Outcome(answer=Answer.REFUSED, reason=why) for call, why in rows if call}, now)
