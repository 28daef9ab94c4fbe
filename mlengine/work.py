"""A piece of long work under its JobRun: claimed once, reported step by step, stopped when asked, failed in words."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event as Signal
from threading import Thread
from time import monotonic
from typing import Any

from django.db import connection

from crm.assessments import NoAssessment
from crm.locks import Busy
from crm.models import JobRun
from mlengine.specs import NotEnoughData

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 30.0
Clock = Callable[[], datetime]


class Refused(RuntimeError):
    """The work cannot be done, for a reason that a person can act on."""


class Cancelled(RuntimeError):
    """A person asked the work to stop."""


@dataclass(kw_only=True)
class Progress:
    """What a piece of work reports to: where it is, and how long each step took."""

    job: JobRun | None
    clock: Clock
    seconds: dict[str, float] = field(default_factory=dict)
    done: int = 0

    def expect(self, total: int) -> None:
        self._report(total=total)

    @contextmanager
    def step(self, name: str, *, of: str = "") -> Iterator[None]:
        """Report a step, time it (steps with the same ``of`` add up), and stop before it if that was asked."""
        self._report(step=name[:200])
        began = monotonic()
        yield
        self.seconds[of or name] = round(self.seconds.get(of or name, 0.0) + monotonic() - began, 3)
        self.done += 1

    @property
    def remembered(self) -> dict[str, Any]:
        """What a worker that was killed had kept under this job."""
        return dict(self.job.checkpoint) if self.job else {}

    def remember(self, checkpoint: dict[str, Any]) -> None:
        """Keep what a later worker needs to go on, and what a person may watch meanwhile."""
        self._report(checkpoint=checkpoint)

    def _report(self, **facts: Any) -> None:
        if self.job and not self.job.advance(self.clock(), done=self.done, **facts):
            raise Cancelled(f"{self.job} was stopped by a person before it was finished.")


def carry_out(job: JobRun, clock: Clock, work: Callable[[Progress], dict[str, Any]]) -> bool:
    """Do the work of a job that waits; whatever goes wrong becomes its error, in words. Return whether it succeeded.

    A job that another worker has claimed, or that was cancelled meanwhile, is left alone.
    """
    if not job.start(clock()):
        return False
    try:
        with _heartbeat(job, clock):
            result = work(Progress(job=job, clock=clock))
    except Cancelled:
        return False
    except (NotEnoughData, Refused, NoAssessment, Busy) as error:
        job.fail(clock(), str(error), refused=type(error).__name__)
    except Exception as error:  # a process boundary: the person who started the job reads this
        logger.exception("%s failed", job)
        job.fail(clock(), f"{type(error).__name__}: {error}")
    else:
        return job.succeed(clock(), **result)
    return False


@contextmanager
def _heartbeat(job: JobRun, clock: Clock) -> Iterator[None]:
    """Let the row show that its worker lives, however long a single step takes."""
    stopped = Signal()

    def beat() -> None:
        try:
            while not stopped.wait(HEARTBEAT_SECONDS):
                JobRun.objects.filter(pk=job.pk, status=JobRun.Status.RUNNING).update(heartbeat_at=clock())
        finally:
            connection.close()

    thread = Thread(target=beat, name=f"heartbeat-{job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
