"""Forms of WeChat: articles and texts to many, messages by a template of the platform's, answers within a window."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from django.utils.translation import gettext as _

from campaigns.channels.wechat import attachments
from campaigns.forms.base import FormError, Parts, Render, Source, Writing, at_most, line, sources
from campaigns.forms.plain import NoteForm
from campaigns.templating.sandbox import TemplateFailed

LONGEST_TEXT = 2048  # bytes of a text to followers


@dataclass(frozen=True, kw_only=True)
class ArticleForm:
    """An article of a WeChat official account."""

    CHANNELS: ClassVar[Sequence[str]] = ("wechat",)
    KIND: ClassVar[str] = "article"
    BULK: ClassVar[Sequence[str]] = ("wechat",)

    title: str = ""
    digest: str = ""
    html: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise FormError("title", _("a title is needed"))
        if not self.html:
            raise FormError("html", _("there is no text"))

    def sources(self) -> Sequence[Source]:
        return sources(
            (self, "title", Writing.LINE),
            (self, "digest", Writing.LINE),
            (self, "html", Writing.HTML),
            (self, "url", Writing.URL),
        )

    def parts(self, render: Render) -> Parts:
        # The platform's limits: 64 signs of a title, 120 of a digest.
        title, digest = line(render("title")), line(render("digest"))
        at_most("title", title, 64)
        at_most("digest", digest, 120)
        return {
            "kind": self.KIND,
            "title": title,
            "digest": digest,
            "html": render("html"),
            "url": render("url").strip(),
        }


@dataclass(frozen=True, kw_only=True)
class _TextForm:
    text: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise FormError("text", _("there is no text"))

    def sources(self) -> Sequence[Source]:
        return sources((self, "text", Writing.TEXT))

    def parts(self, render: Render) -> Parts:
        said = render("text").strip()
        if not said:
            raise TemplateFailed("empty", "text")
        if len(said.encode()) > LONGEST_TEXT:
            raise TemplateFailed("too_long", "text")
        return {"kind": getattr(self, "KIND", ""), "text": said}


@dataclass(frozen=True, kw_only=True)
class MassTextForm(_TextForm):
    """A text to many followers of an official account at once."""

    CHANNELS: ClassVar[Sequence[str]] = ("wechat",)
    KIND: ClassVar[str] = "text"
    BULK: ClassVar[Sequence[str]] = ("wechat",)


@dataclass(frozen=True, kw_only=True)
class ServiceForm(_TextForm):
    """An answer to somebody who wrote or did something a moment ago: only while her window is open."""

    CHANNELS: ClassVar[Sequence[str]] = ("wechat", "mini_program")
    KIND: ClassVar[str] = "service"
    BULK: ClassVar[Sequence[str]] = ()


# What the platform lets a key of each type hold (WeChat, "Subscription messages", parameter types).
KEYS: Mapping[str, re.Pattern[str]] = {
    "thing": re.compile(r".{1,20}", re.DOTALL),
    "number": re.compile(r"[0-9.,-]{1,32}"),
    "letter": re.compile(r"[A-Za-z]{1,32}"),
    "symbol": re.compile(r"[^\w\s]{1,5}"),
    "character_string": re.compile(r"[\x21-\x7e]{1,32}"),
    "time": re.compile(r".{4,32}"),
    "date": re.compile(r".{4,32}"),
    "amount": re.compile(r"[¥￥$€]?[0-9,]{1,10}(\.[0-9]{1,2})?元?"),
    "phone_number": re.compile(r"[0-9+*-]{1,17}"),
    "car_number": re.compile(r".{1,8}"),
    "name": re.compile(r"[\u4e00-\u9fff·]{1,10}|[A-Za-z\s.'-]{1,20}"),
    "phrase": re.compile(r"[\u4e00-\u9fff]{1,5}"),
    "const": re.compile(r".{1,20}"),
}
KEY = re.compile(r"([a-z_]+?)([0-9]{1,3})")


def type_of(key: str) -> str:
    """Return the type of a template message's key.

    >>> type_of("thing3"), type_of("character_string1"), type_of("first")
    ('thing', 'character_string', '')
    """
    found = KEY.fullmatch(key)
    return found[1] if found and found[1] in KEYS else ""


@dataclass(frozen=True, kw_only=True)
class TemplateMessageForm:
    """A message by a template of the platform's: values for typed keys, as ``thing1`` of at most 20 signs."""

    CHANNELS: ClassVar[Sequence[str]] = ("wechat", "mini_program")
    KIND: ClassVar[str] = "template"
    BULK: ClassVar[Sequence[str]] = ()

    template_id: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    page: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w-]{1,64}", self.template_id):
            raise FormError("template_id", _("the number that the platform gave the template"))
        if not self.data:
            raise FormError("data", _("no key has a value"))
        for key in self.data:
            if not type_of(key):
                raise FormError(f"data.{key}", _("a key is one of the platform's types and a number, as thing1"))

    def sources(self) -> Sequence[Source]:
        keys = [Source(path=f"data.{key}", text=text, writing=Writing.LINE) for key, text in self.data.items()]
        return [*keys, *sources((self, "url", Writing.URL), (self, "page", Writing.LINE))]

    def parts(self, render: Render) -> Parts:
        data = {key: line(render(f"data.{key}")) for key in self.data}
        for key, value in data.items():
            if not KEYS[type_of(key)].fullmatch(value):
                raise TemplateFailed("not_of_type", f"data.{key}")
        told = {"template_id": self.template_id, "data": data, "url": render("url"), "page": render("page")}
        return {"kind": self.KIND} | told


@dataclass(frozen=True, kw_only=True)
class SubscriptionForm(TemplateMessageForm):
    """A message of an official account that uses up one acceptance, as those of mini programs do."""

    CHANNELS: ClassVar[Sequence[str]] = ("wechat",)
    KIND: ClassVar[str] = "subscription"


@dataclass(frozen=True, kw_only=True)
class StaffForm(NoteForm):
    """What staff send in WeCom: a text with a link, a picture, or a mini program's card, whose cover the picture is."""

    CHANNELS: ClassVar[Sequence[str]] = ("wecom",)
    BULK: ClassVar[Sequence[str]] = ("wecom",)

    picture: str = ""
    card_appid: str = ""
    card_page: str = ""
    card_title: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.picture and not self.picture.isdecimal():
            raise FormError("picture", _("the number of one of the pictures for WeCom"))
        if self.card_appid and not re.fullmatch(r"wx[0-9a-z]{4,30}", self.card_appid):
            raise FormError("card_appid", _("its AppID, which begins with wx"))
        below = {"picture": self.picture, "title": self.title, "url": self.url} | self._card()
        try:
            attachments.of_parts(below).check()
        except attachments.BadAttachment as error:
            raise FormError(error.field.removeprefix("link_"), str(error)) from error

    def _card(self) -> Parts:
        return {"card_appid": self.card_appid, "card_page": self.card_page, "card_title": self.card_title}

    def parts(self, render: Render) -> Parts:
        return super().parts(render) | {"picture": self.picture} | self._card()
