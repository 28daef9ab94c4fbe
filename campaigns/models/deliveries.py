"""Each message to each person, and what the provider told of it."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.bulk import BulkJob
from campaigns.models.campaigns import Run, Variant
from campaigns.models.channels import ChannelAccount
from crm.encryption import EncryptedJSONField, SealedModel, SealedQuerySet
from crm.models import Channel, Profile


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def due(self, now: datetime) -> Self:
        return self.filter(status=Delivery.Status.QUEUED, due_at__lte=now)

    def abandoned(self, now: datetime) -> Self:
        """Return those whose worker took them and was not heard of until its lease ran out; safe to put back."""
        return self.filter(status=Delivery.Status.RESERVED, lease_until__lt=now)

    def unanswered(self, now: datetime) -> Self:
        """Return those that were being handed over when their worker was lost: whether they left is unknown."""
        return self.filter(status=Delivery.Status.CALLING, lease_until__lt=now)


class Delivery(models.Model):
    """One message to one profile on one channel, or the decision not to send it.

    The *occasion* is one run of a campaign, or one trigger event, or one step of a journey. ``id`` is the uuid5 of
    occasion, profile and channel, and the key by which a provider knows a repetition. ``call`` names the hand-off in
    the ledger: each attempt has its own, and there is a second one only after the provider definitely took nothing.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RESERVED = "reserved", _("reserved")
        CALLING = "calling", _("being handed over")
        ACCEPTED = "accepted", _("accepted")
        DELIVERED = "delivered", _("delivered")
        BOUNCED = "bounced", _("bounced")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")
        SUPPRESSED = "suppressed", _("suppressed")
        HELD_OUT = "held_out", _("held out")
        IMPORTED = "imported", _("imported")

    OPEN: ClassVar[frozenset[str]] = frozenset({Status.QUEUED, Status.RESERVED, Status.CALLING})
    HANDED_OFF: ClassVar[frozenset[str]] = frozenset(
        {Status.ACCEPTED, Status.DELIVERED, Status.BOUNCED, Status.UNKNOWN, Status.CALLING}
    )

    id = models.UUIDField(primary_key=True, editable=False)
    occasion = models.UUIDField(_("occasion"), editable=False)
    run = models.ForeignKey(
        Run, models.PROTECT, null=True, blank=True, db_index=False, related_name="deliveries", verbose_name=_("run")
    )
    variant = models.ForeignKey(
        Variant, models.PROTECT, null=True, blank=True, db_index=False, related_name="+", verbose_name=_("variant")
    )
    profile = models.ForeignKey(
        Profile, models.CASCADE, db_index=False, related_name="deliveries", verbose_name=_("profile")
    )
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    account = models.ForeignKey(
        ChannelAccount, models.PROTECT, null=True, blank=True, db_index=False, verbose_name=_("account")
    )
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.QUEUED)
    reason = models.CharField(_("reason"), max_length=64, blank=True, help_text=_("A code."))
    attempt = models.PositiveSmallIntegerField(_("attempt"), default=0)
    call = models.UUIDField(_("hand-off"), null=True, blank=True, editable=False)
    # The identifier that it went to, so that a bounce which names no address is one of this address and no other.
    address_id = models.BigIntegerField(null=True, blank=True, editable=False)
    reserved_by = models.UUIDField(null=True, blank=True, editable=False)
    # The one call by which it left together with others (campaigns.models.bulk).
    job = models.ForeignKey(
        BulkJob, models.PROTECT, null=True, blank=True, db_index=False, related_name="deliveries", verbose_name=_("job")
    )
    provider_id = models.CharField(_("provider's number"), max_length=200, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=10, decimal_places=5, null=True, blank=True)
    # False while the event log does not know the present status: a sweep tells it, in batches (responses.feedback).
    logged = models.BooleanField(default=False, db_default=False, editable=False)
    planned_at = models.DateTimeField(_("planned"))
    due_at = models.DateTimeField(_("due"))
    expires_at = models.DateTimeField(_("expires"))
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    called_at = models.DateTimeField(_("handed over"), null=True, blank=True)
    ended_at = models.DateTimeField(_("answered"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["occasion", "profile", "channel"], name="campaigns_deliver_once"),
            # Only of what was handed over: planning a million rows fills no index with nothing.
            models.UniqueConstraint(fields=["call"], condition=Q(call__isnull=False), name="campaigns_hand_off_once"),
            models.CheckConstraint(
                condition=~Q(status__in=["calling", "accepted", "delivered", "bounced", "unknown"])
                | Q(call__isnull=False, called_at__isnull=False),
                name="campaigns_handed_off_with_a_leaf",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["suppressed", "failed"]) | ~Q(reason=""),
                name="campaigns_not_sent_for_a_reason",
            ),
            # History of another system is no hand-off of ours: no leaf stands for it, and none may ever seem to.
            models.CheckConstraint(
                condition=~Q(status="imported")
                | Q(call=None, called_at=None, account=None, reserved_by=None, provider_id="", attempt=0, logged=True),
                name="campaigns_imported_was_not_ours",
            ),
        ]
        indexes = [
            # What workers take: the next ones due of a run; those of paused runs are not looked at.
            models.Index(fields=["run", "due_at", "id"], condition=Q(status="queued"), name="campaigns_due"),
            # How many of a run left within the last minute, where it has a rate.
            models.Index(fields=["run", "called_at"], condition=Q(called_at__isnull=False), name="campaigns_paced"),
            # What was taken and not given back.
            models.Index(
                fields=["lease_until"], condition=Q(status__in=["reserved", "calling"]), name="campaigns_leased"
            ),
            # Frequency caps and the list on a profile's page.
            models.Index(fields=["profile", "called_at"], name="campaigns_of_profile"),
            models.Index(fields=["run", "status"], name="campaigns_of_run"),
            models.Index(
                fields=["id"],
                condition=Q(logged=False) & ~Q(status__in=["queued", "reserved", "calling"]),
                name="campaigns_to_be_logged",
            ),
            models.Index(fields=["job"], condition=Q(job__isnull=False), name="campaigns_of_job"),
            # What is shown until it is known.
            models.Index(fields=["-called_at"], condition=Q(status="unknown"), name="campaigns_unknown"),
            # Callbacks find theirs by the provider's number.
            models.Index(
                fields=["account", "provider_id"], condition=~Q(provider_id=""), name="campaigns_by_provider_id"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.status}"


class Callback(SealedModel):
    """What a provider told of a message, once: taken in at once, worked on after.

    ``told`` is what it sent, sealed by the key ring: addresses stand in it.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, verbose_name=_("account"))
    key = models.CharField(_("key"), max_length=128, help_text=_("The provider's own, or a hash of what it sent."))
    kind = models.CharField(_("kind"), max_length=16)
    code = models.CharField(_("provider's code"), max_length=64, blank=True)
    delivery = models.ForeignKey(
        Delivery, models.CASCADE, null=True, blank=True, related_name="callbacks", verbose_name=_("delivery")
    )
    told = EncryptedJSONField(_("told"), person=None, editable=False)
    angry = models.BooleanField(_("an angry reply"), default=False, db_default=False, editable=False)
    happened_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"), db_index=True)
    handled_at = models.DateTimeField(_("handled"), null=True, blank=True)

    objects = SealedQuerySet["Callback"].as_manager()

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="campaigns_callback_once")]
        indexes = [
            models.Index(fields=["received_at"], condition=Q(handled_at=None), name="campaigns_callbacks_waiting"),
            # What guardrails count, among all that is told of opened and delivered messages.
            models.Index(
                fields=["received_at"],
                condition=Q(kind="complained") | Q(angry=True),
                name="campaigns_callbacks_watched",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"
