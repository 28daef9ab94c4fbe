"""Articles: a template's article becomes a draft at the platform, and is looked at by a colleague.

An article is one text for everybody, so nothing of a person may stand in it.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns.channels.wechat import official
from campaigns.channels.wechat.errors import WeChatError
from campaigns.models import Article, ChannelAccount, Follower, Material, TemplateVersion
from campaigns.templating import rendering
from campaigns.templating.compiling import Tracker
from campaigns.templating.rendering import Renderer, TemplateFailed
from campaigns.wechat import article_pictures
from campaigns.wechat.article_pictures import NoArticle
from campaigns.wechat.words import said

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

__all__ = ["NoArticle", "draft", "preview", "written"]


def written(version: TemplateVersion, language: str) -> dict[str, str]:
    """Return title, digest, text and address of a version's article.

    Raises
    ------
    NoArticle
        It has none in this language, or names a person's variable.
    """
    told = version.forms.get("wechat", {}).get(language)
    if told is None or "html" not in told:
        raise NoArticle(_("The template has no article in this language."))
    form = Renderer(version, None, "wechat").forms[language]
    if form.paths:
        names = ", ".join(sorted(str(path) for path in form.paths))
        raise NoArticle(_("An article is the same for everybody, but this one names %(names)s.") % {"names": names})
    try:
        parts = rendering.filled(form, {}, Tracker(urls=form.urls))
    except TemplateFailed as error:
        raise NoArticle(str(error)) from error
    return {name: str(parts.get(name, "")) for name in ("title", "digest", "html", "url")}


def draft(
    account: ChannelAccount,
    version: TemplateVersion,
    language: str,
    *,
    author: str = "",
    cover: bytes = b"",
    by: "AbstractBaseUser | None" = None,
    now: datetime,
) -> Article:
    """Put a version's article into the account's drafts; the same once more replaces it there.

    Without a cover the one before is kept, or else the text's first picture is taken.

    Raises
    ------
    NoArticle
        There is no article, no cover, or the platform does not take it.
    """
    text = written(version, language)
    there = Article.objects.filter(account=account, version=version, language=language).first()
    if there is not None and there.status not in Article.WAITING:
        raise NoArticle(_("It is published, or being published: change the template, and draft its new version."))
    try:
        html, first = article_pictures.with_pictures(account, text["html"], now)
        material = article_pictures.cover_of(account, cover or (b"" if there and there.cover else first), there, now)
        media_id = _put(account, there, text | {"html": html, "author": author}, material)
    except WeChatError as error:
        raise NoArticle(said(error)) from error
    facts = {"title": text["title"][:64], "author": author, "cover": material, "media_id": media_id, "reason": ""}
    facts |= {"status": Article.Status.DRAFT, "made_by_id": by.pk if by else None, "made_at": now}
    made, _new = Article.objects.update_or_create(account=account, version=version, language=language, defaults=facts)
    return made


def _put(account: ChannelAccount, there: Article | None, text: Mapping[str, str], cover: Material) -> str:
    told = {
        "title": text["title"],
        "author": text["author"],
        "digest": text["digest"],
        "content": text["html"],
        "content_source_url": text["url"],
        "thumb_media_id": cover.media_id,
    }
    if there is not None and there.media_id:
        official.draft_update(account, there.media_id, 0, told)
        return there.media_id
    return str(official.draft_add(account, [told])["media_id"])


def preview(article: Article, to: str) -> None:
    """Send a draft to one colleague's telephone, by openid or by her number among the followers; it is kept nowhere.

    Raises
    ------
    NoArticle
        The platform refuses, or a day's hundred are used.
    """
    openid = to.strip()
    if number := re.fullmatch(r"#?([0-9]{1,15})", openid):
        row = Follower.objects.filter(account=article.account, pk=number[1]).select_related("identifier").first()
        openid = str(row.identifier.value) if row else ""
    if not openid:
        raise NoArticle(_("The account has no such follower."))
    try:
        told = {"msgtype": "mpnews", "mpnews": {"media_id": article.media_id}}
        official.message_mass_preview(article.account, openid, told)
    except WeChatError as error:
        raise NoArticle(said(error)) from error
