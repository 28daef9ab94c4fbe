"""The accounts at providers through which messages leave, and how much of their quotas is used."""

from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.encryption import EncryptedJSONField, SealedModel, SealedQuerySet
from crm.models import Channel


class ChannelAccountQuerySet(SealedQuerySet["ChannelAccount"]):
    def working(self, channel: str) -> Self:
        """Return those that a channel can send through, the preferred one first."""
        return self.filter(channel=channel, status=ChannelAccount.Status.ACTIVE).order_by("-preferred", "pk")


class ChannelAccount(SealedModel):
    """An account at a provider: which adapter speaks to it, with which secrets, how fast and how much.

    ``settings`` and ``secrets`` hold what the provider's adapter asks for (``campaigns.channels``); secrets are sealed
    by the key ring itself.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        PAUSED = "paused", _("paused")
        REFUSED = "refused", _("refused by the provider")

    name = models.CharField(_("name"), max_length=120, unique=True)
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    provider = models.CharField(_("provider"), max_length=32)
    settings = models.JSONField(_("settings"), default=dict, blank=True)
    secrets = EncryptedJSONField(_("secrets"), person=None)
    hook = models.UUIDField(_("key of its callback address"), unique=True, editable=False)
    preferred = models.BooleanField(_("preferred"), default=False)
    per_second = models.PositiveIntegerField(_("messages a second"), null=True, blank=True)
    per_day = models.PositiveIntegerField(_("messages a day"), null=True, blank=True)
    per_person_month = models.PositiveSmallIntegerField(_("messages to one person a month"), null=True, blank=True)
    cost = models.DecimalField(_("cost of a message"), max_digits=10, decimal_places=5, default=0)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.ACTIVE)
    status_reason = models.CharField(_("why"), max_length=300, blank=True)
    created_at = models.DateTimeField(_("created"))

    objects = ChannelAccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("channel account")
        verbose_name_plural = _("channel accounts")

    def __str__(self) -> str:
        return self.name


class AccountUse(models.Model):
    """How many messages an account was given on one day of the organisation's calendar."""

    pk = models.CompositePrimaryKey("account_id", "day")
    account = models.ForeignKey(ChannelAccount, models.CASCADE, db_index=False, verbose_name=_("account"))
    day = models.DateField(_("day"))
    used = models.PositiveIntegerField(_("messages"), default=0)
    # When the next message may leave, at the account's rate (campaigns.reach.quotas).
    paced_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("use of an account")
        verbose_name_plural = _("use of accounts")

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}: {self.used}"
