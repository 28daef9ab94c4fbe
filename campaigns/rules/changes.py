"""What is different between two versions of a rule, condition by condition, in words."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from campaigns.rules.nodes import Group, Rule
from campaigns.rules.sentences import phrase


@dataclass(frozen=True, kw_only=True)
class Changes:
    """The conditions that came and those that went; ``regrouped`` where only how they are joined is different."""

    came: tuple[str, ...]
    went: tuple[str, ...]
    regrouped: bool

    def __bool__(self) -> bool:
        return bool(self.came or self.went or self.regrouped)


def between(old: Rule, new: Rule) -> Changes:
    """Return what the newer rule asks that the older one did not, and the other way round, in the active language."""
    before, after = Counter(_conditions(old)), Counter(_conditions(new))
    came, went = tuple((after - before).elements()), tuple((before - after).elements())
    return Changes(came=came, went=went, regrouped=old != new and not came and not went)


def _conditions(rule: Rule) -> Iterator[str]:
    if isinstance(rule, Group):
        for part in rule.parts:
            yield from _conditions(part)
    else:
        yield phrase(rule)
