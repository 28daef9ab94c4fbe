"""A job of which nobody knows whether the platform took it is asked for again by its key, as long as that is known.

Everything is asked as at a hand-off: who has withdrawn since is not named again. A yes to a repetition says that the
first call had been taken, for all whom it named; a yes to a new one, that those who are not named any more got nothing.
Tasks for staff have no key: they are looked up (:mod:`campaigns.bulk.looking_up`).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from campaigns import forms
from campaigns.bulk import contents, jobs, looking_up, worker
from campaigns.bulk.jobs import Group
from campaigns.bulk.pairs import Pair
from campaigns.channels import Answer, BatchOutcome, Channel, ChannelError, Message, Outcome
from campaigns.delivering.handing_off import Ready, ask_again_each
from campaigns.delivering.writing import Desk, desk
from campaigns.models import BulkJob, Delivery
from campaigns.templating.sandbox import TemplateFailed
from crm.models import Identifier

WITHIN = timedelta(hours=23)  # the platform forgets keys after a day
REPEATED = "45065"
Clock = Callable[[], datetime]
Status = BulkJob.Status


def ask_again(clock: Clock, at: Desk | None = None) -> Counter[str]:
    """Ask again for jobs that are unknown; return how many people came to which status."""
    counts: Counter[str] = Counter()
    due = BulkJob.objects.to_be_asked_for(clock()).filter(status=Status.UNKNOWN, kind=BulkJob.Kind.MASS)
    for job in due.select_related("account", "run__campaign__purpose", "variant__template"):
        counts += _ask(job, at or desk(), clock)
    if found := looking_up.look(clock(), at or desk()):
        counts["tasks found"] = found
    return counts


def _ask(job: BulkJob, at: Desk, clock: Clock) -> Counter[str]:
    now = clock()
    if not _claimed(job, now):
        return Counter()
    try:
        channel = at.adapter(job.account)
        group = _group(job, channel, at, now) if getattr(channel, "many_idempotent", False) else None
    except (ChannelError, TemplateFailed, forms.FormError, contents.NotReady):
        group = None
    if group is None:
        _leave(job)
        return Counter()
    left = _handed_over(group, now)
    told = (
        worker.called(group, jobs.batch(job, left, clock, again=True), job.pk)
        if left
        else BatchOutcome(outcome=Outcome(answer=Answer.UNKNOWN, reason="nobody_left"))
    )
    return _settle(job, left, told, clock())


def _claimed(job: BulkJob, now: datetime) -> bool:
    """Take a job for asking, if it is not too old and nobody else does."""
    too_old = job.called_at is None or job.called_at <= now - WITHIN
    rows = BulkJob.objects.filter(pk=job.pk, status=Status.UNKNOWN, poll_at=job.poll_at)
    if too_old:
        rows.update(poll_at=None)
        return False
    return bool(rows.update(status=Status.CALLING, lease_until=jobs.lease(job.people, now), poll_at=None))


def _group(job: BulkJob, channel: Channel, at: Desk, now: datetime) -> Group:
    rows = list(
        Delivery.objects.filter(job=job, status=Delivery.Status.UNKNOWN).select_related("run__campaign__purpose")
    )
    if not rows:
        raise contents.NotReady(Outcome(answer=Answer.REFUSED, reason="nobody"))
    pair = Pair(job.run, job.variant, rows[0].channel)
    parts = worker.content(pair, job.language, rows[0].profile_id, at, now)
    addresses = {row.pk: row.value for row in Identifier.objects.filter(pk__in=[row.address_id for row in rows])}
    ready = [
        Ready(
            delivery=row,
            account=job.account,
            channel=channel,
            message=Message(to=str(addresses[row.address_id]), language=job.language, parts=parts),
            identifier=row.address_id,
        )
        for row in rows
        if row.address_id in addresses
    ]
    made = Group(pair=pair, account=job.account, kind=job.kind, language=job.language, sender=job.sender, ready=ready)
    return contents.made_ready(made, now)


def _handed_over(group: Group, now: datetime) -> list[Ready]:
    left: list[Ready] = []
    for start in range(0, len(group.ready), jobs.PIECE):
        piece = group.ready[start : start + jobs.PIECE]
        calls = ask_again_each(piece, now)
        Delivery.objects.filter(pk__in=calls).update(lease_until=None)  # the job has one for all
        left += [one for one in piece if one.delivery.pk in calls]
    return left


def _leave(job: BulkJob) -> None:
    """Let a job be unknown for good."""
    BulkJob.objects.filter(pk=job.pk, status=Status.CALLING).update(status=Status.UNKNOWN, lease_until=None)


def _settle(job: BulkJob, left: Sequence[Ready], told: BatchOutcome, now: datetime) -> Counter[str]:
    if told.outcome.answer != Answer.ACCEPTED:  # that it says no now says nothing of the first time
        waited = now - (job.called_at or now)
        unknown = Outcome(answer=Answer.UNKNOWN, reason="no_answer_again", code=told.outcome.code)
        found = jobs.settle(job, left, BatchOutcome(outcome=unknown), now)
        BulkJob.objects.filter(pk=job.pk).update(poll_at=now + max(waited, jobs.ASK_AGAIN_AFTER))
        return Counter(found.values())
    with transaction.atomic():
        found = jobs.settle(job, left, told, now)
        others = _others(job)
        taken = told.outcome.code == REPEATED
        became = (Delivery.Status.ACCEPTED, "") if taken else (Delivery.Status.FAILED, "not_taken")
        rows = Delivery.objects.filter(pk__in=others, status=Delivery.Status.UNKNOWN)
        rows.update(status=became[0], reason=became[1], ended_at=now, logged=False)
        BulkJob.objects.filter(pk=job.pk).update(people=len(left) + (len(others) if taken else 0))
    return Counter(found.values()) + Counter({"accepted" if taken else "failed": len(others)})


def _others(job: BulkJob) -> list[UUID]:
    rows = Delivery.objects.filter(job=job, status=Delivery.Status.UNKNOWN)
    return list(rows.values_list("pk", flat=True))
