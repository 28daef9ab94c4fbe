"""Everything we hold of a person, in a file she can read and another system can, too (PIPL 45, Net-Data Reg 25).

A section is one line in a table; other packages add theirs through ``PACK_SECTIONS``, so what models say of a person
is in the pack without this package knowing models. Values are as they are, unmasked: the identity was confirmed, a
second person has looked, and the pack is sealed until it is fetched.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from crm import packs, spreadsheets
from crm.carrying_out import Step
from crm.disclosed import accesses, disclosures, hand_offs
from crm.held import consent_history, consents, events, identifiers, merges, profile_facts, relations, requests
from crm.models import PrivacyRequest
from crm.rights import Kind

FORMAT = "zhiyin/person/1"
LANGUAGES = ("en", "zh-hans")
SHOWN = 200  # rows of a section on the page; all are in its CSV and in the JSON

Rows = Iterable[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """One part of the pack: its name for programs, its title for people, and its rows for some profiles.

    ``given`` marks what the person provided or did herself: that alone is hers to take elsewhere.
    """

    name: str
    title: Any
    rows: Callable[[Sequence[int]], Rows]
    given: bool = True
    learned: bool = False


SECTIONS: tuple[Section, ...] = (
    Section(name="profile", title=_("Your facts"), rows=profile_facts),
    Section(name="identifiers", title=_("Your identifiers"), rows=identifiers),
    Section(name="relations", title=_("Your relations"), rows=relations),
    Section(name="merges", title=_("Profiles that are yours"), rows=merges, given=False),
    Section(name="consents", title=_("What you allow today"), rows=consents),
    Section(name="consent_history", title=_("What you allowed and refused"), rows=consent_history),
    Section(name="events", title=_("What you did"), rows=events),
    Section(name="hand_offs", title=_("Messages handed to a provider"), rows=hand_offs, given=False),
    Section(name="disclosures", title=_("Who received data about you"), rows=disclosures, given=False),
    Section(name="accesses", title=_("Who looked at your data"), rows=accesses, given=False),
    Section(name="requests", title=_("Your requests"), rows=requests, given=False),
)


def sections() -> tuple[Section, ...]:
    """Return our sections and those of the packages that the settings name."""
    return SECTIONS + tuple(section for path in settings.PACK_SECTIONS for section in import_string(path))


def wanted(kind: str) -> list[Section]:
    """Return the sections of a kind of request: of portability what was given, of an explanation what was learned."""
    if kind == Kind.PORTABILITY:
        return [section for section in sections() if section.given]
    if kind == Kind.EXPLANATION:
        return [section for section in sections() if section.learned or section.name == "profile"]
    return list(sections())


def build(kind: str, reference: str, profiles: Sequence[int], now: datetime) -> tuple[bytes, dict[str, int]]:
    """Return the pack, a ZIP, and how many rows each section has; the same data give the same bytes.

    ``data.json`` is for programs, ``csv/`` for spreadsheets, ``index.en.html`` and ``index.zh-hans.html`` for people.
    """
    found = {section: [plain(row) for row in section.rows(profiles)] for section in wanted(kind)}
    counts = {section.name: len(rows) for section, rows in found.items()}
    facts = {"format": FORMAT, "request": reference, "kind": kind, "made_at": now.isoformat()}
    data = facts | {section.name: rows for section, rows in found.items()}
    files = {"data.json": json.dumps(data, ensure_ascii=False, indent=1)}
    files |= {f"csv/{section.name}.csv": _csv(rows) for section, rows in found.items()}
    files |= {f"index.{language}.html": _page(language, kind, reference, found, now) for language in LANGUAGES}
    return _zip(files, now), counts


def plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as JSON has it: decimals keep their digits, times their zone.

    >>> from decimal import Decimal
    >>> plain({"price": Decimal("12.50"), "tags": ["a"]})
    {'price': '12.50', 'tags': ['a']}
    """
    return {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [spreadsheets.line(_cell(row.get(name)) for name in names) for row in rows]
    return spreadsheets.MARK + spreadsheets.line(names) + "".join(lines)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def _page(
    language: str, kind: str, reference: str, found: Mapping[Section, Sequence[Mapping[str, Any]]], now: datetime
) -> str:
    with translation.override(language):
        shown = [
            {
                "name": section.name,
                "title": str(section.title),
                "count": len(rows),
                "names": (names := list(dict.fromkeys(name for row in rows[:SHOWN] for name in row))),
                "rows": [[_cell(row.get(name)) for name in names] for row in rows[:SHOWN]],
            }
            for section, rows in found.items()
        ]
        context = {"sections": shown, "kind": Kind(kind), "reference": reference, "now": now, "shown": SHOWN}
        return render_to_string("zhiyin/rights/pack.html", context | {"language": language})


def _zip(files: Mapping[str, str], now: datetime) -> bytes:
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name in sorted(files):
            info = ZipInfo(name, now.timetuple()[:6])
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, files[name])
    return buffer.getvalue()


def _pack(request: PrivacyRequest, now: datetime) -> Mapping[str, Any]:
    content, counts = build(request.kind, str(request.reference), request.profiles, now)
    pack = packs.write(request, content, now)
    return {"rows": counts, "sha256": pack.sha256, "bytes": pack.size}


STEPS = (Step(store="pack", do=_pack),)
