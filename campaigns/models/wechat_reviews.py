"""The two pairs of eyes that allow a template of the platform for service messages."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.wechat import PlatformTemplate


class TemplateReview(models.Model):
    """That somebody asked for a template, and what a colleague decided of it."""

    template = models.ForeignKey(
        PlatformTemplate, models.CASCADE, related_name="reviews", verbose_name=_("template of the platform")
    )
    statement = models.CharField(_("what it is sent for"), max_length=500)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("asked by"))
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    allowed = models.BooleanField(_("allowed"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=300, blank=True)
    asked_at = models.DateTimeField(_("asked"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)

    class Meta:
        verbose_name = _("review of a template")
        verbose_name_plural = _("reviews of templates")
        constraints = [
            models.UniqueConstraint(
                fields=["template"], condition=Q(decided_at=None), name="campaigns_one_review_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(decided_by=None) | ~Q(decided_by=F("asked_by")), name="campaigns_reviewed_by_another"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.asked_at:%F}"
