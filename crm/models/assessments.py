"""Impact assessments: what was weighed before personal data are used in a way that the law calls risky."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

KEPT_FOR = timedelta(days=3 * 365 + 1)  # three years, one of which may be a leap year (PIPL, article 56)
SUBJECT = RegexValidator(r"\A(spec|connector):[a-z0-9_.\-]{1,80}\Z", _("Like spec:churn or connector:sms."))


class StillKept(models.ProtectedError):
    """A report may not be deleted before its three years are over."""


class ImpactAssessmentQuerySet(models.QuerySet["ImpactAssessment"]):
    def valid(self, now: datetime) -> Self:
        """Return the reports that allow their subject to work at this moment."""
        return self.filter(
            conclusion__in=ImpactAssessment.ALLOWING,
            approved_at__lte=now,
            valid_until__gt=now,
            withdrawn_at__isnull=True,
        )

    def kept(self, now: datetime) -> Self:
        """Return the reports that the law wants kept."""
        return self.filter(approved_at__isnull=False, valid_until__gt=now - KEPT_FOR)

    def delete(self) -> tuple[int, dict[str, int]]:
        if approved := list(self.filter(approved_at__isnull=False)[:10]):
            raise StillKept(str(_("An approved impact assessment is kept for three years.")), set(approved))
        return super().delete()


class ImpactAssessment(models.Model):
    """A personal-information protection impact assessment of one model or connector (PIPL, articles 55 and 56).

    Once approved it is not changed: a change is a new report. It cannot be deleted before three years have passed
    since it ended; the database refuses that too.
    """

    class Level(models.TextChoices):
        LOW = "low", _("low")
        MEDIUM = "medium", _("medium")
        HIGH = "high", _("high")

    class Conclusion(models.TextChoices):
        PROCEED = "proceed", _("may proceed")
        WITH_MEASURES = "with_measures", _("may proceed with the measures named")
        REFUSED = "refused", _("must not proceed")

    ALLOWING = (Conclusion.PROCEED, Conclusion.WITH_MEASURES)

    subject = models.CharField(_("subject"), max_length=100, validators=[SUBJECT], help_text=_("What is assessed."))
    title = models.CharField(_("title"), max_length=200)
    prepared_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("prepared by")
    )
    purposes = ArrayField(
        models.CharField(max_length=64), verbose_name=_("purposes"), help_text=_("Codes, separated by commas.")
    )
    data_types = ArrayField(
        models.CharField(max_length=100),
        verbose_name=_("types of personal data"),
        help_text=_("Separated by commas; sensitive ones by name."),
    )
    necessity = models.TextField(
        _("lawfulness and necessity"),
        help_text=_("Why purpose and method are lawful, legitimate and needed, and why less would not do."),
    )
    risks = models.TextField(_("effects on people and risks"))
    level = models.CharField(_("level of risk"), max_length=8, choices=Level)
    measures = models.TextField(
        _("protective measures"), help_text=_("Why they are lawful, effective and in proportion to the risk.")
    )
    conclusion = models.CharField(_("conclusion"), max_length=16, choices=Conclusion)
    is_synthetic = models.BooleanField(_("made for demonstration"), default=False, editable=False)
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    created_at = models.DateTimeField(_("created"))
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    valid_until = models.DateTimeField(_("valid until"))
    withdrawn_at = models.DateTimeField(_("withdrawn"), null=True, blank=True)

    objects = ImpactAssessmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("impact assessment")
        verbose_name_plural = _("impact assessments")
        permissions = [("approve_impactassessment", "Can approve impact assessments")]
        indexes = [models.Index(fields=["subject", "-valid_until"], name="crm_assessment_of_subject")]
        constraints = [
            models.CheckConstraint(
                condition=Q(approved_at__isnull=True) | Q(is_synthetic=True) | Q(approved_by__isnull=False),
                name="crm_assessment_approved_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(prepared_by__isnull=True) | Q(approved_by__isnull=True) | ~Q(prepared_by=F("approved_by")),
                name="crm_assessment_seen_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"PIA-{self.pk}"

    @property
    def is_approved(self) -> bool:
        return self.approved_at is not None

    @property
    def kept_until(self) -> datetime:
        """Until when the law wants it kept."""
        return self.valid_until + KEPT_FOR

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        if self.is_approved:
            raise StillKept(str(_("An approved impact assessment is kept for three years.")), {self})
        return super().delete(using, keep_parents)

    def withdraw(self, now: datetime) -> bool:
        """End it before its time; what it allowed stops at the next run. False if it had ended already."""
        standing = ImpactAssessment.objects.filter(pk=self.pk, withdrawn_at__isnull=True, approved_at__isnull=False)
        return standing.update(withdrawn_at=now) == 1

    @classmethod
    def forget(cls, now: datetime) -> int:
        """Delete reports whose three years are over; return how many."""
        over: Iterable[Any] = cls.objects.filter(approved_at__isnull=False, valid_until__lte=now - KEPT_FOR)
        return models.QuerySet.delete(over)[0]  # type: ignore[arg-type]
