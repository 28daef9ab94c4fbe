"""What the platform says an account's followers and articles did, as it said it; changes are worked out by reading."""

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import ChannelAccount


class Statistic(models.Model):
    """One statistic of an account's day: the platform's last word on it, as it came, and when it is asked (again).

    A day's numbers are ready the next morning, or later, and the platform may say something else some days after:
    ``due_at`` says when it is asked the next time, and :class:`Correction` what it took back.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="statistics", verbose_name=_("account"))
    name = models.CharField(_("statistic"), max_length=32)
    day = models.DateField(_("day"))
    told = models.JSONField(_("as the platform told it"), null=True, blank=True)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    problem = models.CharField(_("problem"), max_length=300, blank=True)
    due_at = models.DateTimeField(_("asked again"), null=True, blank=True)
    taken_at = models.DateTimeField(_("taken"), null=True, blank=True)

    class Meta:
        verbose_name = _("statistic of the platform")
        verbose_name_plural = _("statistics of the platform")
        constraints = [
            models.UniqueConstraint(fields=["account", "name", "day"], name="campaigns_statistic_once"),
        ]
        indexes = [models.Index(F("due_at"), condition=models.Q(due_at__isnull=False), name="campaigns_statistics_due")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.name} {self.day}"


class Correction(models.Model):
    """What the platform said of a day before, and what it says since: ``{figure: [before, since]}`` of one line.

    ``line`` is the article, the day or the way that the figures are about; empty where a statistic has one line a day.
    """

    statistic = models.ForeignKey(Statistic, models.CASCADE, related_name="corrections", verbose_name=_("statistic"))
    line = models.CharField(_("line"), max_length=100, blank=True)
    figures = models.JSONField(_("figures"), default=dict)
    noticed_at = models.DateTimeField(_("noticed"))

    class Meta:
        verbose_name = _("correction of a statistic")
        verbose_name_plural = _("corrections of statistics")
        indexes = [models.Index(fields=["statistic", "-noticed_at"], name="campaigns_corrections_of")]

    def __str__(self) -> str:
        return f"{self.statistic_id} {self.line}"


class AccountDay(models.Model):
    """An account's day as the platform tells it; what it did not tell is null, never nought.

    ``followers`` is the total at the day's end; ``came`` and ``left`` are sums over ``sources``, which counts by how
    they came: ``{"30": {"came": 4, "left": 1}}``. ``readers`` to ``published`` are about all that the account has
    published, ``writers`` and ``messages`` about what people sent, ``callbacks…`` about how our server answered.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="days", verbose_name=_("account"))
    day = models.DateField(_("day"))
    followers = models.PositiveIntegerField(_("followers"), null=True, blank=True)
    came = models.PositiveIntegerField(_("came"), null=True, blank=True)
    left = models.PositiveIntegerField(_("left"), null=True, blank=True)
    sources = models.JSONField(_("by how they came"), default=dict, blank=True)
    readers = models.PositiveIntegerField(_("readers"), null=True, blank=True)
    sharers = models.PositiveIntegerField(_("shared by"), null=True, blank=True)
    likers = models.PositiveIntegerField(_("liked by"), null=True, blank=True)
    comments = models.PositiveIntegerField(_("comments"), null=True, blank=True)
    published = models.PositiveIntegerField(_("articles published"), null=True, blank=True)
    writers = models.PositiveIntegerField(_("people who wrote"), null=True, blank=True)
    messages = models.PositiveIntegerField(_("messages written"), null=True, blank=True)
    callbacks = models.PositiveIntegerField(_("callbacks"), null=True, blank=True)
    callbacks_failed = models.PositiveIntegerField(_("callbacks that failed"), null=True, blank=True)
    callbacks_ms = models.PositiveIntegerField(_("milliseconds of all callbacks"), null=True, blank=True)
    slowest_ms = models.PositiveIntegerField(_("milliseconds of the slowest callback"), null=True, blank=True)
    taken_at = models.DateTimeField(_("taken"), null=True, blank=True)

    class Meta:
        verbose_name = _("WeChat day")
        verbose_name_plural = _("WeChat days")
        constraints = [models.UniqueConstraint(fields=["account", "day"], name="campaigns_account_day_once")]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"


class ArticleDay(models.Model):
    """What the platform said of one article until the end of one day: all figures are totals since its publication.

    The platform counts people, not pages. What it leaves out is null. ``day_readers`` and ``day_sharers`` are told
    apart from the totals, of one day alone: who reads it again counts there again, and not in what a total grew by.
    """

    account = models.ForeignKey(ChannelAccount, models.CASCADE, related_name="article_days", verbose_name=_("account"))
    msgid = models.CharField(_("number at the platform"), max_length=64)
    day = models.DateField(_("day"))
    title = models.CharField(_("title"), max_length=200, blank=True)
    url = models.CharField(_("address"), max_length=500, blank=True)
    published_on = models.DateField(_("published"))
    sent = models.BooleanField(_("sent to followers"), default=False)
    readers = models.PositiveIntegerField(_("readers"), null=True, blank=True)
    sharers = models.PositiveIntegerField(_("shared by"), null=True, blank=True)
    likers = models.PositiveIntegerField(_("liked by"), null=True, blank=True)
    recommenders = models.PositiveIntegerField(_("recommended by"), null=True, blank=True)
    keepers = models.PositiveIntegerField(_("kept by"), null=True, blank=True)
    comments = models.PositiveIntegerField(_("comments"), null=True, blank=True)
    day_readers = models.PositiveIntegerField(_("readers of the day"), null=True, blank=True)
    day_sharers = models.PositiveIntegerField(_("shared on the day by"), null=True, blank=True)
    delivery_rate = models.FloatField(_("read by those who got it"), null=True, blank=True)
    finished = models.FloatField(_("read to the end"), null=True, blank=True)
    sources = models.JSONField(_("by where from"), default=dict, blank=True)
    taken_at = models.DateTimeField(_("taken"))

    class Meta:
        verbose_name = _("WeChat article's day")
        verbose_name_plural = _("WeChat articles' days")
        constraints = [models.UniqueConstraint(fields=["account", "msgid", "day"], name="campaigns_article_day_once")]

    def __str__(self) -> str:
        return f"{self.msgid} {self.day}"
