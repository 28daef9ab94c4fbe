"""What one person asked for and another allowed: four eyes."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ApprovalQuerySet(models.QuerySet["Approval"]):
    def open(self, now: datetime) -> Self:
        """Return those that somebody can still decide."""
        return self.filter(decision=Approval.Decision.WAITING, expires_at__gt=now)

    def usable(self, now: datetime) -> Self:
        """Return those that were approved, were not used, and still hold."""
        return self.filter(decision=Approval.Decision.APPROVED, used_at=None, expires_at__gt=now)


class Approval(models.Model):
    """One request for one sensitive thing: who asked, why, who decided, and whether it was used; it is used once.

    It holds for exactly the action, subject and parameters it names (``digest``), for whoever asked, until
    ``expires_at``. Verbs are in ``crm.approvals``; each decision is noted in the ledger.
    """

    class Decision(models.TextChoices):
        WAITING = "waiting", _("waiting")
        APPROVED = "approved", pgettext_lazy("state", "approved")
        REFUSED = "refused", _("refused")

    id = models.UUIDField(primary_key=True, editable=False)
    action = models.CharField(_("action"), max_length=32)
    subject = models.CharField(_("subject"), max_length=200, help_text=_("Numbers and codes, never personal data."))
    parameters = models.JSONField(_("parameters"), default=dict, blank=True)
    digest = models.BinaryField(max_length=32)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("requested by")
    )
    reason = models.CharField(_("reason"), max_length=500)
    decision = models.CharField(_("decision"), max_length=8, choices=Decision, default=Decision.WAITING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    answer = models.CharField(_("answer"), max_length=500, blank=True)
    requested_at = models.DateTimeField(_("requested"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    expires_at = models.DateTimeField(_("holds until"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        permissions = [("decide_approval", "Can decide what a colleague asks for")]
        indexes = [models.Index(fields=["action", "digest"], name="crm_approval_of_action")]
        constraints = [
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")), name="crm_approval_by_another"
            ),
            models.CheckConstraint(
                condition=Q(decision="waiting", decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(decision="waiting") & Q(decided_by__isnull=False, decided_at__isnull=False)),
                name="crm_approval_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True) | Q(decision="approved"), name="crm_approval_used_if_approved"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action}: {self.subject}"

    def state(self, now: datetime) -> str:
        """Return one word: waiting, approved, refused, used or expired."""
        if self.used_at:
            return "used"
        if self.decision != self.Decision.REFUSED and self.expires_at <= now:
            return "expired"
        return str(self.decision)
