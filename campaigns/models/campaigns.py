"""A campaign: whom it is for, what it says in which variants, who is held out, and each time that it ran."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models.segments import Segment, SegmentVersion
from campaigns.models.templates import TemplateVersion
from crm.models import Channel, Event, JobRun, Purpose

TWO_WEEKS = timedelta(days=14)
A_DAY = timedelta(days=1)


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def due(self, now: datetime) -> Self:
        """Return those whose next run is to be planned."""
        return self.filter(status__in=[Campaign.Status.SCHEDULED, Campaign.Status.RUNNING], next_run_at__lte=now)


class Campaign(models.Model):
    """A message, in variants, to the people of a segment: once, again and again, or when something happens.

    ``approved_digest`` is the hash of everything that was approved (``campaigns.runs.approving``); what differs from
    it does not run. Whoever asked for the approval does not give it.
    """

    class Kind(models.TextChoices):
        ONCE = "once", _("once")
        RECURRING = "recurring", _("recurring")
        TRIGGERED = "triggered", _("triggered by an event")
        JOURNEY = "journey", _("journey")
        IMPORTED = "imported", _("imported")

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        IN_REVIEW = "in_review", _("in review")
        APPROVED = "approved", pgettext_lazy("state", "approved")
        SCHEDULED = "scheduled", _("scheduled")
        RUNNING = "running", _("running")
        PAUSED = "paused", _("paused")
        FINISHED = "finished", _("finished")
        CANCELLED = "cancelled", _("cancelled")

    LIVE: ClassVar[frozenset[str]] = frozenset({Status.SCHEDULED, Status.RUNNING, Status.PAUSED})
    # Their one run stands open: people come to it as long as the campaign runs.
    STANDING: ClassVar[frozenset[str]] = frozenset({Kind.TRIGGERED, Kind.JOURNEY})
    # What staff and programs may make; the fourth kind is history, and over from its first moment.
    OURS: ClassVar[tuple[Kind, ...]] = (Kind.ONCE, Kind.RECURRING, Kind.TRIGGERED)

    name = models.CharField(_("name"), max_length=120, unique=True)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.ONCE)
    purpose = models.ForeignKey(Purpose, models.PROTECT, related_name="+", verbose_name=_("purpose"))
    segment = models.ForeignKey(Segment, models.PROTECT, related_name="campaigns", verbose_name=_("segment"))
    channels = ArrayField(
        models.CharField(max_length=16, choices=Channel),
        verbose_name=_("channels"),
        help_text=_("In this order: the next one is tried where one cannot reach a person, or has definitely failed."),
    )
    priority = models.PositiveSmallIntegerField(
        _("priority"), default=50, validators=[MaxValueValidator(100)], help_text=_("100 goes before 0.")
    )
    holdout = models.DecimalField(
        _("holdout"),
        max_digits=4,
        decimal_places=3,
        default="0.100",
        validators=[MinValueValidator(0), MaxValueValidator(0.9)],
        help_text=_("The share that gets nothing, so that the report can say what the campaign caused."),
    )
    goal = models.CharField(_("goal"), max_length=16, choices=Event.Kind, default=Event.Kind.PURCHASE)
    goal_name = models.CharField(_("name of the goal's event"), max_length=200, blank=True)
    attribution_window = models.DurationField(_("attribution window"), default=TWO_WEEKS)
    message_expires_after = models.DurationField(_("a message expires after"), default=A_DAY)
    send_rate = models.PositiveIntegerField(
        _("messages a minute"), null=True, blank=True, help_text=_("Empty: as fast as the provider takes them.")
    )
    # Recurring: {"every": 1, "unit": "day" | "week" | "month", "at": "10:00"}.
    # Triggered: {"event": kind, "name": "…", "after_minutes": 60, "unless": kind}.
    timing = models.JSONField(_("timing"), default=dict, blank=True)
    starts_at = models.DateTimeField(_("starts"), null=True, blank=True)
    ends_at = models.DateTimeField(_("ends"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT, db_index=True)
    status_reason = models.CharField(_("why"), max_length=300, blank=True)
    approved_digest = models.CharField(max_length=64, blank=True, editable=False)
    # How many belonged to the segment when it was approved; a run for far more of them pauses itself.
    expected_people = models.PositiveIntegerField(_("approved for people"), null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("created by")
    )
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("submitted by"),
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("approved by")
    )
    created_at = models.DateTimeField(_("created"))
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)
    next_run_at = models.DateTimeField(_("next run"), null=True, blank=True, db_index=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        permissions = [
            ("approve_campaign", "Can approve a campaign of a colleague's"),
            ("run_campaign", "Can schedule, pause, resume and cancel a campaign"),
            ("stop_sending", "Can stop everything that is being sent"),
            ("restart_sending", "Can let messages leave again after everything was stopped"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(holdout__gte=0, holdout__lte=0.9), name="campaigns_holdout_is_a_share"),
            models.CheckConstraint(condition=Q(channels__len__gt=0), name="campaigns_reach_on_a_channel"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("submitted_by")), name="campaigns_approved_by_another"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["draft", "in_review", "cancelled"])
                | Q(approved_by__isnull=False)
                | Q(kind="imported"),
                name="campaigns_run_approved",
            ),
            models.CheckConstraint(
                condition=~Q(kind="imported") | Q(status="finished", approved_by=None, next_run_at=None),
                name="campaigns_imported_is_history",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """One of the messages that a campaign compares, and its share of those who get one."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="variants", verbose_name=_("campaign"))
    name = models.CharField(_("name"), max_length=60)
    template = models.ForeignKey(TemplateVersion, models.PROTECT, related_name="+", verbose_name=_("template"))
    weight = models.PositiveSmallIntegerField(
        _("weight"), default=1, validators=[MinValueValidator(1), MaxValueValidator(1000)]
    )

    class Meta:
        verbose_name = _("variant")
        verbose_name_plural = _("variants")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "name"], name="campaigns_variant_named_once"),
            models.CheckConstraint(condition=Q(weight__gte=1), name="campaigns_variant_has_weight"),
        ]

    def __str__(self) -> str:
        return self.name


class RunQuerySet(models.QuerySet["Run"]):
    def sending(self) -> Self:
        """Return those of which messages may be taken for sending."""
        return self.filter(status=Run.Status.SENDING, campaign__status=Campaign.Status.RUNNING)


class Run(models.Model):
    """One time that a campaign was planned and sent; a triggered campaign has one that stands open.

    ``shares`` freezes what people were assigned by: ``{"holdout": 0.1, "variants": {"7": 0.45, "8": 0.45}}``.
    ``counts`` says how many were meant, how many are reached, and of the others how many for each reason.
    """

    class Status(models.TextChoices):
        PLANNING = "planning", _("being planned")
        SENDING = "sending", _("being sent")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(primary_key=True, editable=False)  # uuid5 of the campaign and the key: planned once
    campaign = models.ForeignKey(Campaign, models.PROTECT, related_name="runs", verbose_name=_("campaign"))
    key = models.CharField(_("key"), max_length=64, help_text=_("The moment of a recurring run; or once, or triggers."))
    segment_version = models.ForeignKey(
        SegmentVersion, models.PROTECT, null=True, related_name="+", verbose_name=_("version of the segment")
    )
    job = models.ForeignKey(JobRun, models.SET_NULL, null=True, blank=True, verbose_name=_("job"))
    salt = models.CharField(max_length=32, editable=False)
    shares = models.JSONField(_("shares"), default=dict)
    counts = models.JSONField(_("counts"), default=dict)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.PLANNING)
    # Of a triggered campaign's run: the transaction up to which the event log was read (campaigns.runs.triggers).
    read_until = models.BigIntegerField(null=True, blank=True, editable=False)
    starts_at = models.DateTimeField(_("starts"))
    planned_at = models.DateTimeField(_("planned"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run of a campaign")
        verbose_name_plural = _("runs of campaigns")
        constraints = [models.UniqueConstraint(fields=["campaign", "key"], name="campaigns_run_once")]

    def __str__(self) -> str:
        return f"{self.campaign} {self.key}"
