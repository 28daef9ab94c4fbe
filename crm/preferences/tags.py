"""The tags and segments that stand for a person: shown to her, and deleted so that nothing gives them back.

Traits are ours; segments are found by models, and whoever finds some is named in ``PREFERENCE_SEGMENTS``: so this
package knows no models. A deletion leaves an objection (:class:`crm.models.TagObjection`), which every writer of
traits (``crm.people``) and of segments asks.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from crm.consent_writing import lock
from crm.merged import Person
from crm.models import Profile, TagObjection
from crm.privacy import masked_attributes

Kind = TagObjection.Kind


@dataclass(frozen=True, kw_only=True)
class Tag:
    """One of them: its kind, the name it is deleted by, and what people read (by language where it has several)."""

    kind: str
    name: str
    title: Any
    text: Any = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.name}"


@dataclass(frozen=True, kw_only=True)
class SegmentSource:
    """Who finds segments: those of some profiles, as tags; and how one, by its name, is forgotten."""

    find: Callable[[Sequence[int]], Iterable[Tag]]
    forget: Callable[[Sequence[int], str], int]


def sources() -> list[SegmentSource]:
    return [import_string(path) for path in settings.PREFERENCE_SEGMENTS]


def tags(person: Person) -> list[Tag]:
    """Return what stands for the person; personal values masked, since the page is opened without a log-in."""
    found: dict[str, Tag] = {}
    for profile in Profile.objects.filter(pk__in=person.profile_ids).order_by("pk"):
        for name, value in profile.told.items():
            ((title, shown),) = masked_attributes({name: value}).items()
            tag = Tag(kind=Kind.TRAIT.value, name=name, title=title.replace("_", " "), text=_read(shown))
            found[tag.key] = tag
    for source in sources():
        found |= {tag.key: tag for tag in source.find(person.profile_ids)}
    return list(found.values())


def delete(person: Person, key: str, now: datetime) -> bool:
    """Delete one tag, or with an empty key all of them, and object to it; False if there was none.

    The objection is of all profiles that are this person now; what joins them later asks theirs (:func:`denied`).
    """
    with transaction.atomic():
        lock(person.profile_ids)
        chosen = [tag for tag in tags(person) if key in ("", tag.key)]
        TagObjection.objects.bulk_create(
            [
                TagObjection(profile_id=profile, kind=tag.kind, name=tag.name[:200], created_at=now)
                for tag in chosen
                for profile in person.profile_ids
            ],
            ignore_conflicts=True,
        )
        _drop({tag.name for tag in chosen if tag.kind == Kind.TRAIT}, person, now)
        for tag in chosen:
            if tag.kind == Kind.SEGMENT:
                for source in sources():
                    source.forget(person.profile_ids, tag.name)
    return bool(chosen)


def _drop(names: set[str], person: Person, now: datetime) -> None:
    if not names:
        return
    for profile in Profile.objects.filter(pk__in=person.profile_ids).order_by("pk"):
        profile.attributes = without(profile.attributes, names)
        profile.traits = without(profile.traits, names)
        profile.updated_at = now
        profile.save()


def without(told: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what is told but for these names.

    >>> without({"plan": "gold", "seats": 3}, ["plan"])
    {'seats': 3}
    """
    left_out = {name[:200] for name in names}
    return {name: value for name, value in told.items() if name[:200] not in left_out}


def _read(value: Any) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "✓" if value else "✗"
        case list():
            return ", ".join(_read(one) for one in value)
        case dict():
            return ", ".join(f"{name}: {_read(one)}" for name, one in value.items())
        case _:
            return str(value)
