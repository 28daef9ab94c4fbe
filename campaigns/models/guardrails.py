"""The bands in which a campaign's signals must stay, and what happened when one left its own."""

from django.conf import settings
from django.db import models
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


class Alarm(models.Model):
    """A signal that left its band: what was seen, what was done, and who looked at it."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="alarms", verbose_name=_("campaign"))
    run = models.ForeignKey(Run, models.CASCADE, null=True, blank=True, verbose_name=_("run"))
    signal = models.CharField(_("signal"), max_length=20, choices=Guardrail.Signal)
    seen = models.JSONField(_("seen"), default=dict)
    paused = models.BooleanField(_("the campaign was paused"), default=True)
    looked_at_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("looked at by"),
    )
    raised_at = models.DateTimeField(_("raised"))
    looked_at = models.DateTimeField(_("looked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("alarm")
        verbose_name_plural = _("alarms")

    def __str__(self) -> str:
        return f"{self.campaign}: {self.get_signal_display()}"
