"""Other systems that we tell what happened, by Standard Webhooks."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, Func, OuterRef, Q, Value
from django.utils.translation import gettext_lazy as _

from crm.encryption import EncryptedTextField, SealedModel, SealedQuerySet
from crm.models import Profile


class WebhookEndpointQuerySet(SealedQuerySet["WebhookEndpoint"]):
    def listening(self) -> Self:
        """Return those for whom messages are kept: also of one that was stopped because it did not answer."""
        return self.filter(Q(active=True) | Q(stopped_for=WebhookEndpoint.Why.FAILING))

    def due(self, now: datetime) -> Self:
        """Return those that have a message to be sent now, and are not being left in peace."""
        waiting = WebhookMessage.objects.filter(endpoint=OuterRef("pk"), next_at__lte=now)
        rested = Q(next_try_at=None) | Q(next_try_at__lte=now)
        return self.filter(Exists(waiting), rested, active=True)


class WebhookEndpoint(SealedModel):
    """An address that is told of events of some kinds, signed with a secret of its own.

    While ``failing_since`` is set, one message at a time is tried, not before ``next_try_at``. After a rotation the old
    secret signs too, until ``old_secret_until``.
    """

    class Why(models.TextChoices):
        BY_HAND = "by_hand", _("switched off")
        FAILING = "failing", _("did not answer for days")
        GONE = "gone", _("says that it is gone (410)")

    name = models.CharField(_("name"), max_length=120, unique=True)
    url = models.URLField(_("address"), max_length=500)
    secret = EncryptedTextField(_("secret"), person=None, editable=False)
    old_secret = EncryptedTextField(_("old secret"), person=None, editable=False)
    old_secret_until = models.DateTimeField(_("old secret until"), null=True, blank=True, editable=False)
    kinds = ArrayField(models.CharField(max_length=40), verbose_name=_("kinds of events"))
    active = models.BooleanField(_("active"), default=True)
    stopped_for = models.CharField(_("stopped because"), max_length=8, choices=Why, blank=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, blank=True, editable=False)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"))

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")

    def __str__(self) -> str:
        return self.name


class WebhookMessageQuerySet(models.QuerySet["WebhookMessage"]):
    def waiting(self) -> Self:
        return self.filter(next_at__isnull=False)

    def told(self) -> Self:
        return self.filter(delivered_at__isnull=False)

    def given_up(self) -> Self:
        return self.filter(next_at=None, delivered_at=None)

    def in_state(self, state: str) -> Self:
        """Return those that wait, were told or were given up; all where no state is named."""
        match state:
            case "waiting":
                return self.waiting()
            case "told":
                return self.told()
            case "given_up":
                return self.given_up()
        return self.all()


class WebhookMessage(models.Model):
    """One thing told to one endpoint: pseudonyms and codes, nothing personal.

    ``id`` is the uuid5 of endpoint and fact, and the number by which a receiver knows a repetition. ``sequence`` says
    which of two facts about the same thing came later; messages may arrive in another order. ``next_at`` lies in the
    future also while a worker has the message: if that worker is lost, another one takes it then.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="messages", verbose_name=_("webhook endpoint")
    )
    sequence = models.BigIntegerField(
        _("number"), db_default=Func(Value("campaigns_webhook_sequence"), function="nextval"), editable=False
    )
    kind = models.CharField(_("kind"), max_length=40)
    profile = models.ForeignKey(
        Profile, models.CASCADE, null=True, blank=True, related_name="+", editable=False, verbose_name=_("profile")
    )
    body = models.JSONField(_("body"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    happened_at = models.DateTimeField(_("happened"))
    created_at = models.DateTimeField(_("created"))
    next_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    objects = WebhookMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        indexes = [
            # What a worker takes, of one endpoint after the other.
            models.Index(
                F("endpoint"), F("next_at"), condition=Q(next_at__isnull=False), name="campaigns_webhooks_waiting"
            ),
            # The log of an endpoint, newest first, and what is told again since a time.
            models.Index(F("endpoint"), F("sequence").desc(), name="campaigns_webhooks_log"),
            # What is old enough to be forgotten.
            models.Index(F("created_at"), condition=Q(next_at__isnull=True), name="campaigns_webhooks_done"),
        ]

    def __str__(self) -> str:
        return self.kind


class WebhookAttempt(models.Model):
    """One try to tell an endpoint something, and what it answered."""

    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="tries", verbose_name=_("message"))
    status = models.PositiveSmallIntegerField(_("HTTP status"), null=True, blank=True)
    error = models.CharField(_("error"), max_length=200, blank=True)
    took_ms = models.PositiveIntegerField(_("milliseconds"))
    tried_at = models.DateTimeField(_("tried"))

    class Meta:
        verbose_name = _("attempt of a webhook")
        verbose_name_plural = _("attempts of webhooks")

    def __str__(self) -> str:
        return f"{self.status or self.error}"


class LedgerReader(models.Model):
    """Up to which leaf of the consent ledger facts were told to other systems; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    position = models.BigIntegerField(_("number"))

    class Meta:
        verbose_name = _("reader of the ledger")
        verbose_name_plural = _("readers of the ledger")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="campaigns_one_reader")]

    def __str__(self) -> str:
        return f"{self.position}"
