"""A form is made ready for many people: cleaned, its styles inlined, its links found; what is left is to fill it in."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape, unescape
from uuid import UUID

from liquid import RenderContext
from liquid.filter import with_context
from liquid.template import BoundTemplate
from liquid.undefined import StrictUndefined

from campaigns import forms
from campaigns.forms import Form, Writing
from campaigns.responses import links
from campaigns.templating import cleaning, objects, sandbox, variables
from campaigns.templating.sandbox import TemplateFailed

# An address in a text: written out, perhaps with variables, or one variable that is an address.
ADDRESS = re.compile(
    r"https?://(?:\{\{[^{}]{0,500}\}\}|[^\s<>\"'{}【】，。；！？（）])+|\{\{-?\s*[\w.\[\]-]+\.url\s*-?\}\}"
)
# Keys to a person's own page lead there by themselves: nobody in between needs to see them.
OWN_PAGE = re.compile(r"\{[{%][^{}]*\bunsubscribe\b")
HIDDEN = "display:none;max-height:0;max-width:0;opacity:0;overflow:hidden"


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
        paths |= variables.of_source(source)
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
