"""Whose data are meant: the profiles and, while they can still be read, the names by which others mention them."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from crm.models import Identifier, PrivacyRequest, Profile
from crm.normal import normal

SHORT = 6  # a shorter name is looked for as a whole value only: "12" is part of every second text
NATIONAL = 8  # the last digits of a phone, which texts give with and without its country


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person to be erased, by profile numbers and by (type, normal value) of each identifier."""

    profiles: tuple[int, ...]
    names: frozenset[tuple[str, str]]
    called: frozenset[str] = frozenset()  # what people call her, which others are called, too

    def __bool__(self) -> bool:
        return bool(self.profiles)

    def mentioned_in(self, text: str) -> bool:
        """Tell whether a text names the person: JSON by its values, any other by what stands in it.

        >>> zhang = Subject(profiles=(1,), names=frozenset({("phone", "+8613800138000"), ("external_id", "u-7")}))
        >>> zhang.mentioned_in('{"userId": "u-7"}'), zhang.mentioned_in('{"userId": "u-77"}')
        (True, False)
        >>> zhang.mentioned_in("call me at 138 0013 8000 tonight"), zhang.mentioned_in("order 12")
        (True, False)
        """
        if not self.names or not text:
            return False
        return any(self._is_named_by(value) for value in _values(text))

    def meant_in(self, text: str) -> bool:
        """Tell whether a text that is about the person anyway says who she is, be it by her plain name."""
        return self.mentioned_in(text) or any(name in text for name in self.called)

    def _is_named_by(self, value: str) -> bool:
        flat = unicodedata.normalize("NFKC", value).casefold()
        digits = re.sub(r"\D", "", flat)
        return any(self._names(type_, name, value, flat, digits) for type_, name in self.names)

    @staticmethod
    def _names(type_: str, name: str, value: str, flat: str, digits: str) -> bool:
        if len(value) <= len(name) + 64 and normal(type_, value) == name:
            return True
        if type_ == "phone":
            own = re.sub(r"\D", "", name)
            return len(own) >= NATIONAL and own[-11:] in digits
        return len(name) >= SHORT and name.casefold() in flat


def subject_of(request: PrivacyRequest) -> Subject:
    """Return whom a request means; without names once the person's row is gone."""
    ids = tuple(sorted(request.profiles))
    held = Identifier.objects.filter(profile__in=ids)
    return Subject(
        profiles=ids,
        names=frozenset((one.type, normal(one.type, one.value)) for one in held),
        called=frozenset(one.name for one in Profile.objects.filter(pk__in=ids) if one.name),
    )


def _values(text: str) -> Iterator[str]:
    """Yield every text and number of a JSON document, names of fields too; a text that is none, whole."""
    try:
        stack: list[Any] = [orjson.loads(text)]
    except orjson.JSONDecodeError:
        yield text
        return
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            stack.extend(found)
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
        elif isinstance(found, str | int | float) and not isinstance(found, bool):
            yield str(found)
