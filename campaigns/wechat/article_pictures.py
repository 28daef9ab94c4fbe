"""Pictures of articles: the platform shows its own only, so each is fetched where it lies and uploaded once."""

import re
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from html import unescape

from django.utils.translation import gettext as _

from campaigns import egress
from campaigns.channels.wechat import official
from campaigns.models import Article, ChannelAccount, Material

IMAGE = re.compile(r"(<img\b[^>]*?\bsrc\s*=\s*)([\"'])(.*?)\2", re.IGNORECASE | re.DOTALL)
SIGNATURES: Mapping[bytes, str] = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
LARGEST = 1_000_000  # bytes of a picture in an article
LARGEST_COVER = 10_000_000
OURS = re.compile(r"https?://[\w.-]*\bqpic\.cn/")  # where the platform's own pictures lie


class NoArticle(ValueError):
    """The article cannot be drafted or published; the message says why."""


def with_pictures(account: ChannelAccount, html: str, now: datetime) -> tuple[str, bytes]:
    """Return the text with the platform's own pictures, and the first of them as it was."""
    taken: list[bytes] = []

    def named(found: re.Match[str]) -> str:
        url = unescape(found[3]).strip()
        if OURS.match(url):
            return found[0]
        data = _fetched(url)
        taken.append(data)
        return f"{found[1]}{found[2]}{uploaded(account, Material.Kind.IMAGE, data, now).url}{found[2]}"

    return IMAGE.sub(named, html), next(iter(taken), b"")


def _fetched(url: str) -> bytes:
    """Fetch a picture from where a text says that it lies; nothing inside our own network (``campaigns.egress``)."""
    try:
        reply = egress.request("GET", url, most=LARGEST + 1)
    except (egress.EgressError, ValueError) as error:
        raise NoArticle(_("The picture %(url)s cannot be fetched: %(why)s.") % {"url": url, "why": error}) from error
    if reply.status != 200 or reply.cut or len(reply.body) > LARGEST:
        raise NoArticle(_("The picture %(url)s cannot be fetched, or is larger than 1 MB.") % {"url": url})
    return reply.body


def kind_of(data: bytes) -> str:
    """Return the type of a picture that the platform takes.

    Raises
    ------
    NoArticle
        It is neither JPEG nor PNG.
    """
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            return kind
    raise NoArticle(_("The platform takes pictures as JPEG or PNG only."))


def cover_of(account: ChannelAccount, data: bytes, there: Article | None, now: datetime) -> Material:
    if data:
        if len(data) > LARGEST_COVER:
            raise NoArticle(_("A cover has 10 MB at most."))
        return uploaded(account, Material.Kind.THUMB, data, now)
    if there is not None and there.cover is not None:
        return there.cover
    raise NoArticle(_("An article needs a cover: choose a picture, or put one into the text."))


def uploaded(account: ChannelAccount, kind: str, data: bytes, now: datetime) -> Material:
    """Return a picture's material; each picture is uploaded once."""
    digest = sha256(data).hexdigest()
    there = Material.objects.filter(account=account, kind=kind, digest=digest).first()
    if there is not None:
        return there
    mime = kind_of(data)
    name = f"{digest[:16]}.{mime.removeprefix('image/').replace('jpeg', 'jpg')}"
    if kind == Material.Kind.THUMB:
        told = official.material_add_material(account, "thumb", name, data, mime)
    else:
        told = official.media_uploadimg(account, name, data, mime)
    found = {"url": str(told.get("url", ""))[:500], "media_id": str(told.get("media_id", "")), "uploaded_at": now}
    made, _new = Material.objects.get_or_create(account=account, kind=kind, digest=digest, defaults=found)
    return made
