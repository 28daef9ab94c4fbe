"""What is wrong with a template, before anybody gets it: said in words, at the place where it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from campaigns import forms
from campaigns.forms import EmailForm, Form, FormError, SmsForm
from campaigns.models import TemplateVersion
from campaigns.templating import rendering, sms, variables
from campaigns.templating.objects import VARIABLES
from campaigns.templating.sandbox import TemplateFailed

EXAMPLE_DAY = datetime(2026, 3, 2, 4, tzinfo=UTC)  # a template is tried on a made-up person at a made-up time
CLIPPED = 102_000  # bytes of HTML beyond which Gmail hides the rest
SHOWN_OF_SUBJECT = 78
SAME_FOR_ALL = {"now", "today", "sender.name"}
ALWAYS_THERE = {"now", "today", "sender.name", "unsubscribe.url", "recommendations", "recommendations.*.title"}
WORDS: Mapping[str, Any] = {
    "not_liquid": gettext_lazy("cannot be read as Liquid"),
    "too_long": gettext_lazy("is too long"),
    "too_much": gettext_lazy("does more than a message may"),
    "unknown_variable": gettext_lazy("there is no such variable"),
    "unknown_filter": gettext_lazy("there is no such filter"),
    "missing_value": gettext_lazy("has no value"),
    "not_rendered": gettext_lazy("cannot be filled in"),
    "bad_link": gettext_lazy("is no address of the web"),
    "not_mjml": gettext_lazy("cannot be read as MJML"),
    "not_of_type": gettext_lazy("is more than the platform lets this key hold"),
    "empty": gettext_lazy("is empty"),
    "no_form": gettext_lazy("the template says nothing on this channel"),
    "no_person": gettext_lazy("there is no such person"),
    "same_for_all": gettext_lazy("a message to many is the same for all of them"),
    "no_public_address": gettext_lazy("this server has no public address for links"),
}
# Carriers in China demand that marketing says how it ends.
WAY_OUT = re.compile(r"退订|拒收|回复?[TtRrNn]|unsubscribe|STOP", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong, where (``email.en.subject``), and whether it may be sent all the same."""

    where: str
    code: str
    message: str
    grave: bool = True


def explain(failed: TemplateFailed) -> str:
    """Return in words why a message cannot be written."""
    words = str(WORDS.get(failed.code, failed.code))
    return f"{failed.detail}: {words}" if failed.detail else words


def problems(version: TemplateVersion) -> list[Problem]:
    """Return what is wrong with a version on all its channels and in all its languages, the grave things first."""
    try:
        read = forms.parse(version.forms)
    except FormError as error:
        return [Problem(where=error.path, code="bad_form", message=error.message)]
    found = [
        problem
        for channel, languages in read.items()
        for language, form in languages.items()
        for problem in _of_form(form, f"{channel}.{language}", language, version.fallbacks or {})
    ]
    for channel, languages in read.items():
        found += _languages(channel, set(languages))
        found += _to_many(channel, languages)
    return sorted(found, key=lambda one: not one.grave)


def personal(form: Form) -> set[str]:
    """Return the variables of a form that are not the same for everybody.

    >>> sorted(personal(forms.NoteForm(text="{{ profile.city }} {{ sender.name }}")))
    ['profile.city']
    """
    return {path for source in form.sources() for path in _variables(source) if path not in SAME_FOR_ALL}


def _to_many(channel: str, languages: Mapping[str, Form]) -> Iterator[Problem]:
    """Name what keeps a message from going to many people in one call; all its languages go in the same way."""
    many = {language for language, form in languages.items() if channel in form.BULK}
    for language in sorted(many):
        for path in sorted(personal(languages[language])):
            message = _("%(variable)s: this message goes to many people at once, the same for all") % {"variable": path}
            yield Problem(where=f"{channel}.{language}", code="same_for_all", message=message)
    if len({form.KIND for form in languages.values()}) > 1:
        yield Problem(where=channel, code="mixed", message=_("its languages are messages of different kinds"))


def shown_variables(version: TemplateVersion) -> dict[str, list[str]]:
    """Return the variables that a version shows, each with where; what cannot be read shows none."""
    found: dict[str, list[str]] = {}
    try:
        read = forms.parse(version.forms)
    except FormError:
        return {}
    for channel, languages in read.items():
        for language, form in languages.items():
            for source in form.sources():
                for path in _variables(source):
                    found.setdefault(path, []).append(f"{channel}.{language}.{source.path}")
    return dict(sorted(found.items()))


def _variables(source: forms.Source) -> set[str]:
    try:
        return variables.of_source(source)
    except TemplateFailed:
        return set()


def _of_form(form: Form, where: str, language: str, fallbacks: Mapping[str, object]) -> Iterator[Problem]:
    try:
        parts = rendering.tried(form, language, EXAMPLE_DAY)
    except TemplateFailed as failed:
        yield Problem(where=_place(form, where, failed), code=failed.code, message=explain(failed))
        return
    yield from _without_fallback(form, where, fallbacks)
    if isinstance(form, SmsForm):
        yield from _sms(form, parts["text"], where)
    if isinstance(form, EmailForm):
        yield from _email(form, parts, where)


def _place(form: Form, where: str, failed: TemplateFailed) -> str:
    """Return the field of which a failure speaks, if it speaks of one."""
    path = failed.detail.partition(":")[0]
    return f"{where}.{path}" if path in {source.path for source in form.sources()} else where


def _without_fallback(form: Form, where: str, fallbacks: Mapping[str, object]) -> Iterator[Problem]:
    """Name what some people lack, and what would then fail for them."""
    for source in form.sources():
        for path in sorted(_variables(source)):
            known = path in ALWAYS_THERE or path.endswith((".size", ".first", ".last")) or path in fallbacks
            if known or _is_guarded(path, source.text) or not _has_values(path):
                continue
            yield Problem(
                where=f"{where}.{source.path}",
                code="no_fallback",
                grave=False,
                message=_("%(variable)s: who has none gets no message; give a fallback") % {"variable": path},
            )


def _has_values(path: str) -> bool:
    """Return whether a path ends at a value: the way to one cannot be lacking."""
    parts = path.split(".")
    return any(
        len(known.split(".")) == len(parts) and known.split(".")[0] == parts[0] for known in VARIABLES
    ) and path not in {"profile.attributes", "coupons"}


def _is_guarded(path: str, text: str) -> bool:
    last = re.escape(path.rsplit(".", maxsplit=1)[-1])
    return bool(re.search(rf"{last}\s*\|\s*default\b|\{{%-?\s*(if|unless|elsif|case)\b[^%]*\b{last}\b", text))


def _sms(form: SmsForm, text: str, where: str) -> Iterator[Problem]:
    told = sms.length(text)
    if told.parts > forms.MOST_SMS_PARTS:
        yield Problem(where=f"{where}.text", code="too_long", message=_("no telephone puts so many parts together"))
    elif told.parts > 1:
        message = ngettext("is sent as %(parts)d message", "is sent as %(parts)d messages", told.parts)
        yield Problem(where=f"{where}.text", code="parts", grave=False, message=message % {"parts": told.parts})
    if not form.signature and not text.startswith("【"):
        message = _("carriers in China refuse a message without a signature")
        yield Problem(where=f"{where}.signature", code="no_signature", grave=False, message=message)
    if not WAY_OUT.search(text):
        message = _("says nowhere how to unsubscribe")
        yield Problem(where=f"{where}.text", code="no_way_out", grave=False, message=message)


def _email(form: EmailForm, parts: Mapping[str, Any], where: str) -> Iterator[Problem]:
    if len(parts["html"].encode()) > CLIPPED:
        message = _("mail programs hide what comes after the first 102 kB")
        yield Problem(where=f"{where}.html", code="clipped", grave=False, message=message)
    if len(parts["subject"]) > SHOWN_OF_SUBJECT:
        message = _("mail programs cut it off after about 78 signs")
        yield Problem(where=f"{where}.subject", code="long_subject", grave=False, message=message)
    if "unsubscribe" not in form.html + form.mjml + form.text:
        message = _("says nowhere how to unsubscribe")
        yield Problem(
            where=f"{where}.{'mjml' if form.mjml else 'html'}", code="no_way_out", grave=False, message=message
        )


def _languages(channel: str, there: set[str]) -> Iterator[Problem]:
    for code, name in settings.LANGUAGES:
        if not any(one[:2] == code[:2] for one in there):
            message = _("there is nothing in %(language)s: such people read it in another") % {"language": name}
            yield Problem(where=channel, code="missing_language", grave=False, message=message)
