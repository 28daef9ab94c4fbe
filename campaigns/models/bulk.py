"""One call that gives a provider a message for many people."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Run, Variant
from campaigns.models.channels import ChannelAccount


class BulkJobQuerySet(models.QuerySet["BulkJob"]):
    def unanswered(self, now: datetime) -> Self:
        """Return those whose worker was lost in the call: whether the provider took them is unknown."""
        return self.filter(status=BulkJob.Status.CALLING, lease_until__lt=now)

    def to_be_asked_for(self, now: datetime) -> Self:
        """Return those of which the provider is to be asked how far they are."""
        return self.filter(poll_at__lte=now)


class BulkJob(models.Model):
    """A mass send, or a task that staff must confirm: one hand-over for many deliveries.

    ``id`` is the key by which the provider knows a repetition. ``counts`` is what the provider told of all together:
    nobody's own state is ever made of it.
    """

    class Kind(models.TextChoices):
        MASS = "mass", _("mass send")
        STAFF_TASK = "staff_task", _("task for staff")

    class Status(models.TextChoices):
        CALLING = "calling", _("being handed over")
        ACCEPTED = "accepted", _("accepted")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(primary_key=True, editable=False)
    account = models.ForeignKey(ChannelAccount, models.PROTECT, related_name="+", verbose_name=_("account"))
    run = models.ForeignKey(Run, models.PROTECT, related_name="jobs", verbose_name=_("run"))
    variant = models.ForeignKey(Variant, models.PROTECT, related_name="+", verbose_name=_("variant"))
    language = models.CharField(_("language"), max_length=16)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    sender = models.CharField(_("sender"), max_length=64, blank=True, help_text=_("Who of the staff is to confirm."))
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.CALLING)
    reason = models.CharField(_("reason"), max_length=64, blank=True, help_text=_("A code."))
    people = models.PositiveIntegerField(_("people"))
    provider_id = models.CharField(_("provider's number"), max_length=200, blank=True)
    data_id = models.CharField(_("number in the statistics"), max_length=64, blank=True)
    counts = models.JSONField(_("what the provider counted"), default=dict, blank=True)
    # Empty while people are handed over, some hundred in a transaction: whoever dies before the call has sent nothing.
    called_at = models.DateTimeField(_("called"), null=True, blank=True)
    ended_at = models.DateTimeField(_("answered"), null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    poll_at = models.DateTimeField(_("asked for again"), null=True, blank=True)

    objects = BulkJobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job for many")
        verbose_name_plural = _("jobs for many")
        indexes = [
            models.Index(fields=["poll_at"], condition=Q(poll_at__isnull=False), name="campaigns_jobs_to_ask_for"),
            models.Index(fields=["account", "provider_id"], name="campaigns_jobs_by_number"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.status}: {self.people}"
