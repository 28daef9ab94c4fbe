"""The editor of a template: which fields each channel's form has, and a page's answers read back into forms."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.forms import FormError, kind_of
from crm.models import Channel


@dataclass(frozen=True, kw_only=True)
class Field:
    """One input: its name in the form, its label, and how it is written (line, text, code, json or keys).

    Of a channel with several forms, ``of`` says to which ones it belongs; without, to all.
    """

    name: str
    label: Any
    kind: str = "line"
    hint: Any = ""
    of: str = ""


ALLOWED = _("Those that were read from the platform, and allowed, are offered here.")
BY_TEMPLATE = "template subscription"
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
        Field(name="template_id", label=_("Number of the platform's template"), hint=ALLOWED, of=BY_TEMPLATE),
        Field(name="data", label=_("Values by key"), kind="keys", of=BY_TEMPLATE),
        Field(name="page", label=_("Page of the mini program"), of=BY_TEMPLATE),
        Field(name="title", label=_("Title"), hint=_("64 signs at most."), of="article"),
        Field(name="digest", label=_("Digest"), hint=_("120 signs at most."), of="article"),
        Field(name="html", label=_("Article"), kind="code", of="article"),
        Field(name="text", label=_("Text"), kind="text", of="text service"),
        Field(name="url", label=_("Address"), hint=_("Where a tap leads."), of="template subscription article"),
    ),
    Channel.MINI_PROGRAM: (
        Field(name="template_id", label=_("Number of the platform's template"), hint=ALLOWED, of="template"),
        Field(name="data", label=_("Values by key"), kind="keys", of="template"),
        Field(name="page", label=_("Page of the mini program"), of="template"),
        Field(name="text", label=_("Text"), kind="text", of="service"),
    ),
    Channel.WECOM: (
        Field(
            name="text",
            label=_("Text"),
            kind="text",
            hint=_("The same for everybody: staff see it before they let it go."),
        ),
        Field(name="title", label=_("Title of the link")),
        Field(name="url", label=_("Address"), hint=_("Where a tap leads.")),
        Field(
            name="picture",
            label=_("Picture"),
            hint=_("Its number among the pictures for WeCom; below the text, or the cover of the card."),
        ),
        Field(name="card_appid", label=_("Card: AppID of the mini program")),
        Field(name="card_page", label=_("Card: page")),
        Field(name="card_title", label=_("Card: title"), hint=_("64 bytes at most: 21 Chinese characters.")),
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
# Of a channel with several forms: what they are called, in the order in which they are shown.
SEVERAL_FORMS: Mapping[str, Sequence[tuple[str, Any]]] = {
    Channel.WECHAT: (
        ("template", _("Message by a template")),
        ("subscription", _("Subscription message")),
        ("article", _("Article to many")),
        ("text", _("Text to many")),
        ("service", _("Answer within the window")),
    ),
    Channel.MINI_PROGRAM: (("template", _("Subscription message")), ("service", _("Answer within the window"))),
}
UNTOLD = frozenset({"service", "subscription"})  # what no field of a form gives away (``campaigns.forms.kind_of``)
# The types of keys that the platform has (``campaigns.forms.KEYS``), with what each may hold.
KEY_TYPES: Mapping[str, Any] = {
    "thing": _("text, 20 signs"),
    "phrase": _("phrase, 5 Chinese characters"),
    "name": _("name, 10 Chinese characters or 20 letters"),
    "time": _("time"),
    "date": _("date"),
    "number": _("number"),
    "amount": _("amount of money"),
    "character_string": _("letters, digits and signs, 32"),
    "letter": _("letters, 32"),
    "symbol": _("signs, 5"),
    "phone_number": _("phone number"),
    "car_number": _("number plate"),
    "const": _("constant, 20 signs"),
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
                "is": _form_of(channel, languages.get(code, {})),
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
            {
                "channel": str(channel),
                "title": Channel(channel).label,
                "used": bool(languages),
                "sides": sides,
                "forms": SEVERAL_FORMS.get(channel, ()),
            }
        )
    return found


def _form_of(channel: str, told: Mapping[str, Any]) -> str:
    if channel not in SEVERAL_FORMS:
        return ""
    return kind_of(channel, told).KIND if told else SEVERAL_FORMS[channel][0][0]


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
            if said and (kind := posted.get(f"{channel}.{code}:form", "")) in UNTOLD:
                said["kind"] = kind
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
    if kind not in ("json", "keys"):
        return text.strip() if kind == "line" else text
    try:
        return json.loads(text)
    except ValueError as error:
        raise FormError(path, str(error)) from error
