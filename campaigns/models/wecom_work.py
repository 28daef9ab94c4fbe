"""WeCom: tags of customers, groups, moments, and customers handed over from one member of staff to another."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount
from campaigns.models.segments import Segment
from campaigns.models.wecom import Staff, StaffContact
from campaigns.models.wecom_media import Picture


class CustomerTag(models.Model):
    """A tag that the corporation gives to customers; with a segment, its people are given it."""

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="customer_tags", verbose_name=_("account"))
    tag_id = models.CharField(_("number in WeCom"), max_length=64, blank=True, editable=False)
    name = models.CharField(_("name"), max_length=30)
    group = models.CharField(_("group of tags"), max_length=30)
    segment = models.ForeignKey(
        Segment, models.SET_NULL, null=True, blank=True, related_name="customer_tags", verbose_name=_("segment"),
        help_text=_("Who is in it gets the tag, who leaves it loses it; empty: staff give it by hand."),
    )  # fmt: skip
    synced_at = models.DateTimeField(_("last heard of"), null=True, blank=True, editable=False)
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("tag of customers")
        verbose_name_plural = _("tags of customers")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "tag_id"], condition=~models.Q(tag_id=""), name="campaigns_customer_tag_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.group} · {self.name}"


class CustomerGroup(models.Model):
    """A group chat of customers: how many are in it; who they are is not kept."""

    account = models.ForeignKey(
        ChannelAccount, models.CASCADE, related_name="customer_groups", verbose_name=_("account")
    )
    chat_id = models.CharField(_("number in WeCom"), max_length=64)
    name = models.CharField(_("name"), max_length=120, blank=True)
    owner = models.ForeignKey(
        Staff, models.SET_NULL, null=True, blank=True, related_name="groups", verbose_name=_("owner")
    )
    members = models.PositiveIntegerField(_("members"), default=0)
    customers = models.PositiveIntegerField(_("customers"), default=0)
    by_way = models.JSONField(_("by way of arrival"), default=dict, help_text=_("How many came by each mark."))
    opened_at = models.DateTimeField(_("opened"), null=True, blank=True)
    synced_at = models.DateTimeField(_("last heard of"))
    dismissed_at = models.DateTimeField(_("dismissed"), null=True, blank=True)

    class Meta:
        verbose_name = _("group of customers")
        verbose_name_plural = _("groups of customers")
        constraints = [models.UniqueConstraint(fields=["account", "chat_id"], name="campaigns_customer_group_once")]

    def __str__(self) -> str:
        return self.name or self.chat_id


class Moment(models.Model):
    """A post that staff are asked to publish to their customers' moments."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        CREATING = "creating", _("being handed over")
        WAITING = "waiting", _("waits for staff")
        FAILED = "failed", _("refused")
        UNKNOWN = "unknown", _("unknown")
        OVER = "over", _("over")

    account = models.ForeignKey(ChannelAccount, models.PROTECT, related_name="+", verbose_name=_("account"))
    text = models.TextField(_("text"), max_length=2000)
    pictures = models.ManyToManyField(
        Picture, blank=True, related_name="+", verbose_name=_("pictures"), help_text=_("Nine at most; or a link.")
    )
    link_title = models.CharField(_("title of a link below it"), max_length=64, blank=True)
    link_url = models.URLField(_("address of the link"), max_length=500, blank=True)
    staff = models.ManyToManyField(
        Staff, blank=True, related_name="+", verbose_name=_("staff"), help_text=_("Empty: all of them.")
    )
    status = models.CharField(_("status"), max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    reason = models.CharField(_("why"), max_length=64, blank=True, editable=False)
    job_id = models.CharField(_("job"), max_length=128, blank=True, editable=False)
    moment_id = models.CharField(_("number in WeCom"), max_length=128, blank=True, editable=False)
    asked = models.PositiveIntegerField(_("asked"), default=0, editable=False)
    published = models.PositiveIntegerField(_("published"), default=0, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False,
        verbose_name=_("made by"),
    )  # fmt: skip
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", editable=False,
        verbose_name=_("handed over by"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("made"), editable=False)
    called_at = models.DateTimeField(_("handed over"), null=True, blank=True, editable=False)
    poll_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("moment")
        verbose_name_plural = _("moments")

    def __str__(self) -> str:
        return self.text[:60]


class MomentTask(models.Model):
    """Whether one member of staff published a moment."""

    moment = models.ForeignKey(Moment, models.CASCADE, related_name="tasks", verbose_name=_("moment"))
    staff = models.ForeignKey(Staff, models.CASCADE, related_name="+", verbose_name=_("member of staff"))
    published = models.BooleanField(_("published"), default=False)
    synced_at = models.DateTimeField(_("last heard of"))

    class Meta:
        verbose_name = _("publication of a moment")
        verbose_name_plural = _("publications of moments")
        constraints = [models.UniqueConstraint(fields=["moment", "staff"], name="campaigns_moment_task_once")]

    def __str__(self) -> str:
        return f"{self.moment_id} {self.staff_id}"


class Handover(models.Model):
    """Customers of one member of staff who are handed over to another.

    Of who has left (``resigned``) the platform hands over by calls of their own.
    """

    account = models.ForeignKey(ChannelAccount, models.PROTECT, related_name="+", verbose_name=_("account"))
    from_staff = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name=_("from"))
    to_staff = models.ForeignKey(Staff, models.PROTECT, related_name="+", verbose_name=_("to"))
    message = models.CharField(
        _("message to the customers"), max_length=200, blank=True, help_text=_("Empty: the platform's own.")
    )
    resigned = models.BooleanField(_("has left the corporation"), default=False, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False,
        verbose_name=_("made by"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("made"), editable=False)
    poll_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("handover")
        verbose_name_plural = _("handovers")
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(from_staff=models.F("to_staff")),
                name="campaigns_handover_to_another",
                violation_error_message=_("Choose another member of staff to hand over to."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.from_staff} → {self.to_staff}"


class HandedOver(models.Model):
    """One customer of a handover, and whether she went along; who does nothing for a day has agreed."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("to be handed over")
        CALLING = "calling", _("being handed over")
        WAITING = "waiting", _("waits for the customer")
        DONE = "done", _("taken over")
        REFUSED = "refused", _("the customer refused")
        LIMIT = "limit", _("the other has too many customers")
        FAILED = "failed", _("refused by the platform")
        UNKNOWN = "unknown", _("unknown")

    handover = models.ForeignKey(Handover, models.CASCADE, related_name="customers", verbose_name=_("handover"))
    contact = models.ForeignKey(StaffContact, models.CASCADE, related_name="+", verbose_name=_("contact"))
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.QUEUED)
    reason = models.CharField(_("why"), max_length=64, blank=True)
    changed_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("customer handed over")
        verbose_name_plural = _("customers handed over")
        constraints = [models.UniqueConstraint(fields=["handover", "contact"], name="campaigns_handed_over_once")]

    def __str__(self) -> str:
        return f"{self.status} #{self.contact_id}"
