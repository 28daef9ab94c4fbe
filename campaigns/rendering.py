"""A message is written: a version's form on one channel, in the person's language, with what is known of her.

What is the same for everybody is done once (:func:`compiled`): cleaning, styles, links. What a batch needs is read at
once (:meth:`Renderer.prepare`). What is left for each message is to fill in. What cannot be written for one person
raises :class:`TemplateFailed` for that one.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from html import escape, unescape
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import translation
from liquid import Markup, RenderContext
from liquid.filter import with_context
from liquid.static_analysis import Variable
from liquid.template import BoundTemplate
from liquid.undefined import StrictUndefined

from campaigns import cleaning, forms, links, objects, sandbox
from campaigns.channels.base import Message
from campaigns.filters import FILTERS
from campaigns.forms import Form, Parts, Writing
from campaigns.models import Link, TemplateVersion, Variant
from campaigns.sandbox import TemplateFailed

if TYPE_CHECKING:
    from campaigns import checking

# An address in a text: written out, perhaps with variables, or one variable that is an address.
ADDRESS = re.compile(
    r"https?://(?:\{\{[^{}]{0,500}\}\}|[^\s<>\"'{}【】，。；！？（）])+|\{\{-?\s*[\w.\[\]-]+\.url\s*-?\}\}"
)
# Keys to a person's own page lead there by themselves: nobody in between needs to see them.
OWN_PAGE = re.compile(r"\{[{%][^{}]*\bunsubscribe\b")
HIDDEN = "display:none;max-height:0;max-width:0;opacity:0;overflow:hidden"
__all__ = ["Renderer", "TemplateFailed", "compiled", "render"]


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """What becomes of the addresses of one message: tokens of ours in a delivery, themselves in a preview."""

    urls: Sequence[str]
    numbers: Mapping[int, int] = field(default_factory=dict)
    delivery: UUID | None = None

    def __str__(self) -> str:
        return ""

    def address(self, told: str, position: int) -> str:
        """Return what stands for the link at a position; ``told`` is its address, if it holds variables."""
        url = told.strip() if told else self.urls[position]
        if not objects.web_address(url):
            raise TemplateFailed("bad_link", url[:200])
        if self.delivery is None or position not in self.numbers:
            return url
        return links.address(self.delivery, self.numbers[position], url if told else "")


@with_context
def _link(told: object, position: object, *, context: RenderContext) -> str:
    tracker: Tracker = context.globals["_zy"]  # type: ignore[assignment]  # put there by ``Renderer``
    text = unescape(str(told)) if context.autoescape else str(told)
    return tracker.address(text, int(str(position)))


def _tracking(*, escape: bool) -> sandbox.Sandbox:
    made = sandbox.Sandbox(autoescape=escape, undefined=StrictUndefined)
    made.add_filter("zy_link", _link)
    return made


# Sources are read with the plain ones first; only what we put in between may name the filter of links.
TRACKING = {writes_html: _tracking(escape=writes_html) for writes_html in (True, False)}


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A form that is ready to be filled in, by path; the addresses of its links, by position; what it shows."""

    form: Form
    templates: Mapping[str, BoundTemplate]
    urls: Sequence[str]
    paths: frozenset[str]


@dataclass
class _Links:
    """The addresses met so far."""

    urls: list[str] = field(default_factory=list)

    def replace(self, url: str, *, quoted: Callable[[str], str]) -> str:
        """Return the Liquid that stands for an address; what needs no tracking stays as it is."""
        url = url.strip()
        held = _outside_marks(url, quoted)
        if OWN_PAGE.search(url) or url.startswith(("mailto:", "tel:", "#")):
            return held
        position = len(self.urls)
        self.urls.append(url)
        if not sandbox.MARK.search(url):
            if not objects.web_address(url):
                raise TemplateFailed("bad_link", url[:200])
            return f'{{{{ "" | zy_link: {position} }}}}'
        return f"{{% capture zy_url %}}{held}{{% endcapture %}}{{{{ zy_url | zy_link: {position} }}}}"


def _outside_marks(source: str, change: Callable[[str], str]) -> str:
    """Change the text of a source, and none of its marks."""
    parts, at = [], 0
    for start, end in cleaning.marks(source):
        parts += [change(source[at:start]), source[start:end]]
        at = end
    return "".join([*parts, change(source[at:])])


def compiled(form: Form, language: str) -> Compiled:
    """Return a form that is ready; :class:`TemplateFailed` names what of it cannot be understood."""
    sources = {source.path: source for source in form.sources()}
    paths: set[str] = set()
    for source in sources.values():
        paths |= variables(source)
    found, templates = _Links(), {}
    html = ""
    for path, source in sources.items():
        if source.writing in {Writing.HTML, Writing.MJML}:
            html = _body(source, found)
            text = _page(form, html, language)
        elif source.writing in {Writing.TEXT, Writing.URL}:
            text = ADDRESS.sub(lambda met: found.replace(met[0], quoted=str), source.text)
        else:
            text = source.text
        writes_html = source.writing in {Writing.HTML, Writing.MJML}
        templates[path] = sandbox.measured(text, TRACKING[writes_html])
    if html and isinstance(form, forms.EmailForm) and not form.text:
        templates["text"] = sandbox.measured(cleaning.as_text(html), TRACKING[False])
    return Compiled(form=form, templates=templates, urls=tuple(found.urls), paths=frozenset(paths))


def _body(source: forms.Source, found: _Links) -> str:
    html, styles = source.text, ""
    if source.writing is Writing.MJML:
        html, styles = cleaning.from_mjml(html)
    body = cleaning.clean(html, lambda url: found.replace(url, quoted=escape))
    return f"<style>{styles}</style>{body}" if styles else body


def _page(form: Form, html: str, language: str) -> str:
    if not isinstance(form, forms.EmailForm):
        return html
    styles, _end, body = html.rpartition("</style>")
    said = _outside_marks(form.preheader, escape)
    preheader = f'<div style="{HIDDEN}">{said}</div>' if said else ""
    return cleaning.page(
        body + "{{ _zy_pixel }}", language=language, preheader=preheader, styles=styles.removeprefix("<style>")
    )


def variables(source: forms.Source) -> set[str]:
    """Return the variables of a source, as ``profile.city``; a star stands for a place, or what is worked out.

    Raises
    ------
    TemplateFailed
        It cannot be read, or names a variable or filter that there is not.
    """
    html = source.writing in {Writing.HTML, Writing.MJML}
    try:
        analysis = sandbox.parsed(source.text, escape=html).analyze(include_partials=False)
    except TemplateFailed as failed:
        raise TemplateFailed(failed.code, f"{source.path}: {failed.detail}") from failed
    for name in analysis.filters:
        if name not in FILTERS:
            raise TemplateFailed("unknown_filter", f"{source.path}: {name}")
    locals_ = {str(one[0].segments[0]) for one in analysis.locals.values()}
    if any(name.startswith(("zy_", "_")) for name in locals_):
        raise TemplateFailed("unknown_variable", f"{source.path}: {sorted(locals_)[0]}")
    found = {path for met in analysis.globals.values() for one in met for path in [_path(one)]}
    for path in found:
        if not is_known(path):
            raise TemplateFailed("unknown_variable", f"{source.path}: {path}")
    return found


def _path(variable: Variable) -> str:
    segments = [one if isinstance(one, str) else "*" for one in variable.segments]
    return ".".join(segments)


def is_known(path: str) -> bool:
    """Return whether a template may name a variable; ``size``, ``first`` and ``last`` are Liquid's own.

    >>> is_known("profile.city"), is_known("profile.score"), is_known("recommendations.first.title"), is_known("nobody")
    (True, False, True, False)
    """
    parts = path.split(".")
    if parts[-1] == "size" and len(parts) > 1:
        parts = parts[:-1]
    if parts in (["today"], ["now"]):
        return True
    return any(_fits(parts, known.split(".")) for known in objects.VARIABLES)


def _fits(parts: Sequence[str], known: Sequence[str]) -> bool:
    if len(parts) > len(known):
        return False
    return all(mine in (one, "*") or one == "*" for mine, one in zip(parts, known, strict=False))


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
    """Return what is wrong with a version; see :mod:`campaigns.checking`, which tries it on a made-up person."""
    from campaigns import checking  # noqa: PLC0415 (it renders)

    return checking.problems(version)
