"""Mini programs: the ways that lead into them, what a person's phone number cost, and what their privacy guide says."""

from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from campaigns.models.channels import ChannelAccount
from crm.models import Identifier


class MiniLinkQuerySet(models.QuerySet["MiniLink"]):
    def named(self, account: ChannelAccount, scene: str) -> Self:
        return self.filter(account=account, scene=scene)


class MiniLink(models.Model):
    """A way into a mini program that can be told from all others by its scene: a link, a scheme or a code.

    ``opened`` counts logins that named the scene: the platform counts nothing for us, and who opens the page and never
    logs in is not counted.
    """

    class Kind(models.TextChoices):
        LINK = "link", _("link, for SMS and e-mail")
        SCHEME = "scheme", _("scheme, for web pages and apps")
        PLAIN = "plain", _("plain scheme, without an end; the page must be allowed in the console")
        CODE = "code", _("code, to be printed or shown")

    account = models.ForeignKey(
        ChannelAccount, models.PROTECT, related_name="mini_links", verbose_name=_("mini program")
    )
    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    scene = models.CharField(_("scene"), max_length=32, editable=False)
    page = models.CharField(
        _("page"),
        max_length=200,
        blank=True,
        help_text=_("Of the live version, as pages/offer/index; empty: the start."),
    )
    campaign = models.ForeignKey(
        Campaign, models.SET_NULL, null=True, blank=True, related_name="mini_links", verbose_name=_("campaign")
    )
    url = models.CharField(_("address"), max_length=500, blank=True, editable=False)
    image = models.BinaryField(null=True, blank=True, editable=False)
    opened = models.PositiveIntegerField(_("logins"), default=0, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False,
        verbose_name=_("made by"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("made"), editable=False)
    expires_at = models.DateTimeField(_("works until"), null=True, blank=True, editable=False)

    objects = MiniLinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("way into a mini program")
        verbose_name_plural = _("ways into mini programs")
        constraints = [models.UniqueConstraint(fields=["account", "scene"], name="campaigns_scene_once")]

    def __str__(self) -> str:
        return self.name

    def count_login(self) -> None:
        MiniLink.objects.filter(pk=self.pk).update(opened=F("opened") + 1)


class PhoneCodeQuerySet(models.QuerySet["PhoneCode"]):
    def meter(self, since: datetime) -> list[dict[str, Any]]:
        """Return, for each account and day, how many codes were used, how many numbers were paid for, and the cost."""
        rows = self.filter(asked_at__gte=since).values("account__name", "day", "currency")
        paid = Q(status=PhoneCode.Status.CHARGED)
        counts = {"asked": Count("pk"), "charged": Count("pk", filter=paid), "total": Sum("cost")}
        return [dict(row) for row in rows.annotate(**counts).order_by("-day", "account__name")]


class PhoneCode(models.Model):
    """A code by which a person lets us ask the platform for her phone number: used once, paid for each success.

    Written before the call, so that a code that is sent again is never paid for again. ``consent`` is the event of the
    ledger that allowed it. The number itself stands nowhere here.
    """

    class Status(models.TextChoices):
        CALLING = "calling", _("being asked")
        CHARGED = "charged", _("told, and paid for")
        FAILED = "failed", _("not told")
        UNKNOWN = "unknown", _("unknown: perhaps paid for")

    account = models.ForeignKey(ChannelAccount, models.PROTECT, related_name="+", verbose_name=_("mini program"))
    digest = models.CharField(max_length=64, editable=False)
    identifier = models.ForeignKey(
        Identifier, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("identifier")
    )
    consent = models.UUIDField(_("consent"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.CALLING)
    reason = models.CharField(_("why"), max_length=64, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=10, decimal_places=5, default=0)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    day = models.DateField(_("day"))
    asked_at = models.DateTimeField(_("asked"))
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)

    objects = PhoneCodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("phone number by code")
        verbose_name_plural = _("phone numbers by code")
        constraints = [models.UniqueConstraint(fields=["account", "digest"], name="campaigns_phone_code_once")]
        indexes = [models.Index(fields=["asked_at"], name="campaigns_phone_meter")]

    def __str__(self) -> str:
        return f"{self.status} {self.asked_at:%F %T}"


class PrivacyGuide(models.Model):
    """What the platform's privacy setting of a mini program said when it was last asked."""

    account = models.OneToOneField(
        ChannelAccount, models.CASCADE, primary_key=True, related_name="privacy_guide", verbose_name=_("mini program")
    )
    declared = models.JSONField(_("declared"), default=dict, help_text=_("What is collected, and what for."))
    used = models.JSONField(_("read by its code"), default=list, help_text=_("As the platform found."))
    contact = models.BooleanField(_("names a contact"), default=False)
    exists = models.BooleanField(_("filled in"), default=False)
    problem = models.CharField(_("problem"), max_length=200, blank=True)
    checked_at = models.DateTimeField(_("asked"))

    class Meta:
        verbose_name = _("privacy guide")
        verbose_name_plural = _("privacy guides")

    def __str__(self) -> str:
        return str(self.account)
