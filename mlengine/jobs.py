"""The jobs of this package as rows: asked for once, rung for when committed, done by a worker."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from celery import current_app
from django.contrib.auth.models import User
from django.db import transaction

from crm import assessments, lake
from crm.locks import only_one
from crm.models import JobRun
from mlengine import datasets
from mlengine.specs import SPECS, Spec
from mlengine.work import Clock, Progress, Refused, carry_out

TRAIN: Final = "train"
PREDICT: Final = "predict"
SHADOW: Final = "shadow"
SEARCH: Final = "search"
JUDGE: Final = "judge"
DRIFT: Final = "drift"
NIGHTLY: Final = "nightly"
REVIVED: Final = (TRAIN, PREDICT, SEARCH, NIGHTLY)  # the others are parts of the night
TITLES: Final = {
    TRAIN: "Train: {}",
    PREDICT: "Predict: {}",
    SHADOW: "Answer in the shadow: {}",
    SEARCH: "Search for a better recipe: {}",
    JUDGE: "Judge: {}",
    DRIFT: "Watch for drift: {}",
}

PATIENCE = 120.0  # seconds to wait for another export of the lake
NIGHT_BEGINS, NIGHT_ENDS = 2, 6  # hours on the organisation's wall: nightly work that was missed by then waits a day


def request(
    kind: str,
    spec: str,
    *,
    now: datetime,
    by: User | None = None,
    cutoff: datetime | None = None,
    more: Mapping[str, Any] | None = None,
) -> JobRun:
    """Ask a worker to train, predict or search; asking again while that waits or runs returns the same job.

    Raises
    ------
    KeyError
        There is no such spec.
    crm.assessments.NoAssessment
        Nobody has assessed what the spec does to people.
    """
    asked = SPECS[spec]
    assessments.require(asked.subject, now)
    parameters = _parameters(asked, cutoff) | dict(more or {})
    waiting = JobRun.objects.active().filter(kind=kind, parameters=parameters).first()
    if waiting:
        return waiting
    title = TITLES[kind].format(asked.title)
    job = JobRun.objects.create(kind=kind, title=title, parameters=parameters, requested_by=by, created_at=now)
    ring(job)
    return job


def recorded(kind: str, spec: Spec, *, cutoff: datetime | None, now: datetime, by: User | None = None) -> JobRun:
    """Return a new job that nobody was rung for: the caller does it, while a person can watch or cancel it."""
    title, parameters = TITLES[kind].format(spec.title), _parameters(spec, cutoff)
    return JobRun.objects.create(kind=kind, title=title, parameters=parameters, requested_by=by, created_at=now)


def _parameters(spec: Spec, cutoff: datetime | None) -> dict[str, Any]:
    return {"spec": spec.name, "cutoff": cutoff.isoformat() if cutoff else None}


def ring(job: JobRun) -> None:
    """Ring the worker's bell once the row is committed; the row, not the message, says what is due."""
    name, pk = f"mlengine.tasks.{job.kind}", job.pk
    transaction.on_commit(lambda: current_app.send_task(name, [pk], queue="ml"))


def carry_out_for_spec(
    job: JobRun, clock: Clock, verb: Callable[[Spec, datetime, datetime, Progress], dict[str, Any]]
) -> bool:
    """Do a job about one spec: bring the lake up to date, then ``verb(spec, cutoff, now, progress)``.

    The cutoff is the one asked for, or else the end of the data.
    """

    def work(progress: Progress) -> dict[str, Any]:
        spec, now = SPECS[job.parameters["spec"]], clock()
        with progress.step("export events"):
            lake.export(now, patience=PATIENCE)
        asked = job.parameters.get("cutoff")
        cutoff = datetime.fromisoformat(asked) if asked else datasets.known_until(now, *spec.reaches)
        if cutoff is None:
            missing = next((kind for kind in spec.reaches if datasets.known_until(now, kind) is None), spec.kind)
            raise Refused(f"{spec.title}: there are no {missing} events yet.")
        return verb(spec, cutoff, now, progress) | {"seconds": list(progress.seconds.items())}

    return carry_out(job, clock, work)


def revive(now: datetime) -> list[JobRun]:
    """Put the jobs of workers that fell silent back in the queue, and ring for each."""
    revived = []
    for job in JobRun.objects.silent(now).filter(kind__in=REVIVED):
        # The same condition again: a heartbeat in between means that its worker lives.
        if JobRun.objects.silent(now).filter(pk=job.pk).update(status=JobRun.Status.QUEUED, done=0, step=""):
            ring(job)
            revived.append(job)
    return revived


def tonight(now: datetime) -> JobRun | None:
    """Return tonight's job, newly made; None when it is not night, or tonight's was made already."""
    local = datasets.wall_clock(now)
    if not NIGHT_BEGINS <= local.hour < NIGHT_ENDS:
        return None
    parameters = {"night": f"{local:%Y-%m-%d}"}
    with only_one("the night's work", patience=10.0):  # two ticks at once would both find none
        recent = JobRun.objects.filter(kind=NIGHTLY, created_at__gt=now - timedelta(days=2))
        if recent.filter(parameters=parameters).exists():
            return None
        job = JobRun.objects.create(kind=NIGHTLY, title="Nightly learning", parameters=parameters, created_at=now)
        ring(job)
    return job
