"""What holds for everything that is sent: quiet hours, caps, the permanent holdout, and the emergency stop."""

from datetime import time
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models import Channel

EVENING, MORNING = time(21), time(9)


class SendingPolicy(models.Model):
    """The one row of what holds for all campaigns; while ``stopped_at`` is set, nothing leaves."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    quiet_from = models.TimeField(_("quiet from"), default=EVENING)
    quiet_until = models.TimeField(_("quiet until"), default=MORNING)
    holdout = models.DecimalField(
        _("permanent holdout"),
        max_digits=4,
        decimal_places=3,
        default=0,
        help_text=_("The share of people who get no marketing of any campaign."),
    )
    salt = models.CharField(max_length=32, editable=False)
    on_call = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        blank=True,
        related_name="+",
        verbose_name=_("who is called"),
        help_text=_("They get an e-mail when a campaign pauses itself. Empty: everybody who may run campaigns."),
    )
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("stopped by")
    )
    stop_reason = models.CharField(_("why"), max_length=300, blank=True)
    stopped_at = models.DateTimeField(_("stopped"), null=True, blank=True)

    class Meta:
        verbose_name = _("sending policy")
        verbose_name_plural = _("sending policy")
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="campaigns_one_policy"),
            models.CheckConstraint(condition=Q(holdout__gte=0, holdout__lte=0.5), name="campaigns_holdout_share"),
        ]

    def __str__(self) -> str:
        return str(_("Sending policy"))


class FrequencyCapQuerySet(models.QuerySet["FrequencyCap"]):
    def of(self, channel: str) -> Self:
        """Return those that count a message on the channel."""
        return self.filter(channel__in=["", channel])


class FrequencyCap(models.Model):
    """The most messages that one person gets within a time, on one channel or on all together."""

    channel = models.CharField(
        _("channel"), max_length=16, choices=Channel, blank=True, help_text=_("Empty: all channels together.")
    )
    most = models.PositiveSmallIntegerField(_("most messages"))
    within = models.DurationField(_("within"))

    objects = FrequencyCapQuerySet.as_manager()

    class Meta:
        verbose_name = _("frequency cap")
        verbose_name_plural = _("frequency caps")
        constraints = [models.UniqueConstraint(fields=["channel", "within"], name="campaigns_cap_once")]

    def __str__(self) -> str:
        return f"{self.channel or '*'}: {self.most}"
