"""A worker plans a run as a job: who belongs to its audience, a piece at a time, with its progress told."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from celery import current_app
from django.db import transaction
from django.utils.translation import gettext

from campaigns import bell
from campaigns.models import Run
from campaigns.runs import approving, planning, transitions
from campaigns.runs.transitions import NotPossible, Verb
from campaigns.segmenting import segments
from crm.models import JobRun
from mlengine.work import Cancelled, Progress, carry_out

PLAN = "plan_campaign"
Clock = Callable[[], datetime]


def order(run: Run, now: datetime) -> None:
    """Ask a worker to plan a run."""
    job = JobRun.objects.create(
        kind=PLAN, title=f"Plan: {run.campaign}"[:200], parameters={"run": str(run.pk)}, created_at=now
    )
    Run.objects.filter(pk=run.pk).update(job=job)
    ring(job)


def ring(job: JobRun) -> None:
    """Tell a worker that a run is to be planned, once the row is committed; the tick rings again if nobody came."""
    pk = job.pk
    transaction.on_commit(lambda: current_app.send_task("campaigns.tasks.plan", [pk]), robust=True)


def plan(job: JobRun, clock: Clock) -> bool:
    """Plan the run of a job: a worker does this; a second one, or one after a kill, adds only what is missing."""

    def work(_progress: Progress) -> dict[str, object]:
        run = Run.objects.select_related("campaign__purpose", "campaign__segment", "segment_version").get(
            pk=job.parameters["run"]
        )
        _demand_what_was_approved(run)
        planned = planning.plan(run, _reported(job, audience(run, clock()), clock), clock())
        bell.count(run.campaign_id)  # whoever opens the report finds it counted
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


def _demand_what_was_approved(run: Run) -> None:
    """Plan nothing after a change: a segment that the rule names may have another rule since the run was begun."""
    if approving.holds(run.campaign):
        return
    why = gettext("It is not what was approved, or who approved it may not any more. Submit it again.")
    if Verb.PAUSE in transitions.possible(run.campaign):
        transitions.move(run.campaign, Verb.PAUSE, status_reason=why)
    raise NotPossible(why)


def _reported(job: JobRun, pieces: Iterator[Sequence[int]], clock: Clock) -> Iterator[Sequence[int]]:
    """Pass the pieces on and report how far they are; stop where a person said so."""
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        if not job.advance(clock(), done=done):
            raise Cancelled(f"{job} was stopped.")
