"""What platforms do not let accounts do, and accounts that are not let in at all."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount


class RefusedRight(models.Model):
    """A call that the platform says this account may not make; it goes when one such call succeeds, or by a button.

    ``api`` is the call's path. The platform's staff find the refusal by ``rid`` for seven days.
    """

    account = models.ForeignKey(
        ChannelAccount, models.CASCADE, related_name="refused_rights", verbose_name=_("account")
    )
    api = models.CharField(_("call"), max_length=120)
    code = models.CharField(_("platform's code"), max_length=16)
    rid = models.CharField(_("number of the request (rid)"), max_length=64, blank=True)
    since = models.DateTimeField(_("since"))
    seen_at = models.DateTimeField(_("last refused"))

    class Meta:
        verbose_name = _("refused right")
        verbose_name_plural = _("refused rights")
        constraints = [models.UniqueConstraint(fields=["account", "api"], name="campaigns_refused_right_once")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.api}: {self.code}"


class AccountTroubleQuerySet(models.QuerySet["AccountTrouble"]):
    def open(self) -> Self:
        """Return those whose accounts still stand still."""
        return self.filter(closed_at=None)

    def to_be_told(self, now: datetime) -> Self:
        """Return those of which the people on call are to be told now."""
        return self.open().filter(told_at=None, tell_from__lte=now)


class AccountTrouble(models.Model):
    """An account that its provider refuses: since when, and when people were told; it ends when the account works."""

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="troubles", verbose_name=_("account"))
    reason = models.CharField(_("why"), max_length=300, blank=True)
    raised_at = models.DateTimeField(_("raised"))
    tell_from = models.DateTimeField(_("people are told from"), null=True, blank=True)
    told_at = models.DateTimeField(_("people were told"), null=True, blank=True)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True)

    objects = AccountTroubleQuerySet.as_manager()

    class Meta:
        verbose_name = _("trouble with an account")
        verbose_name_plural = _("troubles with accounts")
        constraints = [
            # Of two beats that see the same, one writes it down.
            models.UniqueConstraint(fields=["account"], condition=Q(closed_at=None), name="campaigns_trouble_once")
        ]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.reason}"
