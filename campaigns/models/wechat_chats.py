"""What people write and send to an account, what staff answer, and what staff call a follower."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount
from crm.encryption import EncryptedBytesField, EncryptedTextField, SealedModel, SealedQuerySet
from crm.models import Identifier, Profile


class ChatMessage(SealedModel):
    """One message of a conversation between a person and an account, in either direction; its text is sealed.

    An answer that is ``unknown`` was given to the platform, which did not say what it made of it: it may have arrived,
    so it is never sent again by itself.
    """

    class Direction(models.TextChoices):
        IN = "in", _("from the person")
        OUT = "out", _("from us")

    class Status(models.TextChoices):
        CALLING = "calling", _("on its way")
        SENT = "sent", _("sent")
        REFUSED = "refused", _("refused")
        UNKNOWN = "unknown", _("unknown")

    # An answer's is the number of its hand-off in the ledger; a person's message is told once by its key.
    key = models.CharField(_("key"), max_length=128)
    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="+", verbose_name=_("profile"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="+", verbose_name=_("identifier"))
    direction = models.CharField(_("direction"), max_length=3, choices=Direction)
    kind = models.CharField(_("kind"), max_length=16, default="text")
    text = EncryptedTextField(_("text"))
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.SENT)
    code = models.CharField(_("platform's code"), max_length=16, blank=True)
    sent_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("sent by")
    )
    happened_at = models.DateTimeField(_("happened"))

    objects = SealedQuerySet["ChatMessage"].as_manager()

    class Meta:
        verbose_name = _("WeChat conversation")
        verbose_name_plural = _("WeChat conversations")
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="campaigns_chat_message_once")]
        indexes = [
            # One conversation, and which of an account's were last.
            models.Index(fields=["account", "identifier", "-happened_at"], name="campaigns_chat_of_a_person"),
            models.Index(fields=["-happened_at"], name="campaigns_chats_last"),
        ]

    def __str__(self) -> str:
        return f"{self.get_direction_display()} #{self.pk}"


class ChatFileQuerySet(SealedQuerySet["ChatFile"]):
    def due(self, now: datetime) -> Self:
        """Return those that are to be fetched (again)."""
        return self.filter(status=ChatFile.Status.WAITING, due_at__lte=now)

    def expired(self, now: datetime) -> Self:
        """Return those whose content is past its time."""
        return self.filter(status=ChatFile.Status.KEPT, expires_at__lte=now)


class ChatFile(SealedModel):
    """A picture, a voice or a video of a conversation: fetched from the platform once, kept sealed, and not for long.

    ``content`` is empty before it was fetched, where it was not, and after ``expires_at``. The platform itself keeps
    what people send for three days.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", _("is being fetched")
        KEPT = "kept", _("kept")
        TOO_BIG = "too_big", _("too large to be kept")
        REFUSED = "refused", _("of a kind that is not kept")
        GONE = "gone", _("the platform does not have it any more")
        EXPIRED = "expired", _("deleted: its time is over")

    message = models.OneToOneField(
        ChatMessage, models.CASCADE, primary_key=True, related_name="file", verbose_name=_("message")
    )
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="+", verbose_name=_("profile"))
    media_id = EncryptedTextField(_("number at the platform"))
    content = EncryptedBytesField(_("content"))
    mime = models.CharField(_("type"), max_length=40, blank=True)
    size = models.PositiveIntegerField(_("bytes"), default=0)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.WAITING)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    due_at = models.DateTimeField(_("fetched from"), null=True, blank=True)
    kept_at = models.DateTimeField(_("kept since"), null=True, blank=True)
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)

    objects = ChatFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("file of a conversation")
        verbose_name_plural = _("files of conversations")
        indexes = [
            models.Index(fields=["due_at"], condition=models.Q(status="waiting"), name="campaigns_files_to_fetch"),
            models.Index(fields=["expires_at"], condition=models.Q(status="kept"), name="campaigns_files_to_expire"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.status}"


class FollowerRemark(SealedModel):
    """What staff call a follower, at the platform and here; a follower without a remark has no row."""

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    profile = models.ForeignKey(Profile, models.CASCADE, related_name="+", verbose_name=_("profile"))
    identifier = models.ForeignKey(Identifier, models.CASCADE, related_name="+", verbose_name=_("identifier"))
    text = EncryptedTextField(_("remark"))
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("changed by")
    )
    changed_at = models.DateTimeField(_("changed"))

    objects = SealedQuerySet["FollowerRemark"].as_manager()

    class Meta:
        verbose_name = _("remark on a follower")
        verbose_name_plural = _("remarks on followers")
        constraints = [models.UniqueConstraint(fields=["account", "identifier"], name="campaigns_remark_once")]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.pk}"
