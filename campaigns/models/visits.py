"""What came of links and pictures in messages, as it came in: an inbox that is emptied into the event log."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.deliveries import Delivery
from crm.models import Event


class Visit(models.Model):
    """One request for a link or a picture, written before it is answered; gone once the log has it.

    No address and no name of the browser is kept: only what kind of device it is, and whether a machine asked.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    delivery = models.ForeignKey(Delivery, models.CASCADE, related_name="+", verbose_name=_("delivery"))
    link = models.PositiveBigIntegerField(_("link"), default=0)
    kind = models.CharField(_("kind"), max_length=16, choices=Event.Kind)
    automatic = models.CharField(_("asked by a machine"), max_length=16, blank=True)
    device = models.CharField(_("device"), max_length=16, blank=True)
    system = models.CharField(_("system"), max_length=32, blank=True)
    browser = models.CharField(_("program"), max_length=32, blank=True)
    happened_at = models.DateTimeField(_("happened"))

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        indexes = [models.Index(fields=["happened_at"], name="campaigns_visits_in_turn")]

    def __str__(self) -> str:
        return f"{self.kind} {self.happened_at:%Y-%m-%d %H:%M:%S}"
