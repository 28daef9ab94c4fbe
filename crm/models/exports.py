"""Rows about people that left the house, or were refused to."""

from datetime import datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

KEPT_FOR = timedelta(days=3 * 365 + 1)  # Network Data Regulation 12: data given to others is on record for three years


class RowExportQuerySet(models.QuerySet["RowExport"]):
    def past_retention(self, now: datetime) -> Self:
        return self.filter(at__lt=now - KEPT_FOR)


class RowExport(models.Model):
    """One time that rows were asked for: what for, for whom, what they keep, and whether they were given.

    ``grade`` is that of GB/T 42460-2023: 2 has no direct identifier but people may still be told apart, 3 keeps the k
    that was asked for. Rows without direct identifiers are still personal data (PIPL 73): none of this is anonymous in
    the law's sense.
    """

    class Grade(models.IntegerChoices):
        IDENTIFIABLE = 1, _("1: names people")
        PSEUDONYMOUS = 2, _("2: no direct identifiers, people may be told apart")
        K_ANONYMOUS = 3, _("3: no direct identifiers, nobody stands alone")
        AGGREGATE = 4, _("4: figures of groups only")

    asked_by = models.CharField(_("asked by"), max_length=200)
    purpose = models.CharField(_("purpose"), max_length=300)
    recipient = models.CharField(_("recipient"), max_length=200)
    columns = ArrayField(models.CharField(max_length=64), verbose_name=_("columns"))
    filters = models.JSONField(_("who"), default=dict)
    levels = models.JSONField(_("made coarser"), default=dict, help_text=_("By column: how many steps."))
    rows = models.PositiveIntegerField(_("rows"))
    left_out = models.PositiveIntegerField(_("left out"), default=0)
    k = models.PositiveIntegerField("k")
    l = models.PositiveIntegerField("l", null=True)  # noqa: E741 (the field's name)
    grade = models.PositiveSmallIntegerField(_("grade (GB/T 42460)"), choices=Grade)
    sha256 = models.CharField("SHA-256", max_length=64, blank=True, help_text=_("Of the file that was given."))
    refused = models.CharField(_("why it was refused"), max_length=500, blank=True)
    at = models.DateTimeField(_("at"), db_index=True)

    objects = RowExportQuerySet.as_manager()

    class Meta:
        verbose_name = _("row export")
        verbose_name_plural = _("row exports")

    def __str__(self) -> str:
        return f"{self.recipient} {self.at:%Y-%m-%d %H:%M}"
