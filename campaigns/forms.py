"""What a template says on each channel: one frozen form a channel, read from JSON at the edge.

A form names its *sources*: the texts in Liquid that it is made of, by path, and of which kind each is. It says how the
rendered texts are put together into the parts that the channel's adapter sends (``campaigns.channels.Message.parts``).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar, Protocol

from django.utils.translation import gettext as _

from campaigns.sandbox import TemplateFailed

LONGEST_SUBJECT = 255
MOST_SMS_PARTS = 8
Parts = dict[str, Any]
Render = Callable[[str], str]


class Writing(Enum):
    """What a source becomes: values in HTML are escaped, and its links and styles are worked on."""

    LINE = "line"
    TEXT = "text"
    HTML = "html"
    MJML = "mjml"
    URL = "url"


class FormError(ValueError):
    """A form that cannot be read; ``path`` names where, the message says why."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Source:
    """One text in Liquid of a form."""

    path: str
    text: str
    writing: Writing


class Form(Protocol):
    """A channel's form in one language."""

    CHANNELS: ClassVar[Sequence[str]]

    def sources(self) -> Sequence[Source]:
        """Return the texts that are to be rendered; an empty one is left out."""

    def parts(self, render: Render) -> Parts:
        """Return the parts of a message; ``render`` gives the rendered text of a source by its path."""


def _line(value: str) -> str:
    """Return a text as one line: a line break in a subject begins another header."""
    return " ".join(value.split())


@dataclass(frozen=True, kw_only=True)
class EmailForm:
    """An e-mail: HTML or MJML, never both; without a text of its own one is made of the HTML."""

    CHANNELS: ClassVar[Sequence[str]] = ("email",)

    subject: str = ""
    preheader: str = ""
    html: str = ""
    mjml: str = ""
    text: str = ""

    def __post_init__(self) -> None:
        if not self.subject.strip():
            raise FormError("subject", _("a subject is needed"))
        if self.html and self.mjml:
            raise FormError("mjml", _("either HTML or MJML"))
        if not (self.html or self.mjml or self.text):
            raise FormError("html", _("there is no text"))

    def sources(self) -> Sequence[Source]:
        return _sources(
            (self, "subject", Writing.LINE),
            (self, "preheader", Writing.LINE),
            (self, "html", Writing.HTML),
            (self, "mjml", Writing.MJML),
            (self, "text", Writing.TEXT),
        )

    def parts(self, render: Render) -> Parts:
        subject = _line(render("subject"))
        if not subject:
            raise TemplateFailed("empty", "subject")
        html = render("mjml" if self.mjml else "html")
        return {
            "subject": subject[:LONGEST_SUBJECT],
            "preheader": _line(render("preheader")),
            "html": html,
            "text": render("text"),
        }


@dataclass(frozen=True, kw_only=True)
class SmsForm:
    """A short message; the signature in its brackets says who sends it, as Chinese carriers demand."""

    CHANNELS: ClassVar[Sequence[str]] = ("sms",)

    text: str = ""
    signature: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise FormError("text", _("there is no text"))
        if set(self.signature) & set("【】[]{}"):
            raise FormError("signature", _("without brackets: they are put around it"))
        if len(self.signature) > 20:
            raise FormError("signature", _("at most 20 signs"))

    @property
    def sign(self) -> str:
        return f"【{self.signature}】" if self.signature else ""

    def sources(self) -> Sequence[Source]:
        return _sources((self, "text", Writing.TEXT))

    def parts(self, render: Render) -> Parts:
        said = render("text").strip()
        if not said:
            raise TemplateFailed("empty", "text")
        return {"text": f"{self.sign}{said}", "signature": self.signature, "body": said}


@dataclass(frozen=True, kw_only=True)
class ArticleForm:
    """An article of a WeChat official account."""

    CHANNELS: ClassVar[Sequence[str]] = ("wechat",)

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
        return _sources(
            (self, "title", Writing.LINE),
            (self, "digest", Writing.LINE),
            (self, "html", Writing.HTML),
            (self, "url", Writing.URL),
        )

    def parts(self, render: Render) -> Parts:
        # The platform's limits: 64 signs of a title, 120 of a digest.
        title, digest = _line(render("title")), _line(render("digest"))
        _at_most("title", title, 64)
        _at_most("digest", digest, 120)
        return {"title": title, "digest": digest, "html": render("html"), "url": render("url").strip()}


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
        return [*keys, *_sources((self, "url", Writing.URL), (self, "page", Writing.LINE))]

    def parts(self, render: Render) -> Parts:
        data = {key: _line(render(f"data.{key}")) for key in self.data}
        for key, value in data.items():
            if not KEYS[type_of(key)].fullmatch(value):
                raise TemplateFailed("not_of_type", f"data.{key}")
        return {"template_id": self.template_id, "data": data, "url": render("url"), "page": render("page")}


@dataclass(frozen=True, kw_only=True)
class WebhookForm:
    """A JSON document: every text in it is a template of its own, so that no value can break the document."""

    CHANNELS: ClassVar[Sequence[str]] = ("webhook",)

    body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.body:
            raise FormError("body", _("there is no text"))
        leaves = list(_leaves(self.body, "body", 0))
        if len(leaves) > 200:
            raise FormError("body", _("at most 200 texts"))

    def sources(self) -> Sequence[Source]:
        return [Source(path=path, text=text, writing=Writing.TEXT) for path, text in _leaves(self.body, "body", 0)]

    def parts(self, render: Render) -> Parts:
        return {"body": _filled(self.body, "body", render)}


@dataclass(frozen=True, kw_only=True)
class NoteForm:
    """A title and a text: an app's push, a message in WeCom, what is said by phone, a letter."""

    CHANNELS: ClassVar[Sequence[str]] = ("wecom", "app", "phone", "post")

    title: str = ""
    text: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise FormError("text", _("there is no text"))

    def sources(self) -> Sequence[Source]:
        return _sources((self, "title", Writing.LINE), (self, "text", Writing.TEXT), (self, "url", Writing.URL))

    def parts(self, render: Render) -> Parts:
        return {"title": _line(render("title")), "text": render("text"), "url": render("url").strip()}


KINDS: Sequence[type[Form]] = (EmailForm, SmsForm, TemplateMessageForm, ArticleForm, WebhookForm, NoteForm)
FORMS: Mapping[str, Sequence[type[Form]]] = {
    channel: [form for form in KINDS if channel in form.CHANNELS] for kind in KINDS for channel in kind.CHANNELS
}


def parse(forms: object) -> dict[str, dict[str, Form]]:
    """Return the forms of a version by channel and language.

    Raises
    ------
    FormError
        Something is missing, of the wrong type or not known; ``path`` names where, as ``email.en.subject``.
    """
    if not isinstance(forms, dict) or not forms:
        raise FormError("", _("there is no form"))
    read: dict[str, dict[str, Form]] = {}
    for channel, languages in forms.items():
        if channel not in FORMS:
            raise FormError(str(channel), _("is no channel"))
        if not isinstance(languages, dict) or not languages:
            raise FormError(str(channel), _("there is no form"))
        read[channel] = {
            _language(channel, language): _form(channel, f"{channel}.{language}", told)
            for language, told in languages.items()
        }
    return read


def _language(channel: str, language: object) -> str:
    if not isinstance(language, str) or not re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", language):
        raise FormError(f"{channel}.{language}", _("is no language"))
    return language


def _form(channel: str, path: str, told: object) -> Form:
    if not isinstance(told, dict):
        raise FormError(path, _("is no form"))
    # WeChat has two: what names a template of the platform's is a message by it, all else an article.
    kind = FORMS[channel][-1 if "template_id" not in told else 0]
    types = {one.name: one.type for one in fields(kind)}  # type: ignore[arg-type]  # all are dataclasses
    for name, value in told.items():
        if name not in types:
            raise FormError(f"{path}.{name}", _("is not known"))
        _refuse_type(f"{path}.{name}", value, mapping="Mapping" in str(types[name]), texts=name == "data")
    try:
        return kind(**told)
    except FormError as error:
        raise FormError(f"{path}.{error.path}", error.message) from error


def _refuse_type(path: str, value: object, *, mapping: bool, texts: bool) -> None:
    if not mapping and not isinstance(value, str):
        raise FormError(path, _("must be text"))
    if mapping and not (isinstance(value, dict) and all(isinstance(key, str) for key in value)):
        raise FormError(path, _("must be a JSON object"))
    if texts and isinstance(value, dict) and not all(isinstance(one, str) for one in value.values()):
        raise FormError(path, _("must be text"))


def _sources(*told: tuple[Any, str, Writing]) -> list[Source]:
    return [
        Source(path=name, text=getattr(form, name), writing=writing)
        for form, name, writing in told
        if getattr(form, name)
    ]


def _at_most(path: str, value: str, most: int) -> None:
    if len(value) > most:
        raise TemplateFailed("too_long", path)


def _leaves(value: object, path: str, depth: int) -> list[tuple[str, str]]:
    if depth > 10:
        raise FormError(path, _("lies too deep"))
    match value:
        case str():
            return [(path, value)]
        case dict():
            return [leaf for key, one in value.items() for leaf in _leaves(one, f"{path}.{key}", depth + 1)]
        case list():
            return [leaf for at, one in enumerate(value) for leaf in _leaves(one, f"{path}.{at}", depth + 1)]
    return []


def _filled(value: object, path: str, render: Render) -> Any:
    match value:
        case str():
            return render(path)
        case dict():
            return {key: _filled(one, f"{path}.{key}", render) for key, one in value.items()}
        case list():
            return [_filled(one, f"{path}.{at}", render) for at, one in enumerate(value)]
    return value
