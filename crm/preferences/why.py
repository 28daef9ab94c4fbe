"""Why a person gets what she gets, and who looked: from the sections that other packages add to reply packs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Sum

from crm.merged import Person
from crm.models import PersonalDataAccess
from crm.portability import sections

SHOWN = 12  # rows of each section; a copy of one's data has all


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What models say of the person in one respect: a title, and for each row which model, what, and why."""

    title: Any
    rows: Sequence[Mapping[str, Any]]


def learned(person: Person, language: str) -> list[Learned]:
    """Return scores, segments and recommendations that are kept of the person, the latest first, with their reasons."""
    found = []
    for section in sections():
        if section.learned:
            rows = list(section.rows(person.profile_ids))[-SHOWN:]
            found.append(Learned(title=section.title, rows=[_told(row, language) for row in reversed(rows)]))
    return found


def _told(row: Mapping[str, Any], language: str) -> dict[str, Any]:
    value = row.get("value")
    return {
        "what": _in(row.get("segment"), language) or row.get("item") or "",
        "value": round(float(value), 3) if isinstance(value, int | float) else None,
        "purpose": row.get(f"purpose_{language}") or row.get("purpose_en") or row.get("model"),
        "model": f"{row.get('model')} v{row.get('version')}",
        "as_of": row.get("as_of"),
        "why": _reasons(row.get("because") or row.get("why"), language) or [_in(row.get("description"), language)],
    }


def _reasons(why: Any, language: str) -> list[str]:
    said = why if isinstance(why, list) else [why] if why else []
    return [text for one in said if (text := _in(one, language))]


def _in(text: Any, language: str) -> str:
    """Return a text in a language; of what has none in either, nothing: codes are for programs."""
    if isinstance(text, Mapping):
        return str(text.get(language) or text.get(language.partition("-")[0]) or text.get("en") or "")
    return text if isinstance(text, str) else ""


def looks(person: Person) -> list[dict[str, Any]]:
    """Return how often, and when last, somebody saw or took the person's data unmasked, by what they did."""
    rows = PersonalDataAccess.objects.filter(profile__in=person.profile_ids).values("action")
    counted = rows.annotate(times=Count("pk"), people=Sum("count"), last=Max("at")).order_by("-last")
    labels = dict(PersonalDataAccess.Action.choices)
    return [dict(row) | {"what": labels[row["action"]]} for row in counted]
