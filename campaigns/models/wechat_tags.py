"""The tags of an official account as the platform keeps them, and the segments that some of them follow."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount
from campaigns.models.segments import Segment


class AccountTagQuerySet(models.QuerySet["AccountTag"]):
    def standing(self) -> "AccountTagQuerySet":
        """Return those that the platform still has: each takes one of the account's slots."""
        return self.filter(gone_at=None)


class AccountTag(models.Model):
    """A tag at the platform. Who bears it stands at each follower (``Follower.tags``).

    Where it names a segment, the tag follows it: a push gives it to who came and takes it from who left.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="wechat_tags", verbose_name=_("account"))
    number = models.PositiveIntegerField(_("number at the platform"))
    name = models.CharField(_("name"), max_length=30)
    segment = models.ForeignKey(
        Segment, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("segment that it follows")
    )
    people = models.PositiveIntegerField(_("followers, as the platform says"), null=True, blank=True)
    synced_at = models.DateTimeField(_("read"))
    pushed_at = models.DateTimeField(_("pushed"), null=True, blank=True)
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)

    objects = AccountTagQuerySet.as_manager()

    class Meta:
        verbose_name = _("WeChat tag")
        verbose_name_plural = _("WeChat tags")
        constraints = [models.UniqueConstraint(fields=["account", "number"], name="campaigns_account_tag_once")]

    def __str__(self) -> str:
        return self.name
