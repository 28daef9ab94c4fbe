"""A rehearsal as a job: a version is walked through the last weeks in the background, its result kept for its page."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_noop

from campaigns.journeys import graph, rehearsing
from campaigns.journeys.rehearsing import Rehearsal
from campaigns.models import JourneyVersion
from crm.models import Event, JobRun
from mlengine import work

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KIND = "journey_rehearsal"
LONGEST = timedelta(days=180)
BUDGET = timedelta(minutes=10)  # what was found until then is told


def later(version: JourneyVersion, days: int, by: "AbstractBaseUser | None", now: datetime) -> JobRun:
    """Have a version walked through the last days, at most half a year, in the background."""
    length = min(max(days, 1), LONGEST.days)
    facts = {"version": version.pk, "days": length, "graph": version.graph}
    job = JobRun(kind=KIND, title=gettext_noop("Rehearse a journey"), parameters=facts, created_at=now)
    job.requested_by_id = by.pk if by else None
    job.save()
    return job


def latest(version: JourneyVersion) -> JobRun | None:
    """Return the last rehearsal of a version that was asked for."""
    rows = JobRun.objects.filter(kind=KIND, parameters__version=version.pk)
    return rows.order_by("-created_at", "-pk").first()


def run(job: JobRun, clock: work.Clock) -> bool:
    """Do the work of a job of :func:`later`; ringing twice is harmless."""

    def rehearsed(progress: work.Progress) -> dict[str, Any]:
        version = JourneyVersion.objects.select_related("journey__campaign__segment").get(pk=job.parameters["version"])
        read = graph.parse(job.parameters["graph"])
        until = _end(rehearsing.kinds(version.journey, read), job.created_at)
        began = clock()

        def go_on(reached: datetime) -> bool:
            with progress.step(reached.date().isoformat(), of="rehearse"):  # stops if that was asked
                return clock() < began + BUDGET

        with progress.step("rehearse"):
            since = until - timedelta(days=job.parameters["days"])
            return told(rehearsing.rehearse(version.journey, read, since, until, go_on=go_on))

    return work.carry_out(job, clock, rehearsed)


def _end(kinds: set[str], now: datetime) -> datetime:
    """Return when the last of the events happened that matter: where none came lately, the past ends with them."""
    last = Event.objects.filter(kind__in=kinds, occurred_at__lte=now).order_by("-occurred_at").first()
    return last.occurred_at if last else now


def told(found: Rehearsal) -> dict[str, Any]:
    """Return a rehearsal as JSON: numbers by step, without anybody's name or number."""
    return {
        "entered": found.entered,
        "ended": dict(found.ended),
        "passed": {step: dict(ways) for step, ways in found.passed.items()},
        "standing": dict(found.standing),
        "failures": [[step, reason, number] for (step, reason), number in found.failures.items()],
        "days": dict(sorted(found.days.items())),
        "sent": {step: len(people) for step, people in found.sent.items()},
        "people": {step: len(set(people)) for step, people in found.sent.items()},
        "reached": {step: dict(ways) for step, ways in found.reached.items()},
        "until": found.until.isoformat() if found.until else None,
    }
