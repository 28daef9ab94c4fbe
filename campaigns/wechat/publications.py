"""An article is published: given to the platform, which says later what became of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import Ambiguous, WeChatError
from campaigns.models import Article, ChannelAccount
from campaigns.wechat.article_pictures import NoArticle
from campaigns.wechat.words import said

ASKED_AT_ONCE = 50
HEARD_WITHIN = timedelta(hours=1)  # of what was given to the platform and not answered
# What became of a publication, by the platform's numbers.
RESULTS: Mapping[int, str] = {
    0: Article.Status.PUBLISHED,
    1: Article.Status.PUBLISHING,
    **dict.fromkeys(range(2, 7), Article.Status.FAILED),
}


def why_of(status: int) -> str:
    """Return in words what the platform's number of a failed publication says."""
    words = {
        2: _("it is not original"),
        3: _("an ordinary failure"),
        4: _("the platform's review refused it"),
        5: _("it was deleted after it was published"),
        6: _("the platform has blocked it after it was published"),
    }
    return words.get(status, _("the platform says %(number)s") % {"number": status})


def publish(article: Article, now: datetime) -> None:
    """Give a draft to the platform to publish; what becomes of it is told later (:func:`told`) or asked for.

    Raises
    ------
    NoArticle
        It waits for an answer already, or the platform refuses.
    """
    claimed = Article.objects.filter(pk=article.pk, status__in=Article.WAITING)
    if not claimed.update(status=Article.Status.PUBLISHING, submitted_at=now, publish_id="", reason=""):
        raise NoArticle(_("It is published, or being published."))
    try:
        answer = official.freepublish_submit(article.account, article.media_id)
    except Ambiguous as error:  # it may be looked at already: published a second time it would stand there twice
        Article.objects.filter(pk=article.pk).update(reason=said(error)[:300])
        raise NoArticle(said(error)) from error
    except WeChatError as error:
        Article.objects.filter(pk=article.pk).update(status=Article.Status.FAILED, reason=said(error)[:300])
        raise NoArticle(said(error)) from error
    Article.objects.filter(pk=article.pk).update(publish_id=str(answer["publish_id"]))


def ask(article: Article, now: datetime) -> None:
    """Ask the platform what became of a publication; an event tells it as well, and each changes nothing twice."""
    if article.publish_id:
        told(article.account, official.freepublish_get(article.account, article.publish_id), now)


def ask_all(now: datetime) -> int:
    """Ask for publications that wait for more than a minute; beat rings this."""
    _give_up(now)
    rows = Article.objects.filter(status=Article.Status.PUBLISHING).exclude(publish_id="").select_related("account")
    waiting = list(rows[:ASKED_AT_ONCE])
    for one in waiting:
        try:
            ask(one, now)
        except WeChatError as error:
            Article.objects.filter(pk=one.pk).update(reason=said(error)[:300])
    return len(waiting)


def _give_up(now: datetime) -> None:
    """Call failed what was never answered, and of which nothing was heard for long: it can be published again."""
    rows = Article.objects.filter(status=Article.Status.PUBLISHING, publish_id="", submitted_at__lt=now - HEARD_WITHIN)
    rows.update(status=Article.Status.FAILED, reason=said(Ambiguous("lost"))[:300])


def _unanswered(account: ChannelAccount, publish_id: str) -> Article | None:
    """Return the one article whose publication was not answered, where there is one: then this is its number."""
    rows = Article.objects.select_for_update().filter(account=account, status=Article.Status.PUBLISHING, publish_id="")
    found = list(rows[:2])
    if len(found) != 1 or not publish_id:
        return None
    found[0].publish_id = publish_id
    return found[0]


def told(account: ChannelAccount, answer: Mapping[str, Any], now: datetime) -> Article | None:
    """Write down what became of a publication, as an answer or an event tells it; None for one that is not ours."""
    status = int(answer.get("publish_status", 1))
    number = str(answer.get("publish_id") or "")
    with transaction.atomic():
        rows = Article.objects.select_for_update().filter(account=account, publish_id=number).exclude(publish_id="")
        one = rows.first() or _unanswered(account, number)
        if one is None or one.status != Article.Status.PUBLISHING:
            return one
        one.status = RESULTS.get(status, Article.Status.FAILED)
        if one.status == Article.Status.PUBLISHED:
            one.published_at, one.url = now, _address(answer)
        elif one.status == Article.Status.FAILED:
            one.reason = why_of(status)[:300]
        one.save(update_fields=["status", "publish_id", "published_at", "url", "reason"])
    return one


def _address(answer: Mapping[str, Any]) -> str:
    """Return the first article's address; of one item XML makes no list."""
    items = (answer.get("article_detail") or {}).get("item") or []
    first = items[0] if isinstance(items, list) and items else items
    return str(first.get("article_url", ""))[:500] if isinstance(first, Mapping) else ""
