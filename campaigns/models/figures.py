"""What the reports of campaigns are made of: rows of what people did, kept while they can change, and their sums."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign, Run, Variant
from campaigns.models.deliveries import Delivery
from crm.models import Channel, Profile


class Figures(models.Model):
    """The sums over a campaign's people (``campaigns.reporting.figures``): of groups, never of one person.

    ``state`` says up to where the rows below know the log, and by which rules they were made.
    """

    campaign = models.OneToOneField(
        Campaign, models.CASCADE, primary_key=True, related_name="figures", verbose_name=_("campaign")
    )
    counted = models.JSONField(_("sums"))
    state = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()), editable=False)
    made_at = models.DateTimeField(_("counted at"))

    class Meta:
        verbose_name = _("figures of a campaign")
        verbose_name_plural = _("figures of campaigns")

    def __str__(self) -> str:
        return str(self.campaign)


class Outcome(models.Model):
    """What one person of a run did around her assignment, in hundredths of the currency; deleted when it can't change.

    All of it can be made anew from the log (``campaigns.reporting.outcomes``), so the table is not logged: a server
    that crashed finds it empty, and the next count fills it. No foreign keys, for a million rows are written at once;
    erasing a profile deletes its rows.
    """

    pk = models.CompositePrimaryKey("profile_id", "run_id")
    profile = models.ForeignKey(
        Profile, models.CASCADE, db_constraint=False, db_index=False, related_name="+", verbose_name=_("profile")
    )
    run = models.ForeignKey(Run, models.CASCADE, db_constraint=False, related_name="+", verbose_name=_("run"))
    version = models.BigIntegerField(default=0, db_default=0)  # of a journey: the steps she began with
    # Of a journey no variant, as those are its messages, but the version with a minus.
    variant = models.ForeignKey(
        Variant, models.CASCADE, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    barred = models.BooleanField(default=False)  # her data are restricted: she counts nowhere
    assigned_at = models.DateTimeField()
    reached_at = models.DateTimeField(null=True)
    reached_before = models.BooleanField()
    value = models.BigIntegerField()
    value_before = models.BigIntegerField()
    others = models.PositiveIntegerField()  # purchases in another currency
    age_band = models.CharField(max_length=16, blank=True)
    cluster = models.CharField(max_length=16, blank=True)
    again_at = models.DateTimeField(null=True)  # something is told of her for later: then it counts

    class Meta:
        verbose_name = _("outcome of a person")
        verbose_name_plural = _("outcomes of people")
        indexes = [
            models.Index(fields=["run"], condition=models.Q(barred=True), name="campaigns_outcome_barred"),
            models.Index(
                fields=["again_at"], condition=models.Q(again_at__isnull=False), name="campaigns_outcome_again"
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.run_id}"


class Reaction(models.Model):
    """That a message was clicked, or asked for by a machine, each way once; not logged, as outcomes are not."""

    delivery = models.ForeignKey(Delivery, models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    profile = models.ForeignKey(Profile, models.CASCADE, db_constraint=False, related_name="+")
    run = models.ForeignKey(Run, models.CASCADE, db_constraint=False, related_name="+")
    variant = models.ForeignKey(
        Variant, models.CASCADE, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    channel = models.CharField(max_length=16, choices=Channel)
    kind = models.CharField(max_length=16)
    automatic = models.TextField(blank=True)  # what gave a machine away; empty: a person
    link = models.TextField(blank=True)
    device = models.TextField(blank=True)

    class Meta:
        verbose_name = _("reaction to a message")
        verbose_name_plural = _("reactions to messages")
        constraints = [
            models.UniqueConstraint(
                fields=["delivery", "kind", "automatic", "link", "device"], name="campaigns_react_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.automatic}".strip()
