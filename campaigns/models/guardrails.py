"""The bands in which a campaign's signals must stay, and what happened when one left its own."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign, Run


class Guardrail(models.Model):
    """How much of a signal is still well; beyond it a campaign pauses itself and calls a person.

    ``usual`` and ``worst`` are the rates between which the sequential test decides.
    """

    class Signal(models.TextChoices):
        BOUNCES = "bounces", _("bounces")
        COMPLAINTS = "complaints", _("complaints")
        UNSUBSCRIBES = "unsubscribes", _("unsubscribes")
        NEGATIVE_REPLIES = "negative_replies", _("negative replies")
        PROVIDER_ERRORS = "provider_errors", _("provider errors")
        AUDIENCE = "audience", _("audience larger than the preview")
        DRIFT = "drift", _("drift of the model behind it")

    # Those that are shares of the messages that left; the audience is a multiple, drift an index.
    RATES: ClassVar[tuple[str, ...]] = (
        *(Signal.BOUNCES.value, Signal.COMPLAINTS.value, Signal.UNSUBSCRIBES.value),
        *(Signal.NEGATIVE_REPLIES.value, Signal.PROVIDER_ERRORS.value),
    )

    campaign = models.ForeignKey(
        Campaign,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="guardrails",
        verbose_name=_("campaign"),
        help_text=_("Empty: every campaign that has none of its own."),
    )
    signal = models.CharField(_("signal"), max_length=20, choices=Signal)
    usual = models.FloatField(_("usual"))
    worst = models.FloatField(_("not to be borne"))
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("guardrail")
        verbose_name_plural = _("guardrails")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "signal"], nulls_distinct=False, name="campaigns_guardrail_once"
            ),
            models.CheckConstraint(
                condition=models.Q(usual__gte=0, worst__gt=models.F("usual")), name="campaigns_guardrail_is_a_band"
            ),
        ]

    def __str__(self) -> str:
        return self.get_signal_display()


class AlarmQuerySet(models.QuerySet["Alarm"]):
    def open(self) -> Self:
        """Return those after which nobody has let the campaign go on, or ended it."""
        return self.filter(closed_at=None)

    def unseen(self) -> Self:
        """Return those at which nobody has looked."""
        return self.filter(looked_at=None)

    def to_be_told(self, now: datetime) -> Self:
        """Return those of which the people on call are to be told now."""
        return self.filter(told_at=None, tell_from__lte=now)


class Alarm(models.Model):
    """A signal that left its band: what was seen, what was done, who looked at it, and who let the campaign go on.

    ``seen`` holds what was counted, of how many, since when, and what is usual (``campaigns.guarding.guardrails``).
    While an alarm is open there is no second one of the same signal; what is counted after it begins when it was
    closed.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="alarms", verbose_name=_("campaign"))
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, verbose_name=_("run"))
    signal = models.CharField(_("signal"), max_length=20, choices=Guardrail.Signal)
    seen = models.JSONField(_("seen"), default=dict)
    paused = models.BooleanField(_("the campaign was paused"), default=True)
    note = models.CharField(_("note"), max_length=500, blank=True)
    looked_at_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("looked at by"),
    )
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("closed by")
    )
    closed_for = models.CharField(_("closed, because"), max_length=300, blank=True)
    raised_at = models.DateTimeField(_("raised"))
    tell_from = models.DateTimeField(_("people are told from"), null=True, blank=True)
    told_at = models.DateTimeField(_("people were told"), null=True, blank=True)
    looked_at = models.DateTimeField(_("looked at"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    objects = AlarmQuerySet.as_manager()

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")
        constraints = [
            # Of two beats that see the same, one raises it.
            models.UniqueConstraint(
                fields=["campaign", "signal"], condition=Q(closed_at=None), name="campaigns_alarm_once"
            ),
        ]
        indexes = [
            models.Index(fields=["tell_from"], condition=Q(told_at=None), name="campaigns_alarms_to_be_told"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.get_signal_display()}"
