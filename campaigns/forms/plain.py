"""Forms of e-mail, short messages, webhooks and notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from campaigns.forms.base import FormError, Parts, Render, Source, Writing, line, sources
from campaigns.templating.sandbox import TemplateFailed

LONGEST_SUBJECT = 255
MOST_SMS_PARTS = 8


@dataclass(frozen=True, kw_only=True)
class EmailForm:
    """An e-mail: HTML or MJML, never both; without a text of its own one is made of the HTML."""

    CHANNELS: ClassVar[Sequence[str]] = ("email",)
    KIND: ClassVar[str] = ""
    BULK: ClassVar[Sequence[str]] = ()

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
        return sources(
            (self, "subject", Writing.LINE),
            (self, "preheader", Writing.LINE),
            (self, "html", Writing.HTML),
            (self, "mjml", Writing.MJML),
            (self, "text", Writing.TEXT),
        )

    def parts(self, render: Render) -> Parts:
        subject = line(render("subject"))
        if not subject:
            raise TemplateFailed("empty", "subject")
        html = render("mjml" if self.mjml else "html")
        return {
            "subject": subject[:LONGEST_SUBJECT],
            "preheader": line(render("preheader")),
            "html": html,
            "text": render("text"),
        }


@dataclass(frozen=True, kw_only=True)
class SmsForm:
    """A short message; the signature in its brackets says who sends it, as Chinese carriers demand."""

    CHANNELS: ClassVar[Sequence[str]] = ("sms",)
    KIND: ClassVar[str] = ""
    BULK: ClassVar[Sequence[str]] = ()

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
        return sources((self, "text", Writing.TEXT))

    def parts(self, render: Render) -> Parts:
        said = render("text").strip()
        if not said:
            raise TemplateFailed("empty", "text")
        return {"text": f"{self.sign}{said}", "signature": self.signature, "body": said}


@dataclass(frozen=True, kw_only=True)
class WebhookForm:
    """A JSON document: every text in it is a template of its own, so that no value can break the document."""

    CHANNELS: ClassVar[Sequence[str]] = ("webhook",)
    KIND: ClassVar[str] = ""
    BULK: ClassVar[Sequence[str]] = ()

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
    """A title and a text: an app's push, what is said by phone, a letter."""

    CHANNELS: ClassVar[Sequence[str]] = ("app", "phone", "post")
    KIND: ClassVar[str] = "note"
    BULK: ClassVar[Sequence[str]] = ()

    title: str = ""
    text: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise FormError("text", _("there is no text"))

    def sources(self) -> Sequence[Source]:
        return sources((self, "title", Writing.LINE), (self, "text", Writing.TEXT), (self, "url", Writing.URL))

    def parts(self, render: Render) -> Parts:
        return {"title": line(render("title")), "text": render("text"), "url": render("url").strip()}


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
