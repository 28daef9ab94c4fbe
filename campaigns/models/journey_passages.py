"""How many people left the steps of journeys, and how: numbers, kept apart from the people."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.journeys import JourneyVersion


class Passage(models.Model):
    """So many left a step of a version with an outcome: a row for each batch that moved, added up from time to time.

    Rows are only added where people move, so those who move others at the same time never wait for one another.
    """

    version = models.ForeignKey(
        JourneyVersion, models.CASCADE, related_name="passages", db_index=False, verbose_name=_("version")
    )
    step = models.CharField(_("step"), max_length=40)
    outcome = models.CharField(_("outcome"), max_length=40)
    number = models.BigIntegerField(_("number"))

    class Meta:
        verbose_name = _("passage of a step")
        verbose_name_plural = _("passages of steps")
        indexes = [models.Index(fields=["version", "step", "outcome"], include=["number"], name="campaigns_passages")]

    def __str__(self) -> str:
        return f"{self.step} {self.outcome} {self.number}"
