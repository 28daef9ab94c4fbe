"""People at WeChat accounts, what the platform told of them, and what it lets us do."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount
from campaigns.models.deliveries import Delivery
from crm.encryption import EncryptedJSONField, EncryptedTextField, SealedModel, SealedQuerySet
from crm.models import Identifier


class FollowerQuerySet(models.QuerySet["Follower"]):
    def reachable(self) -> Self:
        """Return those to whom an account may send at all: they follow it, and have not switched its messages off."""
        return self.filter(following=True, receiving=True)


class Follower(models.Model):
    """A person at one WeChat account: a follower of an official account, or a user of a mini program.

    Her openid stands, sealed, in ``identifier``, which leads to her profile. ``entry`` is the scene string of the code
    by which she came. ``receiving`` is off where the platform said that she blocked the account's messages.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="followers", verbose_name=_("account"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="follows", verbose_name=_("identifier"))
    following = models.BooleanField(_("follows"), default=True)
    receiving = models.BooleanField(_("receives messages"), default=True)
    scene = models.CharField(_("came by"), max_length=40, blank=True, help_text=_("As the platform calls it."))
    entry = models.CharField(_("code"), max_length=64, blank=True)
    tags = ArrayField(models.PositiveIntegerField(), default=list, blank=True, verbose_name=_("tags"))
    language = models.CharField(_("language"), max_length=16, blank=True)
    followed_at = models.DateTimeField(_("followed"), null=True, blank=True)
    unfollowed_at = models.DateTimeField(_("unfollowed"), null=True, blank=True)
    synced_at = models.DateTimeField(_("last heard of"))

    objects = FollowerQuerySet.as_manager()

    class Meta:
        verbose_name = _("follower")
        verbose_name_plural = _("followers")
        constraints = [
            models.UniqueConstraint(fields=["account", "identifier"], name="campaigns_follows_an_account_once")
        ]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.pk}"


class Inbound(SealedModel):
    """One callback of the platform, once: kept at once, worked on after.

    ``key`` is a hash of what the platform's repetitions have in common. ``told`` is the decrypted message, sealed:
    openids and what people wrote stand in it.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    key = models.CharField(_("key"), max_length=128)
    kind = models.CharField(_("kind"), max_length=64)
    told = EncryptedJSONField(_("told"), person=None, editable=False)
    identifier = models.ForeignKey(
        Identifier, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("identifier")
    )
    happened_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"), db_index=True)
    handled_at = models.DateTimeField(_("handled"), null=True, blank=True)
    problem = models.CharField(_("problem"), max_length=200, blank=True)

    objects = SealedQuerySet["Inbound"].as_manager()

    class Meta:
        verbose_name = _("callback of WeChat")
        verbose_name_plural = _("callbacks of WeChat")
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="campaigns_inbound_once")]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(handled_at=None), name="campaigns_inbound_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.received_at:%F %T}"


class Credit(models.Model):
    """One line of a person's account of subscriptions: each accepted one lets one message by that template leave.

    The balance is the sum, and never below nothing: the platform keeps the truth, and what it refuses empties it.
    """

    class Source(models.TextChoices):
        POPUP = "popup", _("told by the platform")
        REPORT = "report", _("told by the mini program")
        SENT = "sent", _("used by a message")
        RETURNED = "returned", _("given back: nothing was sent")
        REFUSED = "refused", _("refused by the person or the platform")

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="+", verbose_name=_("identifier"))
    template_id = models.CharField(_("template"), max_length=64)
    delta = models.SmallIntegerField(_("change"))
    source = models.CharField(_("source"), max_length=8, choices=Source)
    key = models.CharField(_("key"), max_length=128, unique=True)
    delivery = models.ForeignKey(
        Delivery, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("delivery")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("subscription credit")
        verbose_name_plural = _("subscription credits")
        indexes = [models.Index(fields=["identifier", "account", "template_id"], name="campaigns_credits_of")]

    def __str__(self) -> str:
        return f"{self.template_id}: {self.delta:+d}"


class ServiceWindowQuerySet(models.QuerySet["ServiceWindow"]):
    def open(self, now: datetime) -> Self:
        return self.filter(expires_at__gt=now, remaining__gt=0)


class ServiceWindow(models.Model):
    """How many messages an account may still send to a person because of what she did, and until when.

    What she does next does not add to it: it sets both to that scene's most.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="+", verbose_name=_("identifier"))
    scene = models.CharField(_("scene"), max_length=24)
    opened_at = models.DateTimeField(_("opened"))
    expires_at = models.DateTimeField(_("open until"))
    remaining = models.PositiveSmallIntegerField(_("messages left"))

    objects = ServiceWindowQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer-service window")
        verbose_name_plural = _("customer-service windows")
        constraints = [models.UniqueConstraint(fields=["account", "identifier"], name="campaigns_one_window")]

    def __str__(self) -> str:
        return f"{self.scene}: {self.remaining}"


class PlatformTemplate(models.Model):
    """A template that the platform gave an account, and whether a colleague has allowed it for service messages.

    Advertising by such templates gets an account banned: ``allowed`` is empty until somebody has looked.
    """

    class Kind(models.TextChoices):
        TEMPLATE = "template", _("template message")
        ONE_TIME = "one_time", _("one-time subscription")
        LONG_TERM = "long_term", _("long-term subscription")

    account = models.ForeignKey(
        ChannelAccount, models.CASCADE, related_name="platform_templates", verbose_name=_("account")
    )
    template_id = models.CharField(_("number"), max_length=64)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    title = models.CharField(_("title"), max_length=120)
    content = models.TextField(_("content"), blank=True)
    keys = ArrayField(models.CharField(max_length=40), default=list, blank=True, verbose_name=_("keys"))
    category = models.CharField(_("category"), max_length=120, blank=True)
    example = models.TextField(_("example"), blank=True)
    allowed = models.BooleanField(_("allowed for service messages"), null=True, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("reviewed by")
    )
    reviewed_at = models.DateTimeField(_("reviewed"), null=True, blank=True)
    synced_at = models.DateTimeField(_("last heard of"))
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)

    class Meta:
        verbose_name = _("template of the platform")
        verbose_name_plural = _("templates of the platform")
        constraints = [
            models.UniqueConstraint(fields=["account", "template_id"], name="campaigns_platform_template_once")
        ]

    def __str__(self) -> str:
        return self.title


class ChannelLimit(models.Model):
    """What a platform allows, where it differs from the table that we ship (``campaigns.channels.wechat.limits``).

    Without an account it holds for all of the provider's.
    """

    provider = models.CharField(_("provider"), max_length=32)
    account = models.ForeignKey(
        ChannelAccount, models.CASCADE, null=True, blank=True, related_name="limits", verbose_name=_("account")
    )
    name = models.CharField(_("name"), max_length=64)
    value = models.PositiveIntegerField(_("at most"))
    source = models.CharField(_("source"), max_length=300, blank=True, help_text=_("Who says so, and when."))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("limit of a platform")
        verbose_name_plural = _("limits of platforms")
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account", "name"], nulls_distinct=False, name="campaigns_limit_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class AccountToken(SealedModel):
    """The token by which an account may call its platform: one for all workers, fetched by one of them."""

    account = models.OneToOneField(ChannelAccount, models.CASCADE, primary_key=True, verbose_name=_("account"))
    token = EncryptedTextField(_("token"), person=None, editable=False)
    expires_at = models.DateTimeField(_("valid until"))
    fetched_at = models.DateTimeField(_("fetched"))

    objects = SealedQuerySet["AccountToken"].as_manager()

    class Meta:
        verbose_name = _("token of an account")
        verbose_name_plural = _("tokens of accounts")

    def __str__(self) -> str:
        return f"{self.account_id} until {self.expires_at:%F %T}"
