"""Who saw or took personal data unmasked."""

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.profiles import Profile

KEPT_FOR = timedelta(days=3 * 365 + 1)  # three years: PIPL 56, Network Data Regulation 12


class PersonalDataAccessQuerySet(models.QuerySet["PersonalDataAccess"]):
    def of_person(self, profiles: list[int]) -> Self:
        """Return the accesses to one person, given the ids of all profiles that are read as this person."""
        return self.filter(profile__in=profiles)

    def past_retention(self, now: datetime) -> Self:
        return self.filter(at__lt=now - KEPT_FOR)


class PersonalDataAccess(models.Model):
    """One time that somebody saw personal data unmasked, looked for a person, or took data out.

    Written by :func:`crm.access_log.note`, never changed, kept three years. ``actor`` says in words who it was, so that
    the row still tells when the user or the API client is gone. The profile's number is no reference that the database
    enforces: the row outlives the erasure of the person, and then points at nobody.
    """

    class Action(models.TextChoices):
        VIEW = "view", _("seen")
        REVEAL = "reveal", _("revealed")
        SEARCH = "search", _("searched")
        EXPORT = "export", _("exported")
        API = "api", _("read by a program")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    profile = models.ForeignKey(
        Profile,
        models.DO_NOTHING,
        null=True,
        blank=True,
        db_constraint=False,
        related_name="accesses",
        verbose_name=_("profile"),
        help_text=_("Empty where several people, or nobody, were found."),
    )
    actor = models.CharField(_("who"), max_length=200)
    action = models.CharField(_("action"), max_length=8, choices=Action)
    what = models.CharField(_("what"), max_length=300)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    count = models.PositiveIntegerField(_("people"), default=1)
    at = models.DateTimeField(_("at"), db_index=True)

    objects = PersonalDataAccessQuerySet.as_manager()

    class Meta:
        verbose_name = _("access to personal data")
        verbose_name_plural = _("accesses to personal data")

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.at:%Y-%m-%d %H:%M}"
