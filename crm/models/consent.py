"""What people allowed, refused and took back: the log that the ledger proves, and what it comes to today."""

from datetime import datetime
from typing import Self

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.canonical import utc
from crm.encryption import EncryptedJSONField, SealedQuerySet
from crm.models.ledger import Evidence, PersonalPart
from crm.models.profiles import Profile
from crm.models.purposes import Channel, Notice, Purpose
from crm.models.sources import Source


class ConsentEventQuerySet(models.QuerySet["ConsentEvent"]):
    def of(self, profiles: "set[int] | tuple[int, ...] | list[int]") -> Self:
        """Return what a person's profiles said, in the order in which it was received."""
        return self.filter(person__profile_id__in=profiles).order_by("received_at", "id")

    def known_by(self, at: datetime) -> Self:
        return self.filter(received_at__lte=at)


class ConsentEvent(Evidence):
    """One answer (or question) about one purpose, with the fields of ISO/IEC TS 27560; only ever added.

    What it says without naming anybody is here and in the ledger's leaf; who said it, and the proof, lies in
    :class:`ConsentEventPerson`, which erasure deletes. ``crm.consent`` is the only writer.
    """

    kind = "consent"

    class State(models.TextChoices):
        """As the Data Privacy Vocabulary names them; withdrawn is by the person, revoked by us."""

        REQUESTED = "requested", _("requested")
        DEFERRED = "deferred", _("deferred")
        GIVEN = "given", _("given")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("withdrawn")
        REVOKED = "revoked", _("revoked")
        EXPIRED = "expired", _("expired")
        RENEWED = "renewed", _("renewed")
        INVALIDATED = "invalidated", _("invalidated")

    class ConsentKind(models.TextChoices):
        GENERAL = "general", _("general")
        SEPARATE = "separate", _("separate")
        WRITTEN = "written", _("written")
        GUARDIAN = "guardian", _("by the guardian")

    class Method(models.TextChoices):
        """By what act it was said."""

        PREFERENCE_CENTRE = "preference_centre", _("preference page")
        FORM = "form", _("web form")
        MINI_PROGRAM = "mini_program", _("mini program")
        API = "api", _("reported by an application")
        DOUBLE_OPT_IN = "double_opt_in", _("double opt-in")
        SMS_REPLY = "sms_reply", _("SMS reply")
        ONE_CLICK = "one_click", _("one-click unsubscription")
        UNFOLLOW = "unfollow", _("unfollowed or unsubscribed there")
        PHONE_CALL = "phone_call", _("phone call")
        PAPER = "paper", _("on paper")
        IMPORT = "import", _("file import")
        ADMIN = "admin", _("entered by staff")
        SYSTEM = "system", _("by the system")

    # The first event of the same profile and purpose. It names nobody, and stands in the leaf: an outsider sees which
    # events belong together without believing us, and after an erasure too.
    thread = models.UUIDField(_("thread"), db_index=True, editable=False)
    state = models.CharField(_("state"), max_length=16, choices=State)
    purpose = models.ForeignKey(
        Purpose, models.PROTECT, to_field="code", db_column="purpose", related_name="+", verbose_name=_("purpose")
    )
    channel = models.CharField(_("channel"), max_length=16, choices=Channel, blank=True)
    channel_account = models.CharField(
        _("channel account"), max_length=128, blank=True, help_text=_("Ours: an openid holds within one appid only.")
    )
    consent_kind = models.CharField(_("kind of consent"), max_length=16, choices=ConsentKind)
    legal_basis = models.CharField(_("legal basis"), max_length=32, choices=Purpose.Basis)
    notice = models.ForeignKey(
        Notice,
        models.PROTECT,
        to_field="reference",
        db_column="notice",
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("notice"),
    )
    notice_digest = models.CharField(_("notice digest"), max_length=64, blank=True)
    rendered_digest = models.CharField(
        _("digest of what was shown"),
        max_length=64,
        blank=True,
        help_text=_("SHA-256 of what the screen really showed."),
    )
    language = models.CharField(_("language"), max_length=16, blank=True)
    form_version = models.CharField(_("form version"), max_length=64, blank=True)
    method = models.CharField(_("method"), max_length=32, choices=Method)
    jurisdiction = models.CharField(_("jurisdiction"), max_length=16, blank=True)
    recipient = models.CharField(_("recipient"), max_length=200, blank=True)
    pia = models.CharField(_("impact assessment"), max_length=64, blank=True)
    adm_optout = models.BooleanField(_("refused automated decisions"), default=False)
    import_batch = models.CharField(_("import"), max_length=64, blank=True)
    source = models.ForeignKey(
        Source, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("source")
    )
    idempotency = models.UUIDField(null=True, blank=True, unique=True, editable=False)
    claimed_at = models.DateTimeField(_("claimed time"))
    received_at = models.DateTimeField(_("received"), db_index=True)
    valid_until = models.DateTimeField(_("valid until"), null=True, blank=True)
    cooldown_until = models.DateTimeField(_("do not ask before"), null=True, blank=True)

    objects = ConsentEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("consent event")
        verbose_name_plural = _("consent events")
        permissions = [("record_consent", _("Can enter what people said, and copy the link to their preference page"))]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(claimed_at__lte=models.F("received_at")), name="crm_consent_not_of_the_future"
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose_id} {self.state}"

    def facts(self) -> dict[str, object]:
        """Return the record in the words of ISO/IEC TS 27560 and the Data Privacy Vocabulary; of this row only."""
        return {
            "thread": str(self.thread),
            "event_state": DPV_STATES[self.state],
            "event_time": utc(self.claimed_at),
            "received_time": utc(self.received_at),
            "valid_until": moment(self.valid_until),
            "ask_cooldown_until": moment(self.cooldown_until),
            "purpose": self.purpose_id,
            "legal_basis": self.legal_basis,
            "consent_kind": self.consent_kind,
            "channel": self.channel,
            "channel_account": self.channel_account,
            "notice": self.notice_id,
            "notice_hash": self.notice_digest,
            "rendered_hash": self.rendered_digest,
            "language": self.language,
            "form_version": self.form_version,
            "collection_method": self.method,
            "jurisdiction": self.jurisdiction,
            "recipient": self.recipient,
            "pia_id": self.pia,
            "adm_optout": self.adm_optout,
            "source": self.source_id,
            "source_import_batch": self.import_batch,
            "idempotency_key": str(self.idempotency) if self.idempotency else None,
        }


# The terms of DPV 2.3, under https://w3id.org/dpv#
DPV_STATES = {
    "requested": "ConsentRequested",
    "deferred": "ConsentRequestDeferred",
    "given": "ConsentGiven",
    "refused": "ConsentRefused",
    "withdrawn": "ConsentWithdrawn",
    "revoked": "ConsentRevoked",
    "expired": "ConsentExpired",
    "renewed": "RenewedConsentGiven",
    "invalidated": "ConsentInvalidated",
}


def moment(at: datetime | None) -> str | None:
    """Return a moment as the ledger writes it, or nothing."""
    return utc(at) if at else None


class ConsentEventPerson(PersonalPart):
    """Who said it, and the proof: the deletable half of a consent event."""

    event = models.OneToOneField(ConsentEvent, models.PROTECT, primary_key=True, related_name="person")
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="consent_events", verbose_name=_("profile"))
    details = EncryptedJSONField(_("details"), editable=False, help_text=_("Proof, guardian, address, browser."))

    objects = SealedQuerySet["ConsentEventPerson"].as_manager()

    class Meta:
        verbose_name = _("person of a consent event")
        verbose_name_plural = _("persons of consent events")

    def __str__(self) -> str:
        return f"{self.event_id} #{self.profile_id}"

    def personal(self) -> dict[str, object]:
        return {"profile": self.profile_id, "details": self.details or {}}


class ConsentState(models.Model):
    """What a person's events on one purpose and channel come to: the one that counts, by ``crm.consent_rules``.

    Written in the transaction of the event, rebuilt by ``crm.consent_states.rebuild``. The channel is empty for what
    was said of every channel.
    """

    profile = models.ForeignKey(Profile, models.CASCADE, related_name="consent_states", verbose_name=_("profile"))
    purpose = models.ForeignKey(
        Purpose,
        models.PROTECT,
        to_field="code",
        db_column="purpose",
        related_name="+",
        db_index=False,  # crm_consents_by_purpose begins with it
        verbose_name=_("purpose"),
    )
    channel = models.CharField(_("channel"), max_length=16, choices=Channel, blank=True)
    # The event is inserted by the same transaction, and never deleted.
    event = models.ForeignKey(ConsentEvent, models.DO_NOTHING, related_name="+", verbose_name=_("event"))
    state = models.CharField(_("state"), max_length=16, choices=ConsentEvent.State)
    consent_kind = models.CharField(_("kind of consent"), max_length=16, choices=ConsentEvent.ConsentKind)
    method = models.CharField(_("method"), max_length=32, choices=ConsentEvent.Method)
    notice = models.ForeignKey(
        Notice, models.PROTECT, to_field="reference", db_column="notice", null=True, related_name="+"
    )
    counts_from = models.DateTimeField(_("since"), help_text=_("The time by which it is ordered among others."))
    claimed_at = models.DateTimeField(_("claimed time"))
    received_at = models.DateTimeField(_("received"))
    valid_until = models.DateTimeField(_("valid until"), null=True)
    cooldown_until = models.DateTimeField(_("do not ask before"), null=True)

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.UniqueConstraint(fields=["profile", "purpose", "channel"], name="crm_one_state_of_consent")
        ]
        indexes = [models.Index(fields=["purpose", "channel", "state"], name="crm_consents_by_purpose")]

    def __str__(self) -> str:
        return f"#{self.profile_id} {self.purpose_id} {self.channel} {self.state}"
