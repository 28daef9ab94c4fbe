"""A campaign, or a run of it, ends: cancelled by a person, or finished when nothing is left to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from campaigns.guarding import alarms
from campaigns.models import Campaign, Delivery, JourneyEntry, Run
from campaigns.runs import transitions
from campaigns.runs.transitions import Verb
from crm.finder import masked_text
from crm.models import JobRun

SWEPT_AT_ONCE = 20_000
OPEN = (Run.Status.PLANNING, Run.Status.SENDING)
Status = Campaign.Status


def cancel(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """End it for good: what is queued is suppressed, what has left has left."""
    with transaction.atomic():
        transitions.move(campaign, Verb.CANCEL, status_reason=masked_text(reason.strip())[:300], next_run_at=None)
        cancel_runs(campaign, now)
        alarms.close(campaign, by, reason, now)
    sweep(now, of=campaign)


def cancel_runs(campaign: Campaign, now: datetime) -> int:
    """Cancel what was planned and is not over, in the caller's transaction; return how many runs.

    The caller holds the campaign's row. What has left of the runs counts as sent to whoever got it.
    """
    open_runs = campaign.runs.filter(status__in=OPEN)
    for run in open_runs.select_related("job"):
        if run.job:
            run.job.cancel(now)
    return open_runs.update(status=Run.Status.CANCELLED)


def sweep(now: datetime, of: Campaign | None = None, most: int = SWEPT_AT_ONCE) -> int:
    """Suppress what is still queued of cancelled runs, up to ``most`` at once; the next tick goes on."""
    runs = Run.objects.filter(status=Run.Status.CANCELLED, finished_at=None)
    swept = 0
    for run in runs.filter(campaign=of) if of else runs:
        waiting = run.deliveries.filter(status__in=[Delivery.Status.QUEUED, Delivery.Status.RESERVED])
        with transaction.atomic():
            taken = waiting.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True)
            swept += Delivery.objects.filter(pk__in=list(taken[: most - swept])).update(
                status=Delivery.Status.SUPPRESSED,
                reason="cancelled",
                ended_at=now,
                reserved_by=None,
                lease_until=None,
                logged=False,
            )
        if not waiting.exists() and (run.job is None or run.job.status != JobRun.Status.RUNNING):
            Run.objects.filter(pk=run.pk).update(finished_at=now)
        if swept >= most:
            break
    return swept


def finish(now: datetime) -> None:
    """Call runs done of which nothing is open, and campaigns finished that have nothing left to do."""
    waiting = Delivery.objects.filter(status__in=Delivery.OPEN)
    sent = Run.objects.filter(status=Run.Status.SENDING).exclude(campaign__kind__in=Campaign.STANDING)
    for run in sent:
        if not waiting.filter(run=run).exists():
            with _held(run.campaign_id):
                if not waiting.filter(run=run).exists():
                    sending = Run.objects.filter(pk=run.pk, status=Run.Status.SENDING)
                    sending.update(status=Run.Status.DONE, finished_at=now)
    for campaign in Campaign.objects.filter(status=Status.RUNNING):
        if _has_nothing_left(campaign, now):
            _finish_one(campaign, now)


@contextmanager
def _held(campaign: int) -> Iterator[None]:
    """Hold a campaign's row: a failure that another channel follows (``delivering.fallback``) waits, or is seen."""
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign)
        yield


def is_over(campaign: Campaign, now: datetime) -> bool:
    """Tell whether the campaign's time is over: nothing begins any more, and nothing leaves."""
    return campaign.ends_at is not None and campaign.ends_at <= now


def _has_nothing_left(campaign: Campaign, now: datetime) -> bool:
    if campaign.next_run_at is not None and not is_over(campaign, now):
        return False
    if campaign.kind in Campaign.STANDING:
        waiting = Delivery.objects.filter(run__campaign=campaign, status__in=Delivery.OPEN)
        walking = JourneyEntry.objects.walking().filter(run__campaign=campaign)
        return is_over(campaign, now) and not waiting.exists() and not walking.exists()
    return not campaign.runs.filter(status__in=OPEN).exists()


def _finish_one(campaign: Campaign, now: datetime) -> None:
    with _held(campaign.pk):
        if not _has_nothing_left(campaign, now):
            return
        moved = Campaign.objects.filter(pk=campaign.pk, status=Status.RUNNING, next_run_at=campaign.next_run_at).update(
            status=Status.FINISHED, next_run_at=None
        )
        if moved:
            campaign.runs.filter(status=Run.Status.SENDING).update(status=Run.Status.DONE, finished_at=now)
