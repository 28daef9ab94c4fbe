"""What the reports of campaigns are made of, counted once for all who look."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign


class Figures(models.Model):
    """The sums over a campaign's people (``campaigns.figures``): of groups, never of one person."""

    campaign = models.OneToOneField(
        Campaign, models.CASCADE, primary_key=True, related_name="figures", verbose_name=_("campaign")
    )
    counted = models.JSONField(_("sums"))
    made_at = models.DateTimeField(_("counted at"))

    class Meta:
        verbose_name = _("figures of a campaign")
        verbose_name_plural = _("figures of campaigns")

    def __str__(self) -> str:
        return str(self.campaign)
