"""What has to lie at the platform before a call: an article, made there once for a run, a variant and a language.

Or, of a task for staff, the picture below it.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from campaigns.bulk.jobs import Group
from campaigns.channels.base import Answer, Outcome
from campaigns.channels.wechat import errors
from campaigns.models import Article, BulkJob, MassArticle, Picture
from campaigns.wechat import articles, pictures, ways


class NotReady(Exception):
    """It could not be made ready; ``outcome`` says what becomes of those who were to get it."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def made_ready(group: Group, now: datetime) -> Group:
    """Return the group with what its message needs at the platform.

    Raises
    ------
    NotReady
        The platform did not take the article, or not now; nothing was sent.
    """
    parts = group.ready[0].message.parts
    if group.account.provider == ways.OFFICIAL and parts.get("kind") == "article":
        number = media_id(group, now)
    elif group.kind == BulkJob.Kind.STAFF_TASK and parts.get("picture"):
        number = picture(group, str(parts["picture"]), now)
    else:
        return group
    held = {**parts, "media_id": number}
    return replace(group, ready=[replace(one, message=replace(one.message, parts=held)) for one in group.ready])


def picture(group: Group, number: str, now: datetime) -> str:
    """Return the number at WeCom of a picture of ours, uploaded now unless it lies there and lasts."""
    try:
        return pictures.media_id(group.account, int(number), pictures.Use.MESSAGE, now)
    except (Picture.DoesNotExist, ValueError) as error:
        raise NotReady(Outcome(answer=Answer.REFUSED, reason="template")) from error
    except errors.WeChatError as error:
        found = errors.outcome(error, now)
        # Whether it was taken is of no account: nobody sees it, and the next one is as good.
        raise NotReady(replace(found, answer=Answer.BUSY) if found.answer == Answer.UNKNOWN else found) from error


def media_id(group: Group, now: datetime) -> str:
    """Return the number of the article at the platform: the draft that colleagues looked at, or one made now.

    A draft that is made twice because somebody died in between is seen by nobody.
    """
    facts: dict[str, Any] = {"account": group.account, "run": group.pair.run}
    facts |= {"variant": group.pair.variant, "language": group.language}
    if row := MassArticle.objects.filter(**facts).first():
        return row.media_id
    version = group.pair.variant.template
    drafted = Article.objects.filter(account=group.account, version=version, language=group.language)
    there = drafted.exclude(media_id="").first() or _drafted(group, now)
    row, _made = MassArticle.objects.get_or_create(**facts, defaults={"media_id": there.media_id, "made_at": now})
    return row.media_id


def _drafted(group: Group, now: datetime) -> Article:
    try:
        return articles.draft(group.account, group.pair.variant.template, group.language, now=now)
    except articles.NoArticle as error:
        if not isinstance(error.__cause__, errors.WeChatError):
            raise NotReady(Outcome(answer=Answer.REFUSED, reason="template")) from error
        found = errors.outcome(error.__cause__, now)
        # Whether a draft was made is of no account: nobody sees it, and the next one is as good.
        raise NotReady(replace(found, answer=Answer.BUSY) if found.answer == Answer.UNKNOWN else found) from error
