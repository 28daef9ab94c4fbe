"""How long data is kept: by rule, longer where a proceeding holds it, and what was let go."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.profiles import Profile


class LegalHoldQuerySet(models.QuerySet["LegalHold"]):
    def active(self, now: datetime) -> Self:
        return self.filter(placed_at__lte=now).filter(Q(released_at__isnull=True) | Q(released_at__gt=now))


class LegalHold(models.Model):
    """An order to keep one person's data, one class of data, or everything; it wins over retention.

    Erasure is refused or waits, and the person is restricted instead (PIPL 47: storage and security only).
    """

    class Scope(models.TextChoices):
        PERSON = "person", _("one person")
        DATA_CLASS = "class", _("one class of data")
        EVERYTHING = "everything", _("everything")

    reference = models.CharField(_("case"), max_length=100, help_text=_("File number of the proceeding; no names."))
    reason = models.CharField(_("reason"), max_length=300)
    scope = models.CharField(_("keeps"), max_length=16, choices=Scope)
    profile = models.ForeignKey(
        Profile, models.PROTECT, null=True, blank=True, related_name="legal_holds", verbose_name=_("profile")
    )
    data_class = models.CharField(_("data class"), max_length=32, blank=True, db_default="")
    placed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("placed by")
    )
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("released by"),
    )
    placed_at = models.DateTimeField(_("placed"))
    released_at = models.DateTimeField(_("released"), null=True, blank=True)

    objects = LegalHoldQuerySet.as_manager()

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="person") | Q(profile__isnull=True), name="crm_hold_names_a_person_if_it_is_on_one"
            ),
            models.CheckConstraint(
                condition=Q(scope="class") ^ Q(data_class=""), name="crm_hold_names_a_class_if_it_is_on_one"
            ),
            # Whoever was held is named for as long as the hold lasts; erasure afterwards empties the name.
            models.CheckConstraint(
                condition=~Q(scope="person") | Q(profile__isnull=False) | Q(released_at__isnull=False),
                name="crm_hold_lasts_on_somebody",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class RetentionRule(models.Model):
    """How long one class of data may be kept for one purpose; of several purposes, the longest counts."""

    data_class = models.CharField(_("data class"), max_length=32)
    purpose = models.CharField(_("purpose"), max_length=64, help_text=_("Its code."))
    keep = models.DurationField(_("keep for"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("changed by")
    )
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")
        constraints = [
            models.UniqueConstraint(fields=["data_class", "purpose"], name="crm_retention_once_per_purpose"),
            models.CheckConstraint(condition=Q(keep__gt="0"), name="crm_retention_keeps_some_time"),
        ]

    def __str__(self) -> str:
        return f"{self.data_class}: {self.purpose}"


class RetentionRun(models.Model):
    """One pass of retention, or its rehearsal: what was past its time, what went, and what a legal hold kept."""

    dry_run = models.BooleanField(_("rehearsal"))
    report = models.JSONField(_("report"), default=list)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("requested by"),
    )
    lake_rows = models.BigIntegerField(_("rows that left the lake"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"), db_index=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("retention run")
        verbose_name_plural = _("retention runs")
        permissions = [("release_retention", _("Can release classes of data for deletion"))]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class RetentionRelease(models.Model):
    """That somebody looked at a rehearsal, and let the passes delete one class of data from then on.

    It holds for the time that was looked at and longer ones: a class that is kept shorter waits for another look.
    """

    data_class = models.CharField(_("data class"), max_length=32, unique=True)
    run = models.ForeignKey(RetentionRun, models.PROTECT, related_name="releases", verbose_name=_("rehearsal"))
    keep = models.DurationField(_("keep for"))
    released_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("released by")
    )
    released_at = models.DateTimeField(_("released"))

    class Meta:
        verbose_name = _("release for deletion")
        verbose_name_plural = _("releases for deletion")

    def __str__(self) -> str:
        return self.data_class
