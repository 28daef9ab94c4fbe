"""Where one is: the way from the menu to this page, in the menu's own words.

Unfold names the app first, and all of ours but one are one app; and it names rows by ``str``, which is English.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.db.models.options import Options
from django.urls import NoReverseMatch, reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from config.menu import group_of


@dataclass(frozen=True)
class Step:
    """One word of the way, and where it leads; the last is the page itself."""

    title: Any
    link: str = ""


def way(context: Mapping[str, Any]) -> list[Step]:
    """Return the steps to the page that is rendered with a context."""
    found = context.get("original") or context.get("object")
    row = found if isinstance(found, Model) else None
    opts = row._meta if row is not None else context.get("opts") or _opts_of(context)
    if opts is None:
        return _of_own_page(context)
    steps = _of_list(opts)
    if row is not None:
        return [*steps, Step(title_of(row), _address(row._meta, "change", row.pk))]
    return [*steps, Step(_("new"))] if context.get("add") else steps


def title_of(row: Model) -> str:
    """Return what a row is called in the reader's language."""
    found: Any = admin.site._registry.get(type(row))
    return str(found.title_of(row)) if hasattr(found, "title_of") else str(row)


def _of_list(opts: "Options[Any]") -> list[Step]:
    group = group_of(opts.app_label, str(opts.model_name))
    label = f"{opts.app_label}_{opts.model_name}"
    named = next((entry.title for entry in group.entries if entry.model == label), None) if group else None
    section = group.title if group else opts.app_config.verbose_name
    return [Step(section), Step(named or capfirst(opts.verbose_name_plural), _address(opts, "changelist"))]


def _of_own_page(context: Mapping[str, Any]) -> list[Step]:
    """Return the steps to a page that shows no rows of one table: they are those of its entry in the menu."""
    title = context.get("title") or ""
    for group in context.get("sidebar_navigation") or []:
        for item in group["items"]:
            if item["active"] and group["title"]:
                steps = [Step(group["title"]), Step(item["title"], item["link"])]
                known = {str(group["title"]), str(item["title"]), ""}
                return steps if str(title) in known else [*steps, Step(title)]
    return [Step(title)]


def _opts_of(context: Mapping[str, Any]) -> "Options[Any] | None":
    model = getattr(context.get("model_admin"), "model", None)
    return model._meta if model is not None else None


def _address(opts: "Options[Any]", page: str, *args: Any) -> str:
    try:
        return reverse(f"admin:{opts.app_label}_{opts.model_name}_{page}", args=args)
    except NoReverseMatch:
        return ""
