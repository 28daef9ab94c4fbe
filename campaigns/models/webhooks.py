"""Other systems that we tell what happened, by Standard Webhooks."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.encryption import EncryptedTextField, SealedModel, SealedQuerySet


class WebhookEndpoint(SealedModel):
    """An address that is told of events of some kinds, signed with a secret of its own."""

    name = models.CharField(_("name"), max_length=120, unique=True)
    url = models.URLField(_("address"), max_length=500)
    secret = EncryptedTextField(_("secret"), person=None)
    kinds = ArrayField(models.CharField(max_length=40), verbose_name=_("kinds of events"))
    active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"))

    objects = SealedQuerySet["WebhookEndpoint"].as_manager()

    class Meta:
        verbose_name = _("webhook endpoint")
        verbose_name_plural = _("webhook endpoints")

    def __str__(self) -> str:
        return self.name


class WebhookMessage(models.Model):
    """One thing told to one endpoint: pseudonyms and codes, nothing personal."""

    id = models.UUIDField(primary_key=True, editable=False)
    endpoint = models.ForeignKey(
        WebhookEndpoint, models.CASCADE, related_name="messages", verbose_name=_("webhook endpoint")
    )
    kind = models.CharField(_("kind"), max_length=40)
    profile_id = models.BigIntegerField(null=True, blank=True, db_index=True, editable=False)
    body = models.JSONField(_("body"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("created"))
    next_at = models.DateTimeField(_("next attempt"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True, blank=True)

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        indexes = [
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="campaigns_webhooks_waiting")
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
