"""Which sets hold everybody whom a rule can describe, if any do: a count can begin with them."""

from dataclasses import dataclass

from campaigns.rules import sets
from campaigns.rules.nodes import Bucket, Group, OfProfile, Rule
from campaigns.rules.scope import Making


@dataclass(frozen=True, kw_only=True)
class Cover:
    """Sets that together are exactly those whom a part of the rule describes; the others are conditions on them."""

    rule: Rule
    sets: tuple[str, ...]


def asks_rows(rule: Rule) -> bool:
    """Return whether a rule asks something of the person's own row."""
    if isinstance(rule, Group):
        return any(asks_rows(part) for part in rule.parts)
    return isinstance(rule, OfProfile)


def of(rule: Rule, made: Making) -> Cover | None:
    """Return the first cover that a rule has: of *all* any part's will do, of *any* every part needs one of its own."""
    if not isinstance(rule, Group):
        return _of_condition(rule, made)
    if rule.mode == "all":
        return next((found for part in rule.parts if (found := of(part, made)) is not None), None)
    if rule.mode == "none" or not rule.parts or any(isinstance(part, Group) for part in rule.parts):
        return None
    covers = [_of_condition(part, made) for part in rule.parts]
    return Cover(rule=rule, sets=tuple(one for cover in covers if cover for one in cover.sets)) if all(covers) else None


def _of_condition(rule: Rule, made: Making) -> Cover | None:
    if isinstance(rule, Group | OfProfile | Bucket):
        return None
    found = sets.of(rule, made)
    return None if found.sql is None or found.opposite else Cover(rule=rule, sets=(found.sql,))
