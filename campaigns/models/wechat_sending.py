"""What sending through WeChat has to remember: pauses, articles that were made ready, tags that are to be deleted."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.bulk import BulkJob
from campaigns.models.campaigns import Run, Variant
from campaigns.models.channels import ChannelAccount


class AccountPause(models.Model):
    """Until when nothing leaves through an account, because its platform said that a quota is used up."""

    account = models.OneToOneField(ChannelAccount, models.CASCADE, primary_key=True, verbose_name=_("account"))
    until = models.DateTimeField(_("until"))
    reason = models.CharField(_("why"), max_length=64, blank=True)

    class Meta:
        verbose_name = _("pause of an account")
        verbose_name_plural = _("pauses of accounts")

    def __str__(self) -> str:
        return f"{self.account_id} until {self.until:%F %T}"


class MassArticle(models.Model):
    """An article that lies ready at the platform: made once for a run, a variant and a language."""

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    run = models.ForeignKey(Run, models.CASCADE, related_name="+", verbose_name=_("run"))
    variant = models.ForeignKey(Variant, models.CASCADE, related_name="+", verbose_name=_("variant"))
    language = models.CharField(_("language"), max_length=16)
    media_id = models.CharField(_("number at the platform"), max_length=128)
    made_at = models.DateTimeField(_("made"))

    class Meta:
        verbose_name = _("article for many")
        verbose_name_plural = _("articles for many")
        constraints = [
            models.UniqueConstraint(
                fields=["account", "run", "variant", "language"], name="campaigns_article_made_once"
            )
        ]

    def __str__(self) -> str:
        return self.media_id


class EphemeralTag(models.Model):
    """A tag that stands for the people of one call, at an account that takes no lists of them; deleted afterwards."""

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="+", verbose_name=_("account"))
    job = models.OneToOneField(BulkJob, models.CASCADE, related_name="tag", verbose_name=_("job"))
    tag_id = models.PositiveIntegerField(_("number at the platform"), null=True, blank=True)
    made_at = models.DateTimeField(_("made"))
    gone_at = models.DateTimeField(_("gone"), null=True, blank=True)

    class Meta:
        verbose_name = _("tag of a job")
        verbose_name_plural = _("tags of jobs")
        indexes = [models.Index(fields=["made_at"], condition=Q(gone_at=None), name="campaigns_tags_to_delete")]

    def __str__(self) -> str:
        return f"{self.job_id}: {self.tag_id}"


class ForeignSend(models.Model):
    """A mass send that was not ours, as from the platform's console, as far as the platform tells of it.

    Who got it is told to nobody. Where it went to all who followed (``total`` of ``followers``) it is known of each;
    else only how many they were. Where an article's figures are all that was heard of it, ``people`` is worked out
    from the share of those who got it and read it, and is an estimate (``told_by``).
    """

    class ToldBy(models.TextChoices):
        EVENT = "event", _("the platform's report of the send")
        ARTICLE = "article", _("the figures of its article")

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="foreign_sends", verbose_name=_("account"))
    provider_id = models.CharField(_("provider's number"), max_length=200)
    told_by = models.CharField(_("told by"), max_length=7, choices=ToldBy, default=ToldBy.EVENT)
    people = models.PositiveIntegerField(_("people"), default=0)
    total = models.PositiveIntegerField(_("meant for"), null=True, blank=True)
    followers = models.PositiveIntegerField(_("followers then"), null=True, blank=True)
    urls = models.JSONField(_("addresses of its articles"), default=list, blank=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("mass send from elsewhere")
        verbose_name_plural = _("mass sends from elsewhere")
        constraints = [models.UniqueConstraint(fields=["account", "provider_id"], name="campaigns_foreign_send_once")]

    def __str__(self) -> str:
        return f"{self.at:%F}: {self.people}"

    @property
    def to_all(self) -> bool:
        """Whether everybody who followed then was meant: an estimate proves it of nobody."""
        known = self.told_by == self.ToldBy.EVENT and self.total is not None and bool(self.followers)
        return known and (self.total or 0) >= (self.followers or 0)
