"""The editor of a template: which fields each channel's form has, and a page's answers read back into forms."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.forms import FormError
from crm.models import Channel


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input: its name in the form, its label, and how it is written (line, text, code or json)."""

    name: str
    label: Any
    kind: str = "line"
    hint: Any = ""


FIELDS: Mapping[str, Sequence[Field]] = {
    Channel.EMAIL: (
        Field(name="subject", label=_("Subject line")),
        Field(name="preheader", label=_("Preview line"), hint=_("What lists of mails show beside the subject.")),
        Field(name="mjml", label="MJML", kind="code"),
        Field(name="html", label="HTML", kind="code", hint=_("Cleaned, and its styles inlined. Or MJML, not both.")),
        Field(name="text", label=_("Text"), kind="text", hint=_("Empty: made of the HTML.")),
    ),
    Channel.SMS: (
        Field(name="signature", label=_("Signature"), hint=_("Put into 【】 before the text.")),
        Field(name="text", label=_("Text"), kind="text"),
    ),
    Channel.WECHAT: (
        Field(name="template_id", label=_("Number of the platform's template"), hint=_("Empty: an article.")),
        Field(name="data", label=_("Values by key"), kind="json", hint='{"thing1": "{{ profile.city }}"}'),
        Field(name="page", label=_("Page of the mini program")),
        Field(name="title", label=_("Title of the article")),
        Field(name="digest", label=_("Digest of the article")),
        Field(name="html", label=_("Article"), kind="code"),
        Field(name="url", label=_("Address")),
    ),
    Channel.WEBHOOK: (
        Field(name="body", label=_("JSON document"), kind="json", hint='{"city": "{{ profile.city }}"}'),
    ),
    Channel.APP: (
        Field(name="title", label=_("Title")),
        Field(name="text", label=_("Text"), kind="text"),
        Field(name="url", label=_("Address")),
    ),
}
LANGUAGES = tuple(settings.LANGUAGES)


@dataclass(frozen=True, kw_only=True)
class Filled:
    """An input with what stands in it."""

    field: Field
    name: str
    value: str


def panels(told: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the inputs by channel and language, filled with what forms say."""
    found = []
    for channel, fields in FIELDS.items():
        languages = told.get(channel, {})
        sides = [
            {
                "language": code,
                "title": name,
                "filled": code in languages,
                "inputs": [
                    Filled(
                        field=one,
                        name=f"{channel}.{code}.{one.name}",
                        value=_shown(languages.get(code, {}).get(one.name, "")),
                    )
                    for one in fields
                ],
            }
            for code, name in LANGUAGES
        ]
        found.append(
            {"channel": str(channel), "title": Channel(channel).label, "used": bool(languages), "sides": sides}
        )
    return found


def read(posted: Mapping[str, str]) -> dict[str, Any]:
    """Return the forms that a page tells; an input that is empty says nothing.

    Raises
    ------
    FormError
        A JSON document cannot be read.
    """
    told: dict[str, Any] = {}
    for channel, fields in FIELDS.items():
        for code, _name in LANGUAGES:
            said = {
                one.name: _value(f"{channel}.{code}.{one.name}", text, one.kind)
                for one in fields
                if (text := posted.get(f"{channel}.{code}.{one.name}", "").replace("\r\n", "\n")).strip()
            }
            if said:
                told.setdefault(str(channel), {})[code] = said
    return told


def read_fallbacks(text: str) -> dict[str, str]:
    """Return fallbacks, one a line: ``profile.city = your city``.

    >>> read_fallbacks("profile.city = your city\\n\\nprofile.name=friend")
    {'profile.city': 'your city', 'profile.name': 'friend'}
    """
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _sign, value in lines if name.strip() and value.strip()}


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def _value(path: str, text: str, kind: str) -> Any:
    if kind != "json":
        return text.strip() if kind == "line" else text
    try:
        return json.loads(text)
    except ValueError as error:
        raise FormError(path, str(error)) from error
