"""Articles of an official account, from a draft at the platform to what became of its publication."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount
from campaigns.models.templates import TemplateVersion


class Material(models.Model):
    """A picture that was uploaded once; the platform takes no picture from elsewhere.

    An ``image`` stands in articles by its ``url``; a ``thumb`` is an article's cover, by its ``media_id``.
    """

    class Kind(models.TextChoices):
        IMAGE = "image", _("picture in an article")
        THUMB = "thumb", _("cover of an article")

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    digest = models.CharField(max_length=64, editable=False, help_text=_("SHA-256 of its bytes."))
    media_id = models.CharField(_("number at the platform"), max_length=200, blank=True)
    url = models.CharField(_("address"), max_length=500, blank=True)
    uploaded_at = models.DateTimeField(_("uploaded"))

    class Meta:
        verbose_name = _("WeChat material")
        verbose_name_plural = _("WeChat materials")
        constraints = [
            models.UniqueConstraint(fields=["account", "kind", "digest"], name="campaigns_material_uploaded_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"


class Article(models.Model):
    """A template's article as a draft at the platform; published, it has an address, and no follower is told.

    To send it to followers is a campaign's.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PUBLISHING = "publishing", _("being published")
        PUBLISHED = "published", _("published")
        FAILED = "failed", _("refused")

    WAITING: ClassVar[frozenset[str]] = frozenset({Status.DRAFT, Status.FAILED})

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="articles", verbose_name=_("account"))
    version = models.ForeignKey(TemplateVersion, models.PROTECT, related_name="+", verbose_name=_("template"))
    language = models.CharField(_("language"), max_length=16)
    title = models.CharField(_("title"), max_length=64)
    author = models.CharField(_("author"), max_length=16, blank=True)
    cover = models.ForeignKey(
        Material, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("cover")
    )
    media_id = models.CharField(_("number of the draft"), max_length=200, blank=True)
    publish_id = models.CharField(_("number of the publication"), max_length=64, blank=True)
    url = models.CharField(_("address"), max_length=500, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    reason = models.CharField(_("why"), max_length=300, blank=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))
    submitted_at = models.DateTimeField(_("submitted"), null=True, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)

    class Meta:
        verbose_name = _("WeChat article")
        verbose_name_plural = _("WeChat articles")
        constraints = [
            models.UniqueConstraint(fields=["account", "version", "language"], name="campaigns_article_drafted_once")
        ]

    def __str__(self) -> str:
        return self.title
