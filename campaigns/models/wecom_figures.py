"""What WeCom counts of each member of staff's days with customers, and of what is left of acquisition links."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount
from campaigns.models.wecom import Staff


class StaffDay(models.Model):
    """What the platform told of a member of staff's day; what it did not tell is null, never nought.

    Sums of a day over all her customers: nobody's own. ``group_…`` are of the groups that she owns, ``…_total`` at the
    day's end.
    """

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="days", verbose_name=_("member of staff"))
    day = models.DateField(_("day"))
    chats = models.PositiveIntegerField(_("conversations"), null=True, blank=True)
    messages = models.PositiveIntegerField(_("messages sent"), null=True, blank=True)
    replied = models.FloatField(_("answered, in percent"), null=True, blank=True)
    answer_minutes = models.PositiveIntegerField(_("minutes until the first answer"), null=True, blank=True)
    asked = models.PositiveIntegerField(_("requests to customers"), null=True, blank=True)
    added = models.PositiveIntegerField(_("new customers"), null=True, blank=True)
    lost = models.PositiveIntegerField(_("customers who left"), null=True, blank=True)
    group_new = models.PositiveIntegerField(_("new groups"), null=True, blank=True)
    group_total = models.PositiveIntegerField(_("groups of staff"), null=True, blank=True)
    group_members_new = models.PositiveIntegerField(_("new members of groups"), null=True, blank=True)
    group_members_total = models.PositiveIntegerField(_("members of groups"), null=True, blank=True)
    group_messages = models.PositiveIntegerField(_("messages in groups"), null=True, blank=True)
    taken_at = models.DateTimeField(_("taken"))

    class Meta:
        verbose_name = _("day of staff")
        verbose_name_plural = _("days of staff")
        constraints = [models.UniqueConstraint(fields=["staff", "day"], name="campaigns_staff_day_once")]
        indexes = [models.Index(fields=["day"], name="campaigns_staff_days")]

    def __str__(self) -> str:
        return f"{self.staff_id} {self.day}"


class AcquisitionQuota(models.Model):
    """How many customers may still come by acquisition links, as the platform last told: each is paid for."""

    account = models.OneToOneField(
        ChannelAccount, models.CASCADE, primary_key=True, related_name="acquisition_quota", verbose_name=_("account")
    )
    total = models.PositiveIntegerField(_("bought in all"))
    balance = models.PositiveIntegerField(_("customers left to come"))
    expiring = models.JSONField(_("what ends when"), default=list, help_text=_("Moments and how many end then."))
    asked_at = models.DateTimeField(_("asked"))

    class Meta:
        verbose_name = _("quota of acquisition links")
        verbose_name_plural = _("quotas of acquisition links")

    def __str__(self) -> str:
        return f"{self.account_id}: {self.balance}"
