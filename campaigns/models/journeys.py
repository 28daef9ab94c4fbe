"""A journey: how one person is spoken to over weeks; its versions, and each person's place in it."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.models.campaigns import Campaign, Run
from crm.models import Profile


class Journey(models.Model):
    """What a campaign of the kind *journey* has besides: which version newcomers begin, and whether there are any.

    Whom it is for, on which ground, what is its goal, who is held out, who approved it and whether it runs is said by
    the campaign, whose messages those of the journey are: caps, guardrails, priorities and reports know them as such.
    """

    class Again(models.TextChoices):
        NEVER = "never", _("never")
        ENDED = "ended", _("when the last time has ended")

    campaign = models.OneToOneField(
        Campaign, models.CASCADE, primary_key=True, related_name="journey", verbose_name=_("campaign")
    )
    live = models.ForeignKey(
        "JourneyVersion", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("version")
    )
    again = models.CharField(_("a person may enter again"), max_length=8, choices=Again, default=Again.NEVER)
    again_after = models.DurationField(
        _("but not before"), default=timedelta(0), help_text=_("Counted from the beginning of the last time.")
    )
    leave_at_goal = models.BooleanField(_("ends when the goal is reached"), default=True)
    draining = models.BooleanField(
        _("nobody enters any more"), default=False, help_text=_("Who is in it walks on to the end.")
    )

    # Up to when was looked who came into the segment, or whose day it is (campaigns.journeys.occasions).
    looked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("journey")
        verbose_name_plural = _("journeys")

    def __str__(self) -> str:
        return str(self.campaign)


class JourneyVersion(models.Model):
    """The steps of a journey as they were saved once: people in flight stay on the version they began.

    ``graph`` is JSON (``campaigns.journeys.graph`` reads it); what is no draft never changes, the database refuses it.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        IN_REVIEW = "in_review", _("in review")
        APPROVED = "approved", pgettext_lazy("state", "approved")
        RETIRED = "retired", _("retired")

    journey = models.ForeignKey(Journey, models.CASCADE, related_name="versions", verbose_name=_("journey"))
    number = models.PositiveIntegerField(_("number"))
    graph = models.JSONField(_("steps"), default=dict)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    note = models.CharField(_("what is new"), max_length=300, blank=True)
    sent_back_why = models.CharField(_("sent back because"), max_length=300, blank=True)
    approved_digest = models.CharField(max_length=64, blank=True, editable=False)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("made by")
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
    made_at = models.DateTimeField(_("made"))
    approved_at = models.DateTimeField(_("approved"), null=True, blank=True)

    class Meta:
        verbose_name = _("version of a journey")
        verbose_name_plural = _("versions of journeys")
        constraints = [
            models.UniqueConstraint(fields=["journey", "number"], name="campaigns_journey_version_once"),
            models.CheckConstraint(
                condition=Q(approved_by=None) | ~Q(approved_by=F("submitted_by")),
                name="campaigns_journey_approved_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(status="approved") | Q(approved_by__isnull=False), name="campaigns_journey_walked_approved"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.journey} {self.number}"


class JourneyEntryQuerySet(models.QuerySet["JourneyEntry"]):
    def walking(self) -> Self:
        return self.filter(status=JourneyEntry.Status.WALKING)

    def due(self, now: datetime) -> Self:
        """Return those who leave their step now."""
        return self.walking().filter(due_at__lte=now)


class JourneyEntry(models.Model):
    """One time that a person walks through a journey, or is held out of it: where she is, and when she goes on.

    ``id`` is the uuid5 of the run and the occasion, so what let her enter lets her enter once. ``moves`` counts the
    steps behind her; each is an event in the log with this entry as its session.
    """

    class Status(models.TextChoices):
        WALKING = "walking", _("on the way")
        COMPLETED = "completed", _("came to the end")
        GOAL = "goal", _("reached the goal")
        LEFT = "left", _("left before the end")
        FAILED = "failed", _("failed")
        HELD_OUT = "held_out", _("held out")

    OVER: ClassVar[frozenset[str]] = frozenset(
        {Status.COMPLETED, Status.GOAL, Status.LEFT, Status.FAILED, Status.HELD_OUT}
    )

    id = models.UUIDField(primary_key=True, editable=False)
    run = models.ForeignKey(Run, models.CASCADE, related_name="entries", db_index=False, verbose_name=_("run"))
    version = models.ForeignKey(
        JourneyVersion, models.PROTECT, related_name="entries", db_index=False, verbose_name=_("version")
    )
    profile = models.ForeignKey(
        Profile, models.CASCADE, related_name="journeys", db_index=False, verbose_name=_("profile")
    )
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.WALKING)
    reason = models.CharField(_("reason"), max_length=64, blank=True, help_text=_("A code."))
    step = models.CharField(_("step"), max_length=40, blank=True)
    moves = models.PositiveIntegerField(_("steps behind"), default=0)
    entered_at = models.DateTimeField(_("entered"))
    step_at = models.DateTimeField(_("at the step since"))
    due_at = models.DateTimeField(_("goes on"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = JourneyEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry into a journey")
        verbose_name_plural = _("entries into journeys")
        constraints = [
            models.UniqueConstraint(
                fields=["run", "profile"], condition=Q(status="walking"), name="campaigns_walk_once_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(status="walking", ended_at=None) | ~Q(status="walking") & Q(ended_at__isnull=False),
                name="campaigns_journey_ended_or_not",
            ),
            models.CheckConstraint(condition=~Q(status="failed") | ~Q(reason=""), name="campaigns_journey_failed_why"),
        ]
        indexes = [
            # Who goes on next, of a journey that runs.
            models.Index(fields=["run", "due_at", "id"], condition=Q(status="walking"), name="campaigns_walkers_due"),
            # How many stand where: the canvas; and whom an event wakes.
            models.Index(
                fields=["version", "step", "profile"], condition=Q(status="walking"), name="campaigns_walkers_at"
            ),
            # A person's journeys; and whether she was in this one before.
            models.Index(fields=["profile", "run", "-entered_at"], name="campaigns_journeys_of"),
            # Who is stuck, and why.
            models.Index(fields=["version", "step"], condition=Q(status="failed"), name="campaigns_walkers_stuck"),
            # Who stopped because she was read as somebody else: she goes on if that is undone.
            models.Index(fields=["run"], condition=Q(status="left", reason="merged"), name="campaigns_walkers_merged"),
        ]

    def __str__(self) -> str:
        return f"{self.step or self.status} {self.moves}"
