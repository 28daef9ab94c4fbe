"""Forms are read from JSON at the edge: one frozen form for each channel and language."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from django.utils.translation import gettext as _

from campaigns.forms.base import Form, FormError
from campaigns.forms.plain import EmailForm, NoteForm, SmsForm, WebhookForm
from campaigns.forms.wechat import (
    ArticleForm,
    MassTextForm,
    ServiceForm,
    StaffForm,
    SubscriptionForm,
    TemplateMessageForm,
)

KINDS: Sequence[type[Form]] = (
    *(EmailForm, SmsForm, TemplateMessageForm, SubscriptionForm, ArticleForm, MassTextForm, ServiceForm),
    *(WebhookForm, NoteForm, StaffForm),
)
FORMS: Mapping[str, Sequence[type[Form]]] = {
    channel: [form for form in KINDS if channel in form.CHANNELS] for kind in KINDS for channel in kind.CHANNELS
}


def kind_of(channel: str, told: Mapping[str, Any]) -> type[Form]:
    """Return which of a channel's forms a JSON is: the one that it names, or the one that its fields tell.

    >>> [kind_of("wechat", told).__name__ for told in ({"template_id": "x"}, {"html": "x"}, {"text": "x"})]
    ['TemplateMessageForm', 'ArticleForm', 'MassTextForm']
    """
    there = {form.KIND: form for form in FORMS[channel]}
    if "template_id" in told:
        wanted: tuple[str, ...] = ("template",)
    else:
        wanted = ("article", "template") if {"html", "title"} & set(told) else ("text", "service", "note")
    named = [told["kind"]] if isinstance(told.get("kind"), str) else wanted
    return next((there[kind] for kind in named if kind in there), FORMS[channel][0])


def bulk(channel: str, languages: object) -> bool:
    """Tell whether what a version says on a channel goes to many people in one call.

    >>> bulk("wechat", {"en": {"text": "Hello"}}), bulk("email", {"en": {"text": "Hello"}}), bulk("wecom", None)
    (True, False, False)
    """
    if not isinstance(languages, dict) or not languages or channel not in FORMS:
        return False
    said = next(iter(languages.values()))
    return isinstance(said, dict) and channel in kind_of(channel, said).BULK


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
    kind = kind_of(channel, told)
    if "kind" in told and told["kind"] != kind.KIND:
        raise FormError(f"{path}.kind", _("is not known"))
    told = {name: value for name, value in told.items() if name != "kind"}
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
