"""What people ask of their data, and how far the answer is."""

from typing import Self
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from crm.encryption.fields import EncryptedJSONField
from crm.models.profiles import Profile


class PrivacyRequestQuerySet(models.QuerySet["PrivacyRequest"]):
    def open(self) -> Self:
        return self.exclude(status__in=PrivacyRequest.ENDED)

    def running(self) -> Self:
        """Return requests whose clock runs: open, and not waiting for the person to say who she is."""
        return self.open().filter(paused_at__isnull=True)


class PrivacyRequest(models.Model):
    """One request of a person under PIPL articles 44 to 50, from its arrival to its answer.

    The row outlives the person: erasure empties ``profile``, ``profiles`` and ``details``, and keeps ``subject``, a
    keyed hash from which nobody is found, so that three years later it can still be shown that this was done.
    """

    class Kind(models.TextChoices):
        ACCESS = "access", _("access")
        COPY = "copy", _("copy")
        PORTABILITY = "portability", _("portability")
        CORRECTION = "correction", _("correction")
        ERASURE = "erasure", _("erasure")
        RESTRICTION = "restriction", _("restriction")
        OBJECTION = "objection", _("objection")
        EXPLANATION = "explanation", _("explanation")
        RELATIVES = "relatives", _("relatives of a deceased person")

    class Status(models.TextChoices):
        RECEIVED = "received", _("taken in")
        IDENTITY = "identity", _("waiting for the identity")
        VERIFIED = "verified", _("identity confirmed")
        EXECUTING = "executing", _("being carried out")
        CHECKING = "checking", _("waiting for a second person")
        READY = "ready", _("ready to be answered")
        ANSWERED = "answered", _("answered")
        REFUSED = "refused", _("refused")
        WITHDRAWN = "withdrawn", _("withdrawn by the person")

    class Method(models.TextChoices):
        PREFERENCE_CENTRE = "preference_centre", _("preference centre")
        API = "api", _("application (API)")
        STAFF = "staff", _("taken by staff")

    class Refusal(models.TextChoices):
        """Why a request may be refused; PIPL 50 asks for the reason, so none is without one."""

        IDENTITY = "identity", _("The identity could not be confirmed.")
        NOT_HELD = "not_held", _("We hold no data about this person.")
        LEGAL_DUTY = "legal_duty", _("A law obliges us to keep the data.")
        LEGAL_HOLD = "legal_hold", _("The data are needed in a legal proceeding.")
        OTHERS = "others", _("The answer would disclose or harm other people.")
        EXCESSIVE = "excessive", _("The same was asked and answered shortly before.")
        NOT_FEASIBLE = "not_feasible", _("The transfer is technically not feasible.")

    ENDED = (Status.ANSWERED, Status.REFUSED, Status.WITHDRAWN)

    reference = models.UUIDField(_("reference"), unique=True, default=uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    method = models.CharField(_("came by"), max_length=24, choices=Method)
    language = models.CharField(_("language"), max_length=16, blank=True, db_default="")
    profile = models.ForeignKey(
        Profile,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="privacy_requests",
        verbose_name=_("profile"),
    )
    profiles = models.JSONField(_("profiles meant"), default=list, blank=True, help_text=_("Emptied by erasure."))
    details = EncryptedJSONField(
        _("what the person wrote"), person="profile_id", row="reference", help_text=_("Gone with the person's key.")
    )
    # Keyed hashes that the shred journal must still be told; written with the erasure, emptied when it has them.
    unshredded = models.JSONField(default=dict, blank=True, editable=False)
    subject = models.CharField(_("pseudonym"), max_length=64, blank=True, db_default="", db_index=True)
    duplicate_of = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="duplicates", verbose_name=_("same as")
    )
    identity_level = models.PositiveSmallIntegerField(_("identity, points needed"), db_default=0)
    identity_points = models.PositiveSmallIntegerField(_("identity, points reached"), db_default=0)
    identity_shown_by = models.JSONField(_("identity shown by"), default=list, blank=True)
    identity_failures = models.PositiveSmallIntegerField(_("failed attempts"), db_default=0)
    refusal = models.CharField(_("reason of the refusal"), max_length=16, choices=Refusal, blank=True, db_default="")
    handled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("handled by")
    )
    checked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("checked by")
    )
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.RECEIVED, db_index=True)
    alerted = models.PositiveSmallIntegerField(_("warned at per cent of its time"), db_default=0)
    received_at = models.DateTimeField(_("received"), db_index=True)
    due_on = models.DateField(_("due"), null=True, blank=True)
    paused_at = models.DateTimeField(_("clock stopped"), null=True, blank=True)
    verified_at = models.DateTimeField(_("identity confirmed"), null=True, blank=True)
    checked_at = models.DateTimeField(_("checked"), null=True, blank=True)
    executed_at = models.DateTimeField(_("carried out"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = PrivacyRequestQuerySet.as_manager()

    class Meta:
        verbose_name = _("privacy request")
        verbose_name_plural = _("privacy requests")
        permissions = [
            ("handle_privacyrequest", _("Can work on privacy requests")),
            ("check_privacyrequest", _("Can check, as the second person, what others have prepared")),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(checked_by__isnull=True) | Q(handled_by__isnull=True) | ~Q(checked_by=F("handled_by")),
                name="crm_request_second_person_is_another",
            ),
            models.CheckConstraint(
                condition=~Q(status="refused") | ~Q(refusal=""), name="crm_request_refused_with_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) ^ Q(status__in=["answered", "refused", "withdrawn"]),
                name="crm_request_ended_or_open",
            ),
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True) | Q(status="identity"),
                name="crm_request_waits_only_for_identity",
            ),
        ]
        indexes = [models.Index(fields=["profile", "kind"], name="crm_request_of_a_person")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {str(self.reference)[:8]}"

    @property
    def is_open(self) -> bool:
        return self.status not in self.ENDED

    @property
    def short(self) -> str:
        """The beginning of the reference, as people read it out."""
        return str(self.reference)[:8]

    def move(self, before: "str | tuple[str, ...]", after: str, **facts: object) -> bool:
        """Go from one status to another; False if the request is not there (any more): somebody was faster."""
        known = (before,) if isinstance(before, str) else before
        moved = PrivacyRequest.objects.filter(pk=self.pk, status__in=known).update(status=after, **facts)
        self.refresh_from_db()
        return moved == 1


class RequestPause(models.Model):
    """A time in which a request's clock stood still, because the person had to say who she is."""

    request = models.ForeignKey(PrivacyRequest, models.CASCADE, related_name="pauses", verbose_name=_("request"))
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        constraints = [
            models.UniqueConstraint(
                fields=["request"], condition=Q(until__isnull=True), name="crm_pause_one_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(until__isnull=True) | Q(until__gte=F("since")), name="crm_pause_ends_after_it_began"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d}"


class RequestEntry(models.Model):
    """One line of a request's timeline: what happened, when, and by whom; it holds no personal data."""

    request = models.ForeignKey(PrivacyRequest, models.CASCADE, related_name="entries", verbose_name=_("request"))
    what = models.CharField(_("what"), max_length=32)
    facts = models.JSONField(_("facts"), default=dict, blank=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline entries")
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return self.what


class RequestWarning(models.Model):
    """One warning of a request, to one officer: there is one of each stage, and it is mailed once."""

    class Stage(models.TextChoices):
        HALF = "half", _("half of the time is used")
        SOON = "soon", _("due soon")
        LAST_DAY = "last_day", _("due today")
        LATE = "late", _("overdue")
        WAITING = "waiting", _("waits long for the person's identity")

    request = models.ForeignKey(PrivacyRequest, models.CASCADE, related_name="warnings", verbose_name=_("request"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("officer"))
    stage = models.CharField(_("stage"), max_length=8, choices=Stage)
    noticed_at = models.DateTimeField(_("noticed"))
    attempts = models.PositiveSmallIntegerField(_("attempts"), db_default=0)
    error = models.CharField(_("error"), max_length=100, blank=True, db_default="")
    not_before = models.DateTimeField(_("not before"))
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        verbose_name = _("warning of a request")
        verbose_name_plural = _("warnings of requests")
        constraints = [models.UniqueConstraint(fields=["request", "user", "stage"], name="crm_warned_once_of_a_stage")]
        indexes = [
            models.Index(fields=["not_before"], condition=Q(sent_at__isnull=True), name="crm_warnings_to_be_sent")
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.stage}"


class RequestStep(models.Model):
    """What a request does to one store, and the receipt: how many rows, when. Done once, it is not done again."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    request = models.ForeignKey(PrivacyRequest, models.CASCADE, related_name="steps", verbose_name=_("request"))
    place = models.PositiveSmallIntegerField(_("place"))
    store = models.CharField(_("store"), max_length=48)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.WAITING)
    receipt = models.JSONField(_("receipt"), default=dict, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), db_default=0)
    error = models.CharField(_("error"), max_length=300, blank=True, db_default="")
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["request", "store"], name="crm_request_step_once")]

    def __str__(self) -> str:
        return self.store


class ReplyPack(models.Model):
    """The file that answers a request; sealed on disk, to be fetched for some days and then deleted."""

    request = models.OneToOneField(
        PrivacyRequest, models.CASCADE, related_name="pack", verbose_name=_("request"), primary_key=True
    )
    path = models.CharField(_("path"), max_length=200)
    sha256 = models.CharField("SHA-256", max_length=64)
    size = models.BigIntegerField(_("bytes"))
    downloads = models.PositiveIntegerField(_("downloads"), db_default=0)
    made_at = models.DateTimeField(_("made"))
    expires_at = models.DateTimeField(_("expires"), db_index=True)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    class Meta:
        verbose_name = _("reply pack")
        verbose_name_plural = _("reply packs")

    def __str__(self) -> str:
        return self.path
