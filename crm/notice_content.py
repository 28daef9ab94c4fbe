"""What a notice must say to be one, and the digest of all that it says."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from django.utils.translation import gettext as _

from crm.canonical import canonical

NEEDED_TEXTS = ("title", "body", "withdraw")  # PIPL 17: what, and how to take it back
MOST_ITEMS, LONGEST_TEXT = 200, 100_000


def digest(code: str, version: int, *, is_material: bool, items: list[Any], texts: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a notice's canonical JSON: the words, the list of items, its place among versions."""
    whole = {"code": code, "version": version, "material": is_material, "items": items, "texts": texts}
    return sha256(canonical(whole)).hexdigest()


def flaws(items: Any, texts: Any, languages: Iterable[str] = ()) -> dict[str, list[str]]:
    """Return what is missing of a notice, by field; nothing where it may be published."""
    found = {"items": list(_flaws_of_items(items)), "texts": list(_flaws_of_texts(texts, languages))}
    return {field: reasons for field, reasons in found.items() if reasons}


def _flaws_of_items(items: Any) -> Iterable[str]:
    if not isinstance(items, list) or not items or len(items) > MOST_ITEMS:
        yield _("List the purposes, each with its data types, recipients and retention.")
        return
    for place, item in enumerate(items, start=1):
        yield from (f"{place}: {reason}" for reason in _flaws_of_item(item))
    named = [item["purpose"] for item in items if isinstance(item, dict) and isinstance(item.get("purpose"), str)]
    if len(named) != len(set(named)):
        yield _("A purpose is listed twice.")


def _flaws_of_item(item: Any) -> Iterable[str]:
    if not isinstance(item, dict):
        yield _("is not an object")
        return
    if unknown := item.keys() - {"purpose", "data_types", "recipients", "retention_days", "methods"}:
        yield _("has unknown fields: %(fields)s") % {"fields": ", ".join(sorted(map(str, unknown)))}
    if not isinstance(item.get("purpose"), str) or not item["purpose"]:
        yield _("names no purpose")
    if not _texts_in(item.get("data_types")) or not item["data_types"]:
        yield _("names no data types")
    for name in ("recipients", "methods"):
        if name in item and not _texts_in(item[name]):
            yield _("%(field)s must be a list of texts") % {"field": name}
    days = item.get("retention_days")
    if not isinstance(days, int) or isinstance(days, bool) or days <= 0:
        yield _("says not for how many days the data are kept")


def _flaws_of_texts(texts: Any, languages: Iterable[str]) -> Iterable[str]:
    if not isinstance(texts, dict) or not texts:
        yield _("Write title, body and how to withdraw, in one language at least.")
        return
    for language in languages:
        if language not in texts:
            yield _("There is no text in the language %(language)s.") % {"language": language}
    for language, said in texts.items():
        for name in NEEDED_TEXTS:
            text = said.get(name) if isinstance(said, dict) else None
            if not isinstance(text, str) or not text.strip() or len(text) > LONGEST_TEXT:
                yield _("%(language)s: the %(text)s is missing.") % {"language": language, "text": name}


def _texts_in(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) and one for one in value)
