"""A message is written: a version's form on one channel, in the person's language, with what is known of her.

What is the same for everybody is done once (:mod:`campaigns.templating.compiling`): cleaning, styles, links. What a
batch needs is read at once (:meth:`Renderer.prepare`). What is left for each message is to fill in. What cannot be
written for one person raises :class:`TemplateFailed` for that one.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import translation
from liquid import Markup

from campaigns import forms
from campaigns.channels.base import Message
from campaigns.forms import Form, Parts
from campaigns.models import Link, TemplateVersion, Variant
from campaigns.responses import links
from campaigns.templating import objects, sandbox
from campaigns.templating.compiling import Compiled, Tracker, compiled
from campaigns.templating.sandbox import TemplateFailed

if TYPE_CHECKING:
    from campaigns.templating import checking

__all__ = ["Renderer", "TemplateFailed", "compiled", "render"]


@lru_cache(maxsize=256)
def _kept(channel: str, language: str, told: bytes) -> Compiled:
    form = forms.parse({channel: {language: orjson.loads(told)}})[channel][language]
    return compiled(form, language)


class Renderer:
    """Writes the messages of one version on one channel; those of a variant carry links of ours.

    Raises
    ------
    TemplateFailed
        The version says nothing on this channel, or what it says cannot be understood.
    """

    def __init__(self, version: TemplateVersion, variant: Variant | None, channel: str) -> None:
        told = version.forms.get(channel) if isinstance(version.forms, dict) else None
        if not isinstance(told, dict) or not told:
            raise TemplateFailed("no_form", channel)
        try:
            self.forms = {language: _kept(channel, language, orjson.dumps(form)) for language, form in told.items()}
        except forms.FormError as error:
            raise TemplateFailed("bad_form", str(error)) from error
        self.channel, self.variant = channel, variant
        paths: set[str] = set().union(*(form.paths for form in self.forms.values()))
        self.objects = objects.Objects(objects.Needs.of(paths), version.fallbacks or {})
        self.tracked = bool(variant and settings.PUBLIC_URL)
        self.links = self._links() if self.tracked else {}

    def prepare(self, profiles: Sequence[int], now: datetime) -> None:
        """Read what the messages to these people need, in a number of queries that does not grow with them."""
        self.objects.prepare(profiles, now)

    def language(self, profile: int) -> str:
        """Return in which language a person of the batch is written to: hers, or the nearest that there is."""
        wanted = self.objects.profiles[profile].language.lower()
        return nearest(wanted, list(self.forms))

    def message(self, profile: int, delivery: UUID | None) -> Message:
        """Return the message to one person of the batch, not yet addressed; without a delivery nothing is tracked.

        Raises
        ------
        TemplateFailed
            It cannot be written for this person; the others are not concerned.
        """
        if profile not in self.objects.profiles:
            raise TemplateFailed("no_person", str(profile))
        language = self.language(profile)
        form = self.forms[language]
        tracker = Tracker(urls=form.urls, numbers=self.links.get(language, {}), delivery=delivery)
        with translation.override(language):
            seen = self.objects.of(profile, language)
            parts = filled(form, seen, tracker)
        return Message(to="", language=language, parts=parts)

    def _links(self) -> dict[str, dict[int, int]]:
        """Return the numbers of the links by language and position; they are written down once."""
        assert self.variant is not None  # noqa: S101
        rows = [
            Link(variant=self.variant, channel=self.channel, language=language, position=position, url=url)
            for language, form in self.forms.items()
            for position, url in enumerate(form.urls)
        ]
        held = Link.objects.filter(variant=self.variant, channel=self.channel)
        if held.count() < len(rows):
            Link.objects.bulk_create(rows, ignore_conflicts=True)
        found: dict[str, dict[int, int]] = {}
        for pk, language, position in held.values_list("pk", "language", "position"):
            found.setdefault(language, {})[position] = pk
        return found


def filled(form: Compiled, seen: Mapping[str, object], tracker: Tracker) -> Parts:
    """Return the parts of a message: each source rendered with the same objects."""
    pixel = ""
    if tracker.delivery is not None and settings.PUBLIC_URL:
        address = escape(links.pixel(tracker.delivery))
        pixel = f'<img src="{address}" width="1" height="1" alt="" style="display:block;border:0">'
    told = {**seen, "_zy": tracker, "_zy_pixel": Markup(pixel)}

    def render_(path: str) -> str:
        template = form.templates.get(path)
        return sandbox.rendered(template, told) if template else ""

    with sandbox.one_message():
        return form.form.parts(render_)


def nearest(wanted: str, there: Sequence[str]) -> str:
    """Return the language of those that there are which is nearest to the wanted one.

    >>> nearest("zh-cn", ["en", "zh-hans"]), nearest("en-gb", ["zh-hans", "en"]), nearest("", ["fr"])
    ('zh-hans', 'en', 'fr')
    """
    default = settings.LANGUAGE_CODE
    choices: list[str] = [wanted, *(one for one in there if wanted and one[:2] == wanted[:2]), default, *there]
    return next(one for one in choices if one in there)


def render(
    version: TemplateVersion, channel: str, profile_id: int, *, delivery: UUID | None = None, now: datetime
) -> Message:
    """Return one message, as a preview shows it."""
    renderer = Renderer(version, None, channel)
    renderer.prepare([profile_id], now)
    return renderer.message(profile_id, delivery)


def tried(form: Form, language: str, now: datetime) -> Parts:
    """Return a message to nobody, with a value for everything; :class:`TemplateFailed` as for people."""
    ready = compiled(form, language)
    seen: dict[str, Any] = objects.example(objects.Needs.of(set(ready.paths)), now)
    with translation.override(language):
        return filled(ready, seen, Tracker(urls=ready.urls))


def check(version: TemplateVersion) -> "list[checking.Problem]":
    """Return what is wrong with a version; see :mod:`templating.checking`, which tries it on a made-up person."""
    from campaigns.templating import checking  # noqa: PLC0415 (it renders)

    return checking.problems(version)
