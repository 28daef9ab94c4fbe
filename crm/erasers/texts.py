"""Texts that mention a person without being linked to her: messages that were refused, what is noted of jobs."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.db import models

from crm.erasers.subject import Subject
from crm.models import JobRun, RejectedEvent

CHUNK = 2000


def forget_rejected_events(subject: Subject) -> Mapping[str, int]:
    """Delete refused messages that mention the person: nobody will miss one that never counted."""
    rows = RejectedEvent.objects.order_by("pk").iterator(chunk_size=CHUNK)
    return _delete(RejectedEvent, [row.pk for row in rows if subject.mentioned_in(row.payload)])


def forget_jobs(subject: Subject) -> Mapping[str, int]:
    """Take the words out of jobs that mention the person; that there was a job, and its figures, stays."""
    found = [job.pk for job in JobRun.objects.order_by("pk").iterator(chunk_size=CHUNK) if _mentions(subject, job)]
    jobs = JobRun.objects.filter(pk__in=found)
    ended = jobs.exclude(pk__in=JobRun.objects.active())
    changed = ended.update(title=models.F("kind"), error="", parameters={}, result={}, checkpoint={})
    # One that still runs needs its parameters; its words are shown, its file is dealt with by its own store.
    changed += jobs.active().update(title=models.F("kind"), error="")
    return {"changed": changed}


def _mentions(subject: Subject, job: JobRun) -> bool:
    told: list[Any] = [job.parameters, job.checkpoint, job.result]
    texts = [job.title, job.error, *(orjson.dumps(one).decode() for one in told)]
    return any(subject.mentioned_in(text) for text in texts)


def _delete(model: type[models.Model], keys: list[Any]) -> Mapping[str, int]:
    gone = 0
    for start in range(0, len(keys), CHUNK):
        gone += model._default_manager.filter(pk__in=keys[start : start + CHUNK]).delete()[0]
    return {"deleted": gone}
