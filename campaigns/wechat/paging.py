"""Long readings from a platform, page by page: each page and its place are one transaction, so a kill loses no page."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from django.db import transaction

from campaigns.channels.wechat.errors import WeChatError
from crm.errors import cause_of
from crm.locks import Busy, only_one
from crm.models import JobRun

Clock = Callable[[], datetime]
Place = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What was read: the rows, and where the next page begins; nothing where this was the last."""

    rows: Any
    then: Place | None
    size: int


class Reading(Protocol):
    """What is read: ``fetch`` asks the platform (no transaction is open), ``write`` keeps a page (one is)."""

    def fetch(self, place: Place, now: datetime) -> Page: ...

    def write(self, page: Page, job: JobRun, now: datetime) -> None: ...


def run(job: JobRun, reading: Reading, clock: Clock) -> bool:
    """Read on from where the job stands; False if it is not its turn, or another worker has it.

    A job whose worker was killed is gone on with: that it runs and nobody holds its lock tells it from others.
    """
    try:
        with only_one(f"wechat-reading:{job.pk}"):
            job.refresh_from_db()
            if not (job.status == JobRun.Status.RUNNING or job.start(clock())):
                return False
            return _read(job, reading, clock)
    except Busy:
        return False


def _read(job: JobRun, reading: Reading, clock: Clock) -> bool:
    place: Place | None = dict(job.checkpoint)
    try:
        while place is not None:
            page = reading.fetch(place, clock())
            with transaction.atomic():
                now = clock()
                reading.write(page, job, now)
                facts = {"done": job.done + page.size, "checkpoint": dict(page.then or place)}
                if not job.advance(now, step="reading", **facts):
                    return False  # a person paused or cancelled it: what was read stays, without this page's place
            place = page.then
    except WeChatError as error:
        job.fail(clock(), str(error))
        return False
    except Exception as error:  # a mistake of ours: nobody must wait for a job that will not go on
        job.fail(clock(), cause_of(error))
        raise
    return job.succeed(clock(), rows=job.done)
