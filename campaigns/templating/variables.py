"""Which variables a template names, and which there are at all: what is not known is refused before it is sent."""

from collections.abc import Sequence

from liquid.static_analysis import Variable

from campaigns import forms
from campaigns.forms import Writing
from campaigns.templating import objects, sandbox
from campaigns.templating.filters import FILTERS
from campaigns.templating.sandbox import TemplateFailed


def of_source(source: forms.Source) -> set[str]:
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
