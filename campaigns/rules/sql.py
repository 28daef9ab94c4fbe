"""A rule becomes one statement: the profiles that are kept and may be used, and of each condition who fulfils it.

Conditions on the person herself are tests of her row. All others are sets of persons, joined from the left, of which
the planner makes inner joins and anti-joins where the rule allows it: nothing is ever asked person by person, however
all, any and none are nested. Where a rule asks nothing of the person's row and one of its sets holds everybody whom it
can describe, a count begins with that set and leaves the table of persons alone (:meth:`Statement.counted`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatchmethod

from campaigns.rules import conditions, covers, sets
from campaigns.rules.fields import ATTRIBUTES, PROFILE
from campaigns.rules.nodes import Bucket, Condition, Group, OfProfile, Rule, Test
from campaigns.rules.scope import Parameters, Scope, everybody
from crm.copying import int_array

JOINED = {"all": " AND ", "any": " OR ", "none": " OR "}
EMPTY = {"all": "TRUE", "any": "FALSE", "none": "FALSE"}
# The first 52 bits of SHA-256 of "salt:id", as a share of 2^52: any language can check who is in.
BUCKET = (
    "('x' || left(encode(sha256(convert_to({salt}::text || ':' || p.id::text, 'UTF8')), 'hex'), 13))::bit(52)::bigint"
)


@dataclass(kw_only=True)
class Statement:
    """A statement while it is made, of a rule that names no other (``campaigns.rules.references.resolved``)."""

    scope: Scope
    now: datetime
    parameters: Parameters = field(default_factory=Parameters)
    joins: list[str] = field(default_factory=list)
    known: dict[Condition, str] = field(default_factory=dict)
    granted: Rule | None = None  # what holds of everybody of whom the statement speaks
    others: Scope | None = None  # everybody, where a statement on some people asks whom they are related to

    def of(self, rule: Rule) -> str:
        """Return the statement of a rule; its one column is ``id``."""
        return self._people(self.condition(rule))

    def text(self, rule: Rule) -> str:
        """Return the whole statement, with what it says of merged profiles."""
        return self._whole(self.of(rule))

    def counted(self, rule: Rule) -> str:
        """Return a statement of as many, whoever they are: who was erased within the last seconds may be among them."""
        cover = None if self.scope.only is not None or covers.asks_rows(rule) else covers.of(rule, self)
        if cover is None:
            return self.text(rule)
        self.granted = cover.rule
        condition = self.condition(rule)
        people = " UNION ".join(cover.sets)
        absent = "SELECT r.id FROM crm_profile r WHERE r.restricted_at IS NOT NULL"
        if others := self._others():
            absent += f" UNION ALL SELECT unnest({self.parameters.add(int_array(others))}::bigint[])"
        return self._whole(
            f"SELECT p.id FROM ({people}) AS p {' '.join(self.joins)}"
            f" WHERE NOT EXISTS (SELECT FROM ({absent}) AS r (id) WHERE r.id = p.id) AND {condition}"
        )

    def _whole(self, body: str) -> str:
        scopes = [scope for scope in (self.scope, self.others) if scope is not None and scope.has_members]
        tables = ", ".join(scope.common_table(self.parameters) for scope in scopes)
        return f"WITH {tables}\n{body}" if tables else body

    def condition(self, rule: Rule) -> str:
        if rule is self.granted:
            return "TRUE"
        if isinstance(rule, Group):
            parts = [self.condition(part) for part in rule.parts]
            joined = f"({JOINED[rule.mode].join(parts)})" if parts else EMPTY[rule.mode]
            return f"NOT {joined}" if rule.mode == "none" else joined
        if rule not in self.known:
            self.known[rule] = self._condition(rule)
        return self.known[rule]

    def nested(self, rule: Rule) -> str:
        """Return a statement of everybody whom a rule inside a condition describes."""
        inner = Statement(scope=self.everybody(), now=self.now, parameters=self.parameters)
        return inner.of(rule)

    def everybody(self) -> Scope:
        if self.scope.only is None:
            return self.scope
        self.others = self.others or everybody()
        return self.others

    def _people(self, condition: str) -> str:
        # The names below are ours; whatever a user wrote is a parameter.
        joins = "\n".join(self.joins)
        usable = ["p.restricted_at IS NULL"]
        if self.scope.only is not None:
            usable.append(f"p.id = ANY ({self.parameters.add(int_array(self.scope.only))}::bigint[])")
        if others := self._others():  # a constant array, which PostgreSQL hashes: no join whose size it has to guess
            usable.append(f"p.id <> ALL ({self.parameters.add(int_array(others))}::bigint[])")
        where = "\n  AND ".join([*usable, condition])
        return f"SELECT p.id FROM crm_profile p\n{joins}\nWHERE {where}"

    def _others(self) -> set[int]:
        """Return the profiles that are read as another person, and the persons of whom a profile is restricted."""
        return {*self.scope.hidden, *(pk for pk, person in self.scope.pairs.items() if pk != person)}

    @singledispatchmethod
    def _condition(self, rule: Condition) -> str:
        """Join the set of persons who fulfil a condition, and say that somebody is in it."""
        found = sets.of(rule, self)
        if found.sql is None:
            return "TRUE" if found.opposite else "FALSE"
        name = f"s{len(self.joins)}"
        self.joins.append(f"LEFT JOIN ({found.sql}) AS {name} ON {name}.id = p.id")
        return f"{name}.id IS NULL" if found.opposite else f"{name}.id IS NOT NULL"

    @_condition.register
    def _(self, rule: OfProfile) -> str:
        return conditions.opposed(rule.test, lambda test: self._of_profile(rule.field, test))

    @_condition.register
    def _(self, rule: Bucket) -> str:
        low, high = (self.parameters.add(int(share * 2**52), "bigint") for share in (rule.from_, rule.until))
        place = BUCKET.format(salt=self.parameters.add(rule.salt))
        return f"({place} >= {low} AND {place} < {high})"

    def _of_profile(self, name: str, test: Test) -> str:
        if name.startswith(ATTRIBUTES):
            return conditions.of_json("p.attributes", name.removeprefix(ATTRIBUTES), test, self.parameters)
        column = f"p.{PROFILE[name].name}"
        match PROFILE[name].type:
            case "number":
                return f"coalesce({conditions.of_number(column, test, self.parameters)}, false)"
            case "moment":
                return conditions.of_moment(column, test, self.parameters, self.now)
            case "flag":
                return column if test.value else f"NOT {column}"
            case "birthday" if isinstance(test.value, int):
                days = self.parameters.add(int_array(conditions.birthdays(test.value, self.now)))
                return f"coalesce(p.birth_month * 100 + p.birth_day = ANY ({days}::int[]), false)"
        return conditions.of_text(column, test, self.parameters)
