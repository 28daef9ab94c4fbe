"""What every channel's form has in common: the texts that it is made of, and how they become a message's parts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol

from campaigns.templating.sandbox import TemplateFailed

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
    """A channel's form in one language.

    Of a channel with several forms each has its ``KIND``, which its JSON may name. What goes to many people in one
    call (``BULK``, by channel) is the same for all of them.
    """

    CHANNELS: ClassVar[Sequence[str]]
    KIND: ClassVar[str]
    BULK: ClassVar[Sequence[str]]

    def sources(self) -> Sequence[Source]:
        """Return the texts that are to be rendered; an empty one is left out."""

    def parts(self, render: Render) -> Parts:
        """Return the parts of a message; ``render`` gives the rendered text of a source by its path."""


def line(value: str) -> str:
    """Return a text as one line: a line break in a subject begins another header."""
    return " ".join(value.split())


def sources(*told: tuple[Any, str, Writing]) -> list[Source]:
    return [
        Source(path=name, text=getattr(form, name), writing=writing)
        for form, name, writing in told
        if getattr(form, name)
    ]


def at_most(path: str, value: str, most: int) -> None:
    if len(value) > most:
        raise TemplateFailed("too_long", path)
