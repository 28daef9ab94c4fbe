"""Groups of people that a rule describes or a list names, and who belonged to them when."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models import Profile


class SegmentQuerySet(models.QuerySet["Segment"]):
    def offered(self) -> Self:
        """Return those that a campaign can be made for."""
        return self.filter(archived_at=None)


class Segment(models.Model):
    """A group of people: those whom a rule describes, or those whom a list names.

    The rule stands in versions, which never change: a campaign says which one it was approved with.
    """

    class Kind(models.TextChoices):
        RULE = "rule", _("rule")
        LIST = "list", _("list")

    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.CharField(_("description"), max_length=500, blank=True)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.RULE)
    current = models.ForeignKey(
        "SegmentVersion", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("current version")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created"))
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")

    def __str__(self) -> str:
        return self.name


class SegmentVersion(models.Model):
    """A rule as it was saved once; ``campaigns.rules`` parses it and ``campaigns.segmenting.segments`` makes it SQL."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="versions", verbose_name=_("segment"))
    number = models.PositiveIntegerField(_("version"))
    rule = models.JSONField(_("rule"))
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("version of a segment")
        verbose_name_plural = _("versions of segments")
        constraints = [models.UniqueConstraint(fields=["segment", "number"], name="campaigns_segment_version_once")]

    def __str__(self) -> str:
        return f"{self.segment} v{self.number}"


class ListMember(models.Model):
    """That a list names a person."""

    pk = models.CompositePrimaryKey("segment_id", "profile_id")
    segment = models.ForeignKey(Segment, models.CASCADE, db_index=False, verbose_name=_("segment"))
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="+", verbose_name=_("profile"))
    added_at = models.DateTimeField(_("added"))

    class Meta:
        verbose_name = _("member of a list")
        verbose_name_plural = _("members of lists")

    def __str__(self) -> str:
        return f"#{self.profile_id}"


class SegmentSnapshot(models.Model):
    """How many a segment had at one moment, how many came and how many left since the one before."""

    segment = models.ForeignKey(Segment, models.CASCADE, related_name="snapshots", verbose_name=_("segment"))
    version = models.ForeignKey(SegmentVersion, models.CASCADE, related_name="+", verbose_name=_("version"))
    size = models.PositiveIntegerField(_("people"))
    joined = models.PositiveIntegerField(_("came"))
    left = models.PositiveIntegerField(_("left"))
    taken_at = models.DateTimeField(_("taken"))

    class Meta:
        verbose_name = _("snapshot of a segment")
        verbose_name_plural = _("snapshots of segments")
        constraints = [models.UniqueConstraint(fields=["segment", "taken_at"], name="campaigns_snapshot_once")]

    def __str__(self) -> str:
        return f"{self.segment} {self.taken_at:%Y-%m-%d}"


class SegmentMemberQuerySet(models.QuerySet["SegmentMember"]):
    def at(self, moment: datetime) -> Self:
        """Return who belonged at a moment, as the snapshots saw it."""
        return self.filter(joined_at__lte=moment).filter(Q(left_at=None) | Q(left_at__gt=moment))


class SegmentMember(models.Model):
    """That a person belonged to a segment from one snapshot until another."""

    segment = models.ForeignKey(Segment, models.CASCADE, db_index=False, verbose_name=_("segment"))
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="+", verbose_name=_("profile"))
    joined_at = models.DateTimeField(_("came"))
    left_at = models.DateTimeField(_("left"), null=True, blank=True)

    objects = SegmentMemberQuerySet.as_manager()

    class Meta:
        verbose_name = _("member of a segment")
        verbose_name_plural = _("members of segments")
        indexes = [models.Index(fields=["segment", "joined_at"], name="campaigns_members_of_segment")]
        constraints = [
            models.UniqueConstraint(
                fields=["segment", "profile"], condition=Q(left_at=None), name="campaigns_member_once"
            )
        ]

    def __str__(self) -> str:
        return f"#{self.profile_id}"
