"""HTML for mail programs: MJML translated, scripts and trackers out, styles inlined, a text beside it.

This is done once a version, not once a message: what is Liquid is put aside under a name, and put back after. A mark
between tags becomes a comment, which may stand in a table; a mark inside a tag, or one that prints, becomes a word.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape, unescape

import css_inline
import mrml
import nh3

from campaigns.templating.sandbox import MARK, TemplateFailed

# Tags and attributes that mail programs show; nothing that runs, loads a document, or asks for input.
ALLOWED: Mapping[str, str] = {
    "a": "href title target",
    "img": "src alt width height",
    "table": "width height border cellpadding cellspacing align bgcolor",
    "td": "width height align valign bgcolor colspan rowspan",
    "th": "width height align valign bgcolor colspan rowspan",
    "tr": "align valign bgcolor",
    "font": "color face size",
    "ol": "start",
    "hr": "width size",
    **dict.fromkeys(
        (
            *("p", "div", "span", "br", "b", "strong", "i", "em", "u", "s", "sub", "sup", "small", "blockquote", "pre"),
            *("h1", "h2", "h3", "h4", "h5", "h6", "ul", "li", "dl", "dt", "dd", "code", "center", "caption", "col"),
            *("thead", "tbody", "tfoot", "colgroup", "section", "header", "footer", "main", "article"),
        ),
        "",
    ),
}
EVERYWHERE = {"style", "class", "align", "dir", "lang", "role", "aria-label", "aria-hidden"}
STYLES = {
    *("background", "background-color", "border-collapse", "border-radius", "border-spacing", "clear", "color"),
    *(f"border{side}" for side in ("", "-bottom", "-left", "-right", "-top", "-color", "-style", "-width")),
    *(f"{box}{side}" for box in ("margin", "padding") for side in ("", "-bottom", "-left", "-right", "-top")),
    *("direction", "display", "float", "font", "font-family", "font-size", "font-style", "font-variant"),
    *("font-weight", "height", "letter-spacing", "line-height", "list-style", "list-style-type", "max-height"),
    *("max-width", "min-height", "min-width", "opacity", "overflow", "table-layout", "text-align", "text-decoration"),
    *("text-indent", "text-transform", "vertical-align", "visibility", "white-space", "width", "word-break"),
    *("word-spacing", "word-wrap", "mso-hide", "mso-line-height-rule", "mso-padding-alt", "mso-table-lspace"),
    "mso-table-rspace",
}
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
OURS = re.compile(r"<!--zy(\d+)-->|zyw(\d+)x")
STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL | re.IGNORECASE)
# What MJML needs to set columns side by side, and nothing else that looks like it.
COLUMNS = re.compile(
    r"@media only screen and \(min-width:\d{1,4}px\) \{(?: ?\.mj-column-p(?:er|x)-[\d-]{1,12}"
    r" \{ width:[\d.]{1,12}(?:%|px) !important; max-width:[\d.]{1,12}(?:%|px); \} ?)+ ?\}"
)
LOADS = re.compile(r"url\s*\(|expression|@import|\\", re.IGNORECASE)
INLINER = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


@dataclass
class _Aside:
    """The marks of a source that were put aside."""

    marks: list[str] = field(default_factory=list)

    def put(self, mark: str, *, printed: bool) -> str:
        self.marks.append(mark)
        number = len(self.marks) - 1
        return f"zyw{number}x" if printed else f"<!--zy{number}-->"

    def back(self, text: str) -> str:
        return OURS.sub(lambda found: self.marks[int(found[1] or found[2])], text)


def marks(source: str) -> list[tuple[int, int]]:
    """Return where the marks of a measured source begin and end."""
    found, at = [], MARK.search(source)
    while at:
        end = source.index("}}" if at.group() == "{{" else "%}", at.end()) + 2
        found.append((at.start(), end))
        at = MARK.search(source, end)
    return found


def clean(source: str, link: Callable[[str], str]) -> str:
    """Return a body in HTML, with Liquid in it, as it may leave; ``link`` says what stands for each address.

    ``link`` gets an address as it was written (Liquid and all) and returns what is to stand in its place: text with
    Liquid, escaped for an attribute.
    """
    aside = _Aside()
    hidden = _hide(COMMENT.sub("", source) if "<!--" in source else source, aside)
    if STYLE.search(hidden):
        hidden = INLINER.inline(hidden)
    links, failed = _Aside(), list[TemplateFailed]()

    def attribute(tag: str, name: str, value: str) -> str | None:
        told = aside.back(value)
        if tag == "a" and name == "href":
            return links.put(_linked(link, told, failed), printed=True).replace("zyw", "zyl")
        if name in {"src", "href"} and not told.startswith(("https:", "http:", "{{")):
            return None
        if name == "style":
            return ";".join(one for one in value.split(";") if ":" in one and not LOADS.search(aside.back(one)))
        return value

    cleaned = nh3.clean(
        hidden,
        tags=set(ALLOWED),
        clean_content_tags={"script", "style", "title", "head", "object", "iframe", "noscript", "template"},
        attributes={tag: set(names.split()) | EVERYWHERE for tag, names in ALLOWED.items()},
        attribute_filter=attribute,
        strip_comments=False,
        link_rel=None,
        url_schemes={"http", "https", "mailto", "tel"},
        filter_style_properties=STYLES,
    )
    if failed:
        raise failed[0]
    linked = re.sub(r"zyl(\d+)x", lambda found: links.marks[int(found[1])], cleaned)
    return aside.back(COMMENT.sub(lambda found: found[0] if OURS.fullmatch(found[0]) else "", linked))


def _linked(link: Callable[[str], str], url: str, failed: list[TemplateFailed]) -> str:
    """Return what stands for an address; nh3 swallows what its callbacks raise, so that is kept for later."""
    try:
        return link(url)
    except TemplateFailed as one:
        failed.append(one)
        return ""


def from_mjml(source: str) -> tuple[str, str]:
    """Return the HTML of a message in MJML, Liquid and all, and the styles that set its columns side by side."""
    aside = _Aside()
    hidden = _hide(COMMENT.sub("", source), aside)
    if "<mj-include" in hidden.lower():
        raise TemplateFailed("not_mjml", "mj-include")
    try:
        page = mrml.to_html(hidden).content
    except OSError as error:  # mrml's own for whatever it cannot read
        raise TemplateFailed("not_mjml", str(error)[:200]) from error
    columns = " ".join(found[0] for found in COLUMNS.finditer(page))
    return aside.back(page), columns


def page(body: str, *, language: str, preheader: str, styles: str = "") -> str:
    """Return a whole document around a body."""
    style = f"<style>{styles}</style>" if styles else ""
    return (
        f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{style}</head>'
        f'<body style="margin:0;padding:0">{preheader}{body}</body></html>'
    )


def as_text(html: str) -> str:
    """Return HTML, Liquid and all, as a text: the addresses of links stand behind their words."""
    aside = _Aside()
    text = re.sub(r"<!--zy(\d+)-->", r"zyw\1x", _hide(html, aside))
    text = re.sub(r"(?is)<(script|style|head|title)\b.*?</\1>", "", text)
    text = re.sub(r'(?is)<a\b[^>]*?href="([^"]*)"[^>]*>(.*?)</a>', r"\2 (\1)", text)
    text = re.sub(r"(?i)<li\b[^>]*>", "\n- ", text)
    text = re.sub(r"(?i)<(br|/p|/div|/tr|/h[1-6]|/li|/table)\b[^>]*>", "\n", text)
    text = unescape(re.sub(r"<[^<>]*>", "", text))
    lines = (" ".join(line.split()) for line in text.splitlines())
    return aside.back(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip())


def _hide(source: str, aside: _Aside) -> str:
    """Put the marks of a source aside; whether one stands inside a tag is read off the signs before it."""
    parts: list[str] = []
    at, inside, quote = 0, False, ""
    for start, end in marks(source):
        inside, quote = _state(source[at:start], inside=inside, quote=quote)
        parts.append(source[at:start])
        mark = source[start:end]
        parts.append(aside.put(mark, printed=inside or mark.startswith("{{")))
        at = end
    return "".join([*parts, source[at:]])


def _state(text: str, *, inside: bool, quote: str) -> tuple[bool, str]:
    for sign in text:
        if not inside:
            inside = sign == "<"
        elif quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == ">":
            inside = False
    return inside, quote
