"""Addresses that must not be written to, kept without saying whose they are."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.ledger import BytesField, has_bytes
from crm.models.purposes import Channel


class Suppression(models.Model):
    """An address, as a keyed hash, to which nothing is sent on a channel (or, where that is empty, on any).

    It has no link to a person, so it outlives their erasure, and an import that brings the address back finds it.
    Beside each Identifier lies the same hash (``suppression_key``).
    """

    class Why(models.TextChoices):
        BOUNCED = "bounced", _("bounced")
        COMPLAINED = "complained", _("complained")
        UNSUBSCRIBED = "unsubscribed", _("unsubscribed")
        ERASED = "erased", _("erased")

    # Who must be left alone for good, against an address that merely does not work.
    ABOUT_THE_PERSON: ClassVar[frozenset[str]] = frozenset({Why.COMPLAINED, Why.UNSUBSCRIBED, Why.ERASED})

    channel = models.CharField(_("channel"), max_length=16, choices=Channel, blank=True)
    key = BytesField(_("key"), max_length=16, editable=False)
    key_version = models.CharField(_("key version"), max_length=32, default="1", editable=False)
    reason = models.CharField(_("reason"), max_length=16, choices=Why)
    basis = models.CharField(_("legal basis"), max_length=64, blank=True)
    since = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")
        constraints = [
            models.UniqueConstraint(fields=["key", "channel"], name="crm_suppressed_once"),
            has_bytes("key", 16, name="crm_suppression_is_a_hash"),
        ]

    def __str__(self) -> str:
        return f"{self.channel or '*'} {self.reason}"
