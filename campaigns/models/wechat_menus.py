"""The menu below an official account's conversation, version by version."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount


class MenuVersion(models.Model):
    """A menu as it was saved once, or as it was read back from the platform; the last published one stands there.

    ``buttons`` is what the platform takes (``campaigns.wechat.menus`` checks it): at most three, each of which does
    something or holds at most five that do.
    """

    class Origin(models.TextChoices):
        OURS = "ours", _("written here")
        PLATFORM = "platform", _("read at the platform")

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="wechat_menus", verbose_name=_("account"))
    number = models.PositiveIntegerField(_("version"))
    buttons = models.JSONField(_("buttons"))
    origin = models.CharField(_("origin"), max_length=8, choices=Origin, default=Origin.OURS)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("made by")
    )
    made_at = models.DateTimeField(_("made"))
    published_at = models.DateTimeField(_("published"), null=True, blank=True)

    class Meta:
        verbose_name = _("WeChat menu")
        verbose_name_plural = _("WeChat menus")
        constraints = [models.UniqueConstraint(fields=["account", "number"], name="campaigns_menu_version_once")]

    def __str__(self) -> str:
        return f"{self.account} v{self.number}"
