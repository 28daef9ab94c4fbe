"""Values of a rule's JSON tree that know where they stand, so that what is wrong with one names its place."""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext as _

MOST_DEEP, MOST_CONDITIONS, MOST_VALUES, LONGEST = 8, 200, 10_000, 200
LARGEST = 10**12  # what a column of money holds
LONGEST_AGO = 36_500  # days


class RuleError(ValueError):
    """A rule says something that is not understood; ``path`` says where, ``reason`` what."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or '·'}: {reason}")
        self.path, self.reason = path, reason


@dataclass(kw_only=True)
class Seen:
    """How many conditions have been read."""

    conditions: int = 0


@dataclass(frozen=True, kw_only=True)
class Place:
    """One value of the tree, its path, and how deep in groups it stands."""

    value: object
    path: str = ""
    depth: int = 0
    seen: Seen = field(default_factory=Seen)

    def wrong(self, reason: str) -> RuleError:
        return RuleError(self.path, reason)

    def keys(self, allowed: Collection[str]) -> dict[str, "Place"]:
        """Return what an object holds; keys that mean nothing are refused, for they were meant to."""
        if not isinstance(self.value, dict):
            raise self.wrong(_("an object was expected"))
        for key in self.value:
            if key not in allowed:
                raise self.wrong(_("“%(key)s” means nothing here") % {"key": str(key)[:50]})
        return {key: self._at(f".{key}" if self.path else key, value) for key, value in self.value.items()}

    def need(self, key: str, allowed: Collection[str]) -> "Place":
        """Return the value of a key that has to be there."""
        found = self.keys(allowed).get(key)
        if found is None:
            raise self.wrong(_("“%(key)s” is missing") % {"key": key})
        return found

    def items(self, most: int, fewest: int = 0) -> Iterator["Place"]:
        if not isinstance(self.value, list | tuple):
            raise self.wrong(_("a list was expected"))
        if not fewest <= len(self.value) <= most:
            told = {"fewest": fewest, "most": most, "found": len(self.value)}
            raise self.wrong(_("%(fewest)s to %(most)s entries were expected, not %(found)s") % told)
        return (self._at(f"[{index}]", value) for index, value in enumerate(self.value))

    def inside(self) -> "Place":
        """Return the same value, one group deeper."""
        if self.depth >= MOST_DEEP:
            raise self.wrong(_("groups may be nested %(most)s deep") % {"most": MOST_DEEP})
        return Place(value=self.value, path=self.path, depth=self.depth + 1, seen=self.seen)

    def count(self) -> None:
        self.seen.conditions += 1
        if self.seen.conditions > MOST_CONDITIONS:
            raise self.wrong(_("a rule may have %(most)s conditions") % {"most": MOST_CONDITIONS})

    def text(self, longest: int = LONGEST) -> str:
        """Return a text that PostgreSQL can hold."""
        if not isinstance(self.value, str):
            raise self.wrong(_("a text was expected"))
        if not self.value or len(self.value) > longest:
            raise self.wrong(_("1 to %(most)s characters were expected") % {"most": longest})
        if "\0" in self.value or any("\ud800" <= one <= "\udfff" for one in self.value):
            raise self.wrong(_("the text has characters that cannot be stored"))
        return self.value

    def one_of(self, options: Collection[str]) -> str:
        if not isinstance(self.value, str) or self.value not in options:
            raise self.wrong(_("one of these was expected: %(options)s") % {"options": ", ".join(options)})
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong(_("true or false was expected"))
        return self.value

    def whole(self, lowest: int, highest: int) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or not lowest <= self.value <= highest:
            told = {"lowest": lowest, "highest": highest}
            raise self.wrong(_("a whole number from %(lowest)s to %(highest)s was expected") % told)
        return self.value

    def number(self, lowest: float = -LARGEST, highest: float = LARGEST) -> Decimal:
        found = self.value
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise self.wrong(_("a number was expected"))
        if isinstance(found, float) and not math.isfinite(found):  # a whole number may be too large for a float
            raise self.wrong(_("a number was expected"))
        if not lowest <= found <= highest:
            told = {"lowest": lowest, "highest": highest}
            raise self.wrong(_("a number from %(lowest)s to %(highest)s was expected") % told)
        return Decimal(str(found))

    def moment(self, *, day_ends: bool = False) -> datetime:
        """Return a moment; a bare date is the beginning of that day here, or its end."""
        text = self.text(40)
        try:
            if len(text) == 10:
                begins = datetime.combine(date.fromisoformat(text), time.min, get_default_timezone())
                return begins + timedelta(days=1) if day_ends else begins
            found = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            raise self.wrong(_("a date like 2026-01-31 was expected")) from None
        found = found if found.tzinfo else found.replace(tzinfo=get_default_timezone())
        if not 1900 <= found.year <= 2200:
            raise self.wrong(_("a date like 2026-01-31 was expected"))
        return found

    def _at(self, step: str, value: object) -> "Place":
        return Place(value=value, path=self.path + step, depth=self.depth, seen=self.seen)
