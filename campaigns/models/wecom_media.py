"""Pictures that hang below what staff say in WeCom: kept here, for the platform forgets an upload after three days."""

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount


class Picture(models.Model):
    """A picture of ours, as JPG or PNG."""

    name = models.CharField(_("name"), max_length=120)
    content = models.BinaryField(editable=False)
    kind = models.CharField(_("kind of file"), max_length=16, editable=False)
    size = models.PositiveIntegerField(_("bytes"), editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", editable=False,
        verbose_name=_("made by"),
    )  # fmt: skip
    created_at = models.DateTimeField(_("made"), editable=False)

    class Meta:
        verbose_name = _("picture for WeCom")
        verbose_name_plural = _("pictures for WeCom")

    def __str__(self) -> str:
        return f"{self.name} (#{self.pk})"


class UploadedPicture(models.Model):
    """A picture as it lies at an account's platform, for messages or for moments; until when the platform keeps it."""

    class Use(models.TextChoices):
        MESSAGE = "message", _("messages")
        MOMENT = "moment", _("moments")

    picture = models.ForeignKey(Picture, models.CASCADE, related_name="uploads", verbose_name=_("picture"))
    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    use = models.CharField(_("use"), max_length=8, choices=Use)
    media_id = models.CharField(_("number in WeCom"), max_length=256)
    expires_at = models.DateTimeField(_("kept until"))

    class Meta:
        verbose_name = _("uploaded picture")
        verbose_name_plural = _("uploaded pictures")
        constraints = [
            models.UniqueConstraint(fields=["picture", "account", "use"], name="campaigns_picture_uploaded_once")
        ]

    def __str__(self) -> str:
        return f"{self.picture_id} {self.use}"


class Attached(models.Model):
    """What may hang below a text: a picture, or the card of a mini program, whose cover the picture is then."""

    picture = models.ForeignKey(
        Picture, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("picture"),
        help_text=_("Below the text; where there is a card, its cover."),
    )  # fmt: skip
    card_appid = models.CharField(
        _("card: mini program"), max_length=32, blank=True,
        validators=[RegexValidator(r"^wx[0-9a-z]{4,30}$", _("its AppID, which begins with wx"))],
    )  # fmt: skip
    card_page = models.CharField(_("card: page"), max_length=200, blank=True)
    card_title = models.CharField(_("card: title"), max_length=64, blank=True)

    class Meta:
        abstract = True
