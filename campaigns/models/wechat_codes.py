"""QR codes that lead to an official account, and how many came by each."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from campaigns.models.channels import ChannelAccount


class EntryCode(models.Model):
    """A QR code: whoever scans it brings its scene, and so do all events of that visit.

    ``welcome`` is what a newcomer is told at once, within the minute that the platform allows for it.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="entry_codes", verbose_name=_("account"))
    name = models.CharField(_("name"), max_length=120)
    scene = models.CharField(
        _("scene"), max_length=64, help_text=_("Letters, digits, dots and dashes; events carry it for good.")
    )
    campaign = models.ForeignKey(
        Campaign, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("campaign")
    )
    welcome = models.CharField(_("welcome text"), max_length=600, blank=True)
    permanent = models.BooleanField(
        _("for good"), default=False, help_text=_("Else it works for 30 days; an account has 100,000 for good.")
    )
    ticket = models.CharField(max_length=300, blank=True, editable=False)
    url = models.CharField(_("address in the code"), max_length=300, blank=True, editable=False)
    scans = models.PositiveIntegerField(_("scans"), default=0, editable=False)
    follows = models.PositiveIntegerField(_("new followers"), default=0, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)

    class Meta:
        verbose_name = _("WeChat entry code")
        verbose_name_plural = _("WeChat entry codes")
        constraints = [models.UniqueConstraint(fields=["account", "scene"], name="campaigns_entry_scene_once")]

    def __str__(self) -> str:
        return self.name
