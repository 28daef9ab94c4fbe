"""A campaign runs: scheduled by a person, started by the clock, paused, resumed, cancelled, finished.

The truth is rows. Whatever rings twice, or two beats at once, meets a status that was changed, a run whose id is
derived from campaign and moment, or a row that somebody else holds.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from celery import current_app
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext

from campaigns import approving, planning, policies, readiness, recurrence, segments, transitions, triggers
from campaigns.models import Campaign, Delivery, Run
from campaigns.recurrence import Recurrence
from campaigns.transitions import NotPossible, Verb
from crm.finder import masked_text
from crm.models import JobRun
from mlengine.work import Cancelled, Progress, carry_out

PLAN = "plan_campaign"
ONCE, TRIGGERS = "once", "triggers"  # keys of the runs that are not named by their moment
SWEPT_AT_ONCE = 20_000
Clock = Callable[[], datetime]
Status = Campaign.Status


def schedule(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """Let an approved campaign run at the time that was approved, which may be now.

    Raises
    ------
    campaigns.approving.NotReady, campaigns.transitions.NotPossible
        It is not approved, or not as it is now, or cannot be sent any more.
    """
    with transaction.atomic():
        approving.locked(campaign)
        _demand_approval(campaign)
        if problems := readiness.problems(campaign, now):
            raise approving.NotReady(problems)
        transitions.move(campaign, Verb.SCHEDULE, status_reason=_why(reason), next_run_at=first_run(campaign, now))


def pause(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """Let no further message leave; those that were being handed over at this moment have left."""
    transitions.move(campaign, Verb.PAUSE, status_reason=_why(reason))


def resume(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """Go on where it was paused; raises :class:`~campaigns.transitions.NotPossible` if it is not what was approved."""
    with transaction.atomic():
        approving.locked(campaign)
        _demand_approval(campaign)
        transitions.move(campaign, Verb.RESUME, status_reason=_why(reason))


def cancel(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """End it for good: what is queued is suppressed, what has left has left."""
    with transaction.atomic():
        transitions.move(campaign, Verb.CANCEL, status_reason=_why(reason), next_run_at=None)
        open_runs = campaign.runs.filter(status__in=[Run.Status.PLANNING, Run.Status.SENDING])
        for run in open_runs.select_related("job"):
            if run.job:
                run.job.cancel(now)
        open_runs.update(status=Run.Status.CANCELLED)
    sweep(now, of=campaign)


def tick(now: datetime) -> None:
    """Do all that is due; beat rings this, and it may ring twice at once."""
    for pk in Campaign.objects.due(now).order_by("-priority", "next_run_at", "pk").values_list("pk", flat=True):
        start_due(pk, now)
    revive(now)
    triggers.follow(now)
    sweep(now)
    finish(now)


def start_due(pk: int, now: datetime) -> Run | None:
    """Start the run that a campaign is due, if it is what was approved; nothing where another beat does it.

    Of several moments that were missed, as while everything was stopped, only the last counts; and none of which the
    messages would have expired by now.
    """
    with transaction.atomic():
        rows = Campaign.objects.select_for_update(of=("self",), skip_locked=True)
        campaign = rows.due(now).filter(pk=pk).first()
        if campaign is None or campaign.next_run_at is None or policies.policy().stopped_at:
            return None
        if not approving.holds(campaign):
            _not_what_was_approved(campaign)
            return None
        moment, following = _moments(campaign, campaign.next_run_at, now)
        if _too_late(campaign, moment, now):
            _pass_over(campaign, following, now)
            return None
        run = planning.begin(campaign, _key(campaign, moment), moment)
        transitions.move(campaign, Verb.START, next_run_at=following)
        if campaign.kind == Campaign.Kind.TRIGGERED:
            Run.objects.filter(pk=run.pk, status=Run.Status.PLANNING).update(status=Run.Status.SENDING, planned_at=now)
        elif run.status == Run.Status.PLANNING and run.job_id is None:
            _order(run, now)
    return run


def plan(job: JobRun, clock: Clock) -> bool:
    """Plan the run of a job: a worker does this; a second one, or one after a kill, adds only what is missing."""

    def work(_progress: Progress) -> dict[str, object]:
        run = Run.objects.select_related("campaign__purpose", "campaign__segment", "segment_version").get(
            pk=job.parameters["run"]
        )
        planned = planning.plan(run, _reported(job, audience(run, clock()), clock), clock())
        return {"counts": planned.counts}

    return carry_out(job, clock, work)


def audience(run: Run, now: datetime) -> Iterator[Sequence[int]]:
    """Yield who belongs to the segment of a run, as it was approved, a piece at a time."""
    if run.segment_version is not None:
        return segments.audience(run.segment_version, now)
    return segments.pieces(segments.compile(segments.rule_of(run.campaign.segment), now))


def revive(now: datetime) -> int:
    """Put the planning of workers that fell silent back in the queue, and ring for what nobody took yet."""
    lost = JobRun.objects.silent(now).filter(kind=PLAN)
    lost.update(status=JobRun.Status.QUEUED, done=0, step="")
    waiting = JobRun.objects.filter(kind=PLAN, status=JobRun.Status.QUEUED)
    for job in waiting:
        ring(job)
    return len(waiting)


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
    for run in Run.objects.filter(status=Run.Status.SENDING).exclude(key=TRIGGERS):
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
    """Hold a campaign's row: a failure that another channel follows (``campaigns.fallback``) waits, or is seen."""
    with transaction.atomic():
        Campaign.objects.select_for_update(no_key=True).get(pk=campaign)
        yield


def first_run(campaign: Campaign, now: datetime) -> datetime:
    """Return when an approved campaign is to run first."""
    begins = max(campaign.starts_at or now, now)
    if campaign.kind != Campaign.Kind.RECURRING:
        return begins
    return recurrence.at_or_after(Recurrence.parse(campaign.timing), _anchor(campaign), begins, get_default_timezone())


def _anchor(campaign: Campaign) -> datetime:
    """Return the moment from whose day a recurring campaign's days are counted; readiness sees that it has one."""
    if campaign.starts_at is None:
        raise ValueError(f"The recurring campaign {campaign} does not say when it starts.")
    return campaign.starts_at


def _moments(campaign: Campaign, due: datetime, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the moment that counts of those that are due, and the one after it; once and triggered have none."""
    if campaign.kind != Campaign.Kind.RECURRING:
        return due, None
    rule, zone = Recurrence.parse(campaign.timing), get_default_timezone()
    following = recurrence.after(rule, _anchor(campaign), due, zone)
    if following <= now:
        due = recurrence.before_or_at(rule, _anchor(campaign), now, zone)
        following = recurrence.after(rule, _anchor(campaign), now, zone)
    return due, following if campaign.ends_at is None or following < campaign.ends_at else None


def _key(campaign: Campaign, moment: datetime) -> str:
    if campaign.kind == Campaign.Kind.RECURRING:
        return moment.strftime("%Y-%m-%dT%H:%MZ")
    return ONCE if campaign.kind == Campaign.Kind.ONCE else TRIGGERS


def _over(campaign: Campaign, now: datetime) -> bool:
    return campaign.ends_at is not None and campaign.ends_at <= now


def _too_late(campaign: Campaign, moment: datetime, now: datetime) -> bool:
    stale = campaign.kind == Campaign.Kind.RECURRING and moment + campaign.message_expires_after <= now
    return _over(campaign, now) or stale


def _pass_over(campaign: Campaign, following: datetime | None, now: datetime) -> None:
    """Leave a run out whose time is over; a campaign that never ran and never will is cancelled, and says why."""
    if _over(campaign, now) and campaign.status == Status.SCHEDULED:
        cancel(campaign, None, gettext("Its time was over before it could start."), now)
    else:
        Campaign.objects.filter(pk=campaign.pk).update(next_run_at=following)


def _has_nothing_left(campaign: Campaign, now: datetime) -> bool:
    if campaign.next_run_at is not None and not _over(campaign, now):
        return False
    runs = campaign.runs.filter(status__in=[Run.Status.PLANNING, Run.Status.SENDING])
    if campaign.kind == Campaign.Kind.TRIGGERED:
        waiting = Delivery.objects.filter(run__campaign=campaign, status__in=Delivery.OPEN)
        return _over(campaign, now) and not waiting.exists()
    return not runs.exists()


def _finish_one(campaign: Campaign, now: datetime) -> None:
    with _held(campaign.pk):
        if not _has_nothing_left(campaign, now):
            return
        moved = Campaign.objects.filter(pk=campaign.pk, status=Status.RUNNING, next_run_at=campaign.next_run_at).update(
            status=Status.FINISHED, next_run_at=None
        )
        if moved:
            campaign.runs.filter(status=Run.Status.SENDING).update(status=Run.Status.DONE, finished_at=now)


def ring(job: JobRun) -> None:
    """Tell a worker that a run is to be planned, once the row is committed; the tick rings again if nobody came."""
    pk = job.pk
    transaction.on_commit(lambda: current_app.send_task("campaigns.tasks.plan", [pk]), robust=True)


def _order(run: Run, now: datetime) -> None:
    """Ask a worker to plan a run."""
    job = JobRun.objects.create(
        kind=PLAN, title=f"Plan: {run.campaign}"[:200], parameters={"run": str(run.pk)}, created_at=now
    )
    Run.objects.filter(pk=run.pk).update(job=job)
    ring(job)


def _reported(job: JobRun, pieces: Iterator[Sequence[int]], clock: Clock) -> Iterator[Sequence[int]]:
    """Pass the pieces on and report how far they are; stop where a person said so."""
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        if not job.advance(clock(), done=done):
            raise Cancelled(f"{job} was stopped.")


def _demand_approval(campaign: Campaign) -> None:
    if not approving.holds(campaign):
        raise NotPossible(gettext("The campaign is not what was approved, or who approved it may not any more."))


def _not_what_was_approved(campaign: Campaign) -> None:
    """Keep from running what was changed after its approval, however that came to be."""
    why = gettext("It is not what was approved, or who approved it may not any more. Submit it again.")
    if campaign.status == Status.RUNNING:
        transitions.move(campaign, Verb.PAUSE, status_reason=why)
    else:
        transitions.move(campaign, Verb.CHANGE, status_reason=why, **approving.CLEARED)


def _why(reason: str) -> str:
    return masked_text(reason.strip())[:300]
