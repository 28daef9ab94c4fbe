"""Addresses in messages, which leave as opaque signed tokens."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Variant
from crm.models import Channel


class Link(models.Model):
    """One address in one variant's message; the token in the message names the delivery and this."""

    variant = models.ForeignKey(Variant, models.CASCADE, related_name="links", verbose_name=_("variant"))
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    language = models.CharField(_("language"), max_length=16)
    position = models.PositiveSmallIntegerField(_("position"))
    url = models.TextField(_("address"), help_text=_("May hold variables, filled when the message is rendered."))
    label = models.CharField(_("label"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("link")
        verbose_name_plural = _("links")
        constraints = [
            models.UniqueConstraint(fields=["variant", "channel", "language", "position"], name="campaigns_link_once")
        ]

    def __str__(self) -> str:
        return self.label or self.url
