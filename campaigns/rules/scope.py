"""Of whom a statement speaks: everybody or some, each person with the profiles that were merged into her."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from campaigns.rules.nodes import Rule
from crm.copying import int_array
from crm.merging import canonical_ids, members_of
from crm.models import Profile, ProfileAlias

MOST_INLINED = 20_000  # merges; with more, one copy is read by all conditions


@dataclass(kw_only=True)
class Parameters:
    """The values of a statement; nothing that a user wrote stands in its text."""

    values: dict[str, Any] = field(default_factory=dict)

    def add(self, value: object, type_: str = "") -> str:
        """Return what stands for the value in the statement."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"%({name})s::{type_}" if type_ else f"%({name})s"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which profiles are read as which persons; ``only`` restricts a statement to some persons.

    ``pairs`` has an entry for each profile that is read as another; in a restricted scope, for each profile at all.
    """

    pairs: Mapping[int, int]
    only: Collection[int] | None = None
    hidden: Collection[int] = ()  # persons with a restricted profile among those that were merged into them

    @property
    def table(self) -> str:
        """The common table of profiles and persons; a statement on some may also have to read everybody."""
        return "merged" if self.only is None else "member"

    @property
    def has_members(self) -> bool:
        return bool(self.pairs) or self.only is not None

    def common_table(self, parameters: Parameters) -> str:
        """Return the definition of the table: a profile, and the person as whom it is read.

        Grouped, since the planner then knows that a profile stands there once; of an array it takes a tenth for equal,
        and would rather hash millions of events than ten thousand merges.
        """
        ids, persons = (parameters.add(int_array(side)) for side in (self.pairs.keys(), self.pairs.values()))
        pairs = f"unnest({ids}::bigint[], {persons}::bigint[]) AS u (id, person)"
        if self.only is not None:
            return f"{self.table} (id, person) AS NOT MATERIALIZED (SELECT * FROM {pairs})"
        how = "NOT MATERIALIZED" if len(self.pairs) <= MOST_INLINED else "MATERIALIZED"
        return f"{self.table} (id, person) AS {how} (SELECT id, min(person) FROM {pairs} GROUP BY id)"

    def join(self, column: str, name: str = "m") -> str:
        """Return the join that finds the person of a profile; nothing where every profile is its own person."""
        if not self.has_members:
            return ""
        kind = "LEFT JOIN" if self.only is None else "JOIN"
        return f"{kind} {self.table} {name} ON {name}.id = {column}"

    def person(self, column: str, name: str = "m") -> str:
        if not self.has_members:
            return column
        return f"coalesce({name}.person, {column})" if self.only is None else f"{name}.person"


class Making(Protocol):
    """A statement while it is made, as conditions see it."""

    scope: Scope
    now: datetime
    parameters: Parameters

    def everybody(self) -> Scope: ...

    def nested(self, rule: Rule) -> str: ...


def everybody() -> Scope:
    """Return the scope of all persons, with the merges of this moment."""
    step = dict(ProfileAlias.objects.filter(undone_at=None).values_list("duplicate_id", "canonical_id"))
    pairs = {duplicate: _end(duplicate, step) for duplicate in step}
    return Scope(pairs=pairs, hidden=_hidden(pairs))


def these(persons: Collection[int]) -> Scope:
    """Return the scope of some profiles; those that are read as another one are no persons, and left out."""
    roots = canonical_ids(persons)
    persons = [person for person in persons if roots[person] == person]
    pairs = {member: person for person, members in members_of(persons).items() for member in members}
    return Scope(pairs=pairs, only=frozenset(persons), hidden=_hidden(pairs))


def _hidden(pairs: Mapping[int, int]) -> set[int]:
    restricted = Profile.objects.filter(restricted_at__isnull=False).values_list("pk", flat=True) if pairs else ()
    return {pairs[pk] for pk in restricted if pk in pairs}


def _end(profile: int, step: Mapping[int, int]) -> int:
    seen = {profile}
    while (following := step.get(profile)) is not None and following not in seen:
        profile = following
        seen.add(profile)
    return profile
