"""What was told about groups of people with noise, to whom, and how much of their privacy that has cost."""

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class PrivacyBudget(models.Model):
    """What one audience may learn in one month: the epsilon of all that it was told may not pass the limit.

    An audience is whoever could put what they were told together: all staff who may not see people, or one API client.
    The row is locked while a release is made.
    """

    scope = models.CharField(_("audience"), max_length=64, help_text=_("staff, or api: and the number of a client."))
    begins_on = models.DateField(_("from"))
    ends_on = models.DateField(_("renewed on"))
    epsilon = models.FloatField(_("epsilon, at most"))
    delta = models.FloatField(_("delta"))
    spent = models.FloatField(_("epsilon spent"), default=0.0)

    class Meta:
        verbose_name = _("privacy budget")
        verbose_name_plural = _("privacy budgets")
        constraints = [
            models.UniqueConstraint(fields=["scope", "begins_on"], name="crm_budget_once_a_period"),
            models.CheckConstraint(condition=Q(spent__lte=F("epsilon")), name="crm_budget_not_overspent"),
            models.CheckConstraint(condition=Q(begins_on__lt=F("ends_on")), name="crm_budget_has_days"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.begins_on:%Y-%m}"

    @property
    def left(self) -> float:
        return max(0.0, self.epsilon - self.spent)

    @property
    def share_spent(self) -> float:
        return min(1.0, self.spent / self.epsilon) if self.epsilon else 1.0

    def is_over(self, day: date) -> bool:
        return day >= self.ends_on


class ReleaseQuerySet(models.QuerySet["Release"]):
    def told_to(self, scope: str) -> Self:
        return self.filter(charges__budget__scope=scope)


class Release(models.Model):
    """One answer with noise. Whoever asks the same again is told the same: noise that is drawn twice averages out.

    Only ever added to. The true counts are kept nowhere.
    """

    name = models.CharField(_("figure"), max_length=100)
    digest = models.CharField(_("question"), max_length=64, help_text=_("SHA-256 of the question, canonical."))
    answer = models.JSONField(_("answer"), help_text=_("Noisy counts by key."))
    mechanism = models.JSONField(_("mechanism"), help_text=_("Kind of noise, its scale, and a person's bound."))
    epsilon = models.FloatField(_("epsilon, taken alone"), null=True, help_text=_("None for Gaussian noise."))
    data_at = models.DateTimeField(_("as of"))
    released_at = models.DateTimeField(_("released"))

    objects = ReleaseQuerySet.as_manager()

    class Meta:
        verbose_name = _("private figure")
        verbose_name_plural = _("private figures")
        constraints = [models.UniqueConstraint(fields=["digest", "data_at"], name="crm_release_drawn_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.data_at:%Y-%m-%d}"


class ReleaseCharge(models.Model):
    """That a release was told to an audience, and paid from its budget. Only ever added to."""

    budget = models.ForeignKey(PrivacyBudget, models.PROTECT, related_name="charges", verbose_name=_("privacy budget"))
    release = models.ForeignKey(Release, models.PROTECT, related_name="charges", verbose_name=_("private figure"))
    asked_by = models.CharField(_("asked by"), max_length=200)
    charged_at = models.DateTimeField(_("told"))

    class Meta:
        verbose_name = _("charge")
        verbose_name_plural = _("charges")
        constraints = [models.UniqueConstraint(fields=["budget", "release"], name="crm_release_charged_once")]

    def __str__(self) -> str:
        return f"{self.budget}: {self.release}"
