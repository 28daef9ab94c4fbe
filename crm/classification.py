"""What each column of every table is: whose data, how telling, what for, how long, and what erasure does to it.

One line a table in :data:`crm.data_map.TABLES`; a test compares it with the models and fails on a column that nobody
has classified and on one that is gone. Grades follow GB/T 43697-2024: the more a value tells, the higher.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _


class Kind(StrEnum):
    """What a value tells about a person, the most first."""

    KEY = "key"
    IDENTIFYING = "identifying"
    SENSITIVE = "sensitive"
    PSEUDONYM = "pseudonym"
    QUASI = "quasi"
    BEHAVIOURAL = "behavioural"
    DERIVED = "derived"
    STAFF = "staff"
    TECHNICAL = "technical"
    NONE = "none"


KINDS: Mapping[Kind, Any] = {
    Kind.KEY: _("keys, passwords, tokens: told to nobody"),
    Kind.IDENTIFYING: _("identifies one person"),
    Kind.SENSITIVE: _("sensitive personal data"),
    Kind.PSEUDONYM: _("leads to one person with what we keep apart"),
    Kind.QUASI: _("shared by many, together with others by few"),
    Kind.BEHAVIOURAL: _("what a person did"),
    Kind.DERIVED: _("what was worked out about a person"),
    Kind.STAFF: _("data of our own staff"),
    Kind.TECHNICAL: _("numbers, times and states of a row"),
    Kind.NONE: _("says nothing about a person"),
}
PERSONAL = frozenset(Kind) - {Kind.TECHNICAL, Kind.NONE, Kind.STAFF, Kind.KEY}


class Erasure(StrEnum):
    """What the erasure of the person does."""

    DELETE = "delete"
    SHRED = "shred"
    NULL = "null"
    KEEP = "keep"


ERASURES: Mapping[Erasure, Any] = {
    Erasure.DELETE: _("deleted with its row"),
    Erasure.SHRED: _("shredded with the person's key, and deleted"),
    Erasure.NULL: _("emptied"),
    Erasure.KEEP: _("kept"),
}


@dataclass(frozen=True, kw_only=True)
class Column:
    """How one column is classified."""

    table: str
    name: str
    kind: Kind
    purpose: str
    retention: str
    erasure: Erasure
    reason: str = ""  # why it is kept, where it is


@dataclass(frozen=True, kw_only=True)
class Table:
    """How the columns of one table are classified: names by kind, and what holds for all of them."""

    purpose: str
    retention: str
    erasure: Erasure
    reason: str
    names: Mapping[Kind, str]
    sealed: frozenset[str]

    def columns(self, label: str) -> list[Column]:
        return [
            Column(
                table=label,
                name=name,
                kind=kind,
                purpose=self.purpose,
                retention=self.retention,
                erasure=Erasure.SHRED if name in self.sealed and self.erasure != Erasure.KEEP else self.erasure,
                reason=self.reason,
            )
            for kind, names in self.names.items()
            for name in names.split()
        ]


def table(purpose: str, retention: str, erasure: str, *, reason: str = "", sealed: str = "", **names: str) -> Table:
    """Return a table's line; ``sealed`` are the columns that a person's key seals, ``names`` the columns by kind.

    >>> [column.erasure.value for column in table("x", "person", "delete", sealed="a", quasi="a b").columns("t")]
    ['shred', 'delete']
    """
    found = Erasure(erasure)
    if (found == Erasure.KEEP) != bool(reason):
        raise ValueError("What is kept needs a reason, and nothing else does.")
    return Table(
        purpose=purpose,
        retention=retention,
        erasure=found,
        reason=reason,
        names={Kind(kind): text for kind, text in names.items()},
        sealed=frozenset(sealed.split()),
    )


def columns() -> dict[tuple[str, str], Column]:
    """Return every classified column by (table, name)."""
    from crm.data_map import TABLES  # noqa: PLC0415 (the map is made of this module's words)

    found = [column for label, line in TABLES.items() for column in line.columns(label)]
    by_name = {(column.table, column.name): column for column in found}
    if len(by_name) < len(found):
        raise ValueError("A column is classified twice.")
    return by_name
