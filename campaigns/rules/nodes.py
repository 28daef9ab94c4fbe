"""What a rule is made of, once it has been read: values that never change, and can be compared."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

Literal = str | bool | int | Decimal | datetime
Value = Literal | tuple[Literal, ...] | None


@dataclass(frozen=True, kw_only=True)
class Test:
    """An operator of the allowlist and what it compares with."""

    is_: str
    value: Value = None


@dataclass(frozen=True, kw_only=True)
class Group:
    """All, any or none of some rules."""

    mode: str
    parts: tuple["Rule", ...]


@dataclass(frozen=True, kw_only=True)
class OfProfile:
    """Something about the person: a column, or ``attributes.<name>``."""

    field: str
    test: Test


@dataclass(frozen=True, kw_only=True)
class HasAddress:
    type: str
    is_: str


@dataclass(frozen=True, kw_only=True)
class Consented:
    purpose: str
    channel: str
    is_: str


@dataclass(frozen=True, kw_only=True)
class Window:
    """A time: the last days, or from a moment until another (which does not belong to it)."""

    days: int | None = None
    from_: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Where:
    """A test of the event itself, or of its item."""

    field: str
    test: Test


@dataclass(frozen=True, kw_only=True)
class Then:
    """Another event that follows within days."""

    event: str
    name: str = ""
    where: tuple[Where, ...] = ()
    within_days: Decimal


@dataclass(frozen=True, kw_only=True)
class Did:
    """What somebody did: which events, in which time, and how many, for how much, first or last when."""

    event: str
    name: str = ""
    where: tuple[Where, ...] = ()
    within: Window | None = None
    measure: str = "count"
    test: Test
    then: Then | None = None


@dataclass(frozen=True, kw_only=True)
class Related:
    kind: str
    to: "Rule | None"
    is_: str


@dataclass(frozen=True, kw_only=True)
class Scored:
    spec: str
    test: Test
    fact: str = ""  # a number beside the score, or one of its bounds; empty for the score itself


@dataclass(frozen=True, kw_only=True)
class InCluster:
    spec: str
    codes: tuple[int, ...]
    is_: str


@dataclass(frozen=True, kw_only=True)
class Recommended:
    item: str
    category: str
    within_rank: int


@dataclass(frozen=True, kw_only=True)
class NeedsAgain:
    """What somebody will want again: an item, anything of a category, or (both empty) anything at all."""

    item: str
    category: str
    within_days: int


@dataclass(frozen=True, kw_only=True)
class OfCampaign:
    campaign: int
    is_: str
    within: Window | None


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """A random share: who falls between two numbers by a hash of the salt and the profile's number."""

    salt: str
    from_: Decimal
    until: Decimal


@dataclass(frozen=True, kw_only=True)
class InSegment:
    segment: int


Condition = (
    OfProfile
    | HasAddress
    | Consented
    | Did
    | Related
    | Scored
    | InCluster
    | Recommended
    | NeedsAgain
    | OfCampaign
    | Bucket
    | InSegment
)
Rule = Group | Condition
