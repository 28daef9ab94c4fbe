"""What people did: the one append-only log, what makes it idempotent, and what was refused."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.encryption import EncryptedJSONField, EncryptedTextField, SealedModel, SealedQuerySet
from crm.models.items import Item
from crm.models.jobs import JobRun
from crm.models.profiles import Profile
from crm.models.sources import Source


class Event(SealedModel):
    """Something that happened; ``crm.ingest`` is the only writer, and nothing is ever changed.

    ``properties`` holds what is coarse (``crm.coarse``); what is personal, and where and with what the person visited,
    is ``sealed`` with the key of the profile it was written for.

    The table is partitioned by month of ``occurred_at`` (``crm.partitions``) and its database key is
    ``(id, occurred_at)``; a column ``xid``, unknown to Django, tells the lake what is new. Foreign keys are not
    enforced by the database: its check would cost a third of the import's speed, and the only writer resolves both
    ends in the same transaction.
    """

    class Kind(models.TextChoices):
        PAGE = "page", _("page view")
        SCREEN = "screen", _("screen view")
        VIEW = "view", _("item viewed")
        CART = "cart", _("added to cart")
        PURCHASE = "purchase", _("purchase")
        REFUND = "refund", _("refund")
        SEARCH = "search", _("search")
        IDENTIFY = "identify", _("identified")
        GROUP = "group", _("joined a group")
        TRACK = "track", _("other action")
        ASSIGNED = "assigned", _("assigned to a campaign")
        REDEEMED = "redeemed", _("coupon redeemed")
        SENT = "sent", _("message sent")
        DELIVERED = "delivered", _("message delivered")
        BOUNCED = "bounced", _("message bounced")
        FAILED = "failed", _("message failed")
        OPENED = "opened", _("message opened")
        CLICKED = "clicked", _("message clicked")
        REPLIED = "replied", _("message answered")
        COMPLAINED = "complained", _("complaint about a message")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        JOURNEY_STEP = "journey_step", _("step of a journey")
        PRIVACY_AGREED = "privacy_agreed", _("agreed to WeChat's privacy guide")

    id = models.UUIDField(primary_key=True, editable=False)
    source = models.ForeignKey(Source, models.DO_NOTHING, db_constraint=False, verbose_name=_("source"))
    profile = models.ForeignKey(
        Profile, models.DO_NOTHING, db_constraint=False, related_name="events", verbose_name=_("profile")
    )
    item = models.ForeignKey(
        Item, models.DO_NOTHING, db_constraint=False, null=True, related_name="events", verbose_name=_("item")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    name = models.CharField(_("name"), max_length=200, blank=True, db_default="")
    value = models.DecimalField(_("value"), max_digits=14, decimal_places=2, null=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True, db_default="")
    quantity = models.DecimalField(_("quantity"), max_digits=14, decimal_places=3, null=True)
    discount = models.DecimalField(_("discount"), max_digits=14, decimal_places=2, null=True)
    session = models.CharField(
        _("session"), max_length=128, blank=True, db_default="", help_text=_("Basket, order, visit or campaign.")
    )
    channel = models.CharField(_("channel"), max_length=16, blank=True, db_default="")
    properties = models.JSONField(_("properties"), db_default=models.Value({}, models.JSONField()))
    sealed = EncryptedJSONField(_("personal properties"), row="id", editable=False)
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"))

    objects = SealedQuerySet["Event"].as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")

    def __str__(self) -> str:
        return f"{self.kind} {self.occurred_at:%Y-%m-%d %H:%M}"

    @property
    def told(self) -> dict[str, Any]:
        """All that the sender told besides what has a column: coarse properties and personal ones."""
        return {**self.properties, **self.sealed}


class EventKey(models.Model):
    """One row for each message taken, kept apart from the partitions so that it is unique over all of them."""

    key = models.UUIDField(primary_key=True, help_text="From the source and its message id.")
    received_at = models.DateTimeField()

    class Meta:
        verbose_name = _("event key")
        verbose_name_plural = _("event keys")

    def __str__(self) -> str:
        return str(self.key)


class RejectedEvent(SealedModel):
    """An event that could not be taken, as it came, for a person to look at and replay.

    Whom it is about is not known, so the key ring itself seals it; the reason names no value.
    """

    source = models.ForeignKey(Source, models.CASCADE, verbose_name=_("source"))
    job = models.ForeignKey(JobRun, models.CASCADE, null=True, blank=True, verbose_name=_("job"))
    index = models.PositiveIntegerField(_("position"), help_text=_("Place in its batch, or line of its file."))
    field = models.CharField(_("field"), max_length=100, blank=True)
    reason = models.CharField(_("reason"), max_length=300)
    payload = EncryptedTextField(_("payload"), person=None)
    received_at = models.DateTimeField(_("received"), db_index=True)
    replayed_at = models.DateTimeField(_("replayed"), null=True, blank=True)

    objects = SealedQuerySet["RejectedEvent"].as_manager()

    class Meta:
        verbose_name = _("rejected event")
        verbose_name_plural = _("rejected events")

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"
