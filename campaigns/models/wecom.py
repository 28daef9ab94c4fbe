"""WeCom: who of the staff knows which customer, and what they were asked to send."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.bulk import BulkJob
from campaigns.models.channels import ChannelAccount
from crm.models import Identifier


class Staff(models.Model):
    """A member of the corporation who may have customers in WeCom; perhaps also a user of this admin.

    ``told_name`` is what WeCom tells, where our application may read it; ``name`` is what was written here and goes
    before it. ``left_at`` is when she left the corporation, as the list of customers without staff tells.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="staff", verbose_name=_("account"))
    userid = models.CharField(_("number in WeCom"), max_length=64)
    name = models.CharField(_("name"), max_length=120, blank=True, help_text=_("Empty: the name that WeCom tells."))
    told_name = models.CharField(_("name in WeCom"), max_length=120, blank=True, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("user")
    )
    active = models.BooleanField(_("active"), default=True)
    left_at = models.DateTimeField(_("left the corporation"), null=True, blank=True, editable=False)
    synced_at = models.DateTimeField(_("last heard of"))

    class Meta:
        verbose_name = _("member of staff")
        verbose_name_plural = _("staff")
        constraints = [models.UniqueConstraint(fields=["account", "userid"], name="campaigns_staff_once")]

    def __str__(self) -> str:
        return self.name or self.told_name or self.userid


class StaffContact(models.Model):
    """That a member of staff and a customer know each other in WeCom: the relation is the key, not the customer.

    ``state`` is the mark of the way by which the customer came. ``ended_by`` says who ended it: a customer who does
    has withdrawn.
    """

    class EndedBy(models.TextChoices):
        CUSTOMER = "customer", _("the customer")
        STAFF = "staff", _("the member of staff")
        HANDOVER = "handover", _("handed over")

    staff = models.ForeignKey(Staff, models.CASCADE, related_name="contacts", verbose_name=_("member of staff"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="contacts", verbose_name=_("identifier"))
    state = models.CharField(_("came by"), max_length=64, blank=True)
    add_way = models.PositiveSmallIntegerField(_("way"), null=True, blank=True, help_text=_("WeCom's number of it."))
    tags = ArrayField(models.CharField(max_length=64), default=list, blank=True, verbose_name=_("tags"))
    added_at = models.DateTimeField(_("added"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.CharField(_("ended by"), max_length=8, choices=EndedBy, blank=True)
    synced_at = models.DateTimeField(_("last heard of"))

    class Meta:
        verbose_name = _("contact of staff")
        verbose_name_plural = _("contacts of staff")
        constraints = [models.UniqueConstraint(fields=["staff", "identifier"], name="campaigns_staff_contact_once")]

    def __str__(self) -> str:
        return f"{self.staff_id} #{self.pk}"


class StaffTask(models.Model):
    """What a member of staff was asked to confirm, whether that was done, and how many it reached."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waits for the member of staff")
        CONFIRMED = "confirmed", _("confirmed")
        EXPIRED = "expired", _("never confirmed")
        CANCELLED = "cancelled", _("cancelled")

    job = models.ForeignKey(BulkJob, models.CASCADE, related_name="tasks", verbose_name=_("job"))
    staff = models.ForeignKey(Staff, models.PROTECT, related_name="tasks", verbose_name=_("member of staff"))
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.WAITING)
    people = models.PositiveIntegerField(_("people"))
    reached = models.PositiveIntegerField(_("reached"), default=0)
    reminders = models.PositiveSmallIntegerField(_("reminders"), default=0)
    reminded_at = models.DateTimeField(_("reminded"), null=True, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)

    class Meta:
        verbose_name = _("task of staff")
        verbose_name_plural = _("tasks of staff")
        constraints = [models.UniqueConstraint(fields=["job", "staff"], name="campaigns_staff_task_once")]

    def __str__(self) -> str:
        return f"{self.status}: {self.people}"
