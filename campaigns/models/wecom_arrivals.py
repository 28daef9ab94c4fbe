"""How customers come to staff in WeCom, and the welcome that each gets within twenty seconds."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from campaigns.models.channels import ChannelAccount
from campaigns.models.wecom import Staff
from campaigns.models.wecom_media import Attached
from crm.encryption import EncryptedTextField, SealedModel, SealedQuerySet
from crm.models import Identifier


class ArrivalWayQuerySet(models.QuerySet["ArrivalWay"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)

    def of_state(self, account: ChannelAccount, state: str) -> "ArrivalWay | None":
        """Return the way whose mark a new customer brings; who brings none gets the one for everybody else."""
        rows = self.filter(account=account)
        named = rows.filter(state=state).first() if state else None
        return named or rows.open().filter(kind=ArrivalWay.Kind.OTHERWISE).first()


class ArrivalWay(Attached):
    """A code or link by which customers come to staff, or to a group; its ``state`` comes back with each of them.

    ``config_id`` is the platform's name of it: it can be listed nowhere, so one that is lost is lost for good.
    """

    class Kind(models.TextChoices):
        STAFF = "staff", _("code of staff")
        GROUP = "group", _("code of groups")
        LINK = "link", _("acquisition link, each customer paid for")
        OTHERWISE = "otherwise", _("everybody who comes otherwise")

    account = models.ForeignKey(ChannelAccount, models.PROTECT, related_name="ways", verbose_name=_("account"))
    name = models.CharField(_("name"), max_length=120, help_text=_("Where it will hang or be shown."))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind, default=Kind.STAFF)
    state = models.CharField(_("mark"), max_length=30, blank=True, editable=False)
    staff = models.ManyToManyField(Staff, blank=True, related_name="ways", verbose_name=_("staff"))
    groups = ArrayField(
        models.CharField(max_length=64),
        default=list,
        blank=True,
        verbose_name=_("groups"),
        help_text=_("Five at most."),
    )
    campaign = models.ForeignKey(
        Campaign, models.SET_NULL, null=True, blank=True, related_name="ways", verbose_name=_("campaign")
    )
    skip_verify = models.BooleanField(
        _("without confirmation"), default=True, help_text=_("Staff need not accept each customer by hand.")
    )
    welcome = models.TextField(
        _("welcome message"), blank=True, help_text=_("Sent within seconds; 4,000 bytes. Empty: none.")
    )
    link_title = models.CharField(_("title of a link below it"), max_length=64, blank=True)
    link_url = models.URLField(_("address of the link"), max_length=500, blank=True)
    config_id = models.CharField(_("number in WeCom"), max_length=128, blank=True, editable=False)
    qr_code = models.CharField(_("picture of the code"), max_length=500, blank=True, editable=False)
    # Of a link: where it leads, and how many customers the platform names, of whom so many have written.
    url = models.CharField(_("address"), max_length=500, blank=True, editable=False)
    told = models.PositiveIntegerField(_("customers by the platform's count"), null=True, blank=True, editable=False)
    writing = models.PositiveIntegerField(_("of these, have written"), null=True, blank=True, editable=False)
    synced_at = models.DateTimeField(_("last heard of"), null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False,
        verbose_name=_("made by"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("made"), editable=False)
    closed_at = models.DateTimeField(_("closed"), null=True, blank=True, editable=False)

    objects = ArrivalWayQuerySet.as_manager()

    class Meta:
        verbose_name = _("way of arrival")
        verbose_name_plural = _("ways of arrival")
        constraints = [
            models.UniqueConstraint(fields=["account", "state"], condition=~Q(state=""), name="campaigns_state_once"),
            models.UniqueConstraint(
                fields=["account"],
                condition=Q(kind="otherwise", closed_at=None),
                name="campaigns_one_way_otherwise",
                violation_error_message=_("There is one for everybody who comes otherwise already."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WelcomeQuerySet(SealedQuerySet["Welcome"]):
    def open(self) -> Self:
        return self.filter(status__in=[Welcome.Status.WAITING, Welcome.Status.CALLING])

    def due(self, now: datetime) -> Self:
        """Return those that a worker may take: new ones, and those whose worker is lost."""
        return self.open().filter(lease_until__lte=now, give_up_at__gt=now)

    def over(self, now: datetime) -> Self:
        return self.open().filter(give_up_at__lte=now, lease_until__lte=now)


class Welcome(SealedModel):
    """One welcome message, to be sent within twenty seconds of somebody's arrival, by whoever takes it first.

    The platform takes the code once. So a worker that was lost in the middle is replaced by another with the same code,
    and if the first had got through after all, the second is told so (41051): the customer never gets two.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("waits")
        CALLING = "calling", _("being sent")
        SENT = "sent", _("sent")
        # 41051 after a call of ours that was never answered: ours got through, or somebody else's did.
        PRESUMED = "presumed", _("sent, most likely by us")
        TAKEN = "taken", _("somebody else was faster")
        FAILED = "failed", _("refused")
        LATE = "late", _("too late")
        UNKNOWN = "unknown", _("unknown")
        WITHHELD = "withheld", _("withheld")

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    key = models.CharField(max_length=64, editable=False)
    code = EncryptedTextField(_("code"), person=None, editable=False)
    staff = models.ForeignKey(Staff, models.CASCADE, related_name="+", verbose_name=_("member of staff"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="+", verbose_name=_("identifier"))
    way = models.ForeignKey(
        ArrivalWay, models.SET_NULL, null=True, blank=True, related_name="welcomes", verbose_name=_("way of arrival")
    )
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.WAITING)
    reason = models.CharField(_("why"), max_length=64, blank=True)
    attempt = models.PositiveSmallIntegerField(_("tries"), default=0)
    unanswered = models.BooleanField(_("a try was never answered"), default=False)
    happened_at = models.DateTimeField(_("came"))
    received_at = models.DateTimeField(_("we were told"))
    give_up_at = models.DateTimeField(_("useless after"))
    lease_until = models.DateTimeField(editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = WelcomeQuerySet.as_manager()

    class Meta:
        verbose_name = _("welcome message")
        verbose_name_plural = _("welcome messages")
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="campaigns_welcome_once")]
        indexes = [
            models.Index(
                fields=["lease_until"], condition=Q(status__in=["waiting", "calling"]), name="campaigns_welcomes_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.received_at:%F %T}"
