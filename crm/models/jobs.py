"""Long work that a person can watch, pause and cancel."""

from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.finder import masked_text

SILENT_AFTER = timedelta(minutes=5)


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def active(self) -> Self:
        return self.filter(status__in=[JobRun.Status.QUEUED, JobRun.Status.RUNNING, JobRun.Status.PAUSED])

    def silent(self, now: datetime) -> Self:
        """Return runs whose worker has not been heard of, probably killed; they may be started again."""
        return self.filter(status=JobRun.Status.RUNNING, heartbeat_at__lt=now - SILENT_AFTER)

    def unheard(self, now: datetime) -> Self:
        """Return runs that wait although their bell was rung long ago: it was lost with the broker."""
        return self.filter(status=JobRun.Status.QUEUED, created_at__lt=now - SILENT_AFTER)


class JobRun(models.Model):
    """One run of long work: how far it is, what went wrong, and what a person asked of it.

    A worker claims a run with :meth:`start`, reports with :meth:`advance`, and stops when that answers ``False``.
    ``checkpoint`` is what a later worker needs to go on after a kill; it is saved in the same transaction as the work.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    kind = models.CharField(_("kind"), max_length=64, db_index=True)
    title = models.CharField(_("title"), max_length=200)
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, verbose_name=_("requested by")
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED, db_index=True)
    step = models.CharField(_("step"), max_length=200, blank=True)
    done = models.BigIntegerField(_("done"), default=0)
    total = models.BigIntegerField(_("total"), null=True, blank=True)
    rejected = models.BigIntegerField(_("rejected"), default=0)
    checkpoint = models.JSONField(default=dict, blank=True, editable=False)
    result = models.JSONField(_("result"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"), db_index=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    heartbeat_at = models.DateTimeField(_("last heard of"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")

    def __str__(self) -> str:
        return self.title

    @property
    def percent(self) -> int | None:
        """How far it is, or ``None`` where the whole is not known."""
        if self.status == self.Status.SUCCEEDED:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else None

    def start(self, now: datetime) -> bool:
        """Claim the run for this worker; False if it is not waiting (or another worker was faster)."""
        waiting = JobRun.objects.filter(pk=self.pk, status=self.Status.QUEUED)
        if not waiting.update(status=self.Status.RUNNING, started_at=now, heartbeat_at=now, error=""):
            return False
        self.refresh_from_db()
        return True

    def advance(self, now: datetime, **facts: Any) -> bool:
        """Report ``done``, ``total``, ``step``, ``rejected``, ``checkpoint``; False: stop, a person said so."""
        running = JobRun.objects.filter(pk=self.pk, status=self.Status.RUNNING)
        if not running.update(heartbeat_at=now, **facts):
            self.refresh_from_db(fields=["status"])
            return False
        for name, value in facts.items():
            setattr(self, name, value)
        return True

    def succeed(self, now: datetime, **result: Any) -> bool:
        return self._end(now, self.Status.SUCCEEDED, result=result)

    def fail(self, now: datetime, error: str, **result: Any) -> bool:
        """End it with what went wrong; personal data that the error quotes is masked (see ``crm.errors.cause_of``)."""
        facts = {"result": result} if result else {}
        return self._end(now, self.Status.FAILED, error=masked_text(error)[:4000], **facts)

    def pause(self) -> bool:
        return self._move([self.Status.QUEUED, self.Status.RUNNING], self.Status.PAUSED)

    def resume(self) -> bool:
        """Put the run back in the queue; the caller rings the worker's bell."""
        return self._move([self.Status.PAUSED, self.Status.FAILED], self.Status.QUEUED)

    def cancel(self, now: datetime) -> bool:
        active = JobRun.objects.active().filter(pk=self.pk)
        done = active.update(status=self.Status.CANCELLED, finished_at=now)
        self.refresh_from_db()
        return done == 1

    def _end(self, now: datetime, status: str, **facts: Any) -> bool:
        running = JobRun.objects.filter(pk=self.pk, status=self.Status.RUNNING)
        done = running.update(status=status, finished_at=now, heartbeat_at=now, **facts)
        self.refresh_from_db()
        return done == 1

    def _move(self, before: list[str], after: str) -> bool:
        done = JobRun.objects.filter(pk=self.pk, status__in=before).update(status=after)
        self.refresh_from_db()
        return done == 1
