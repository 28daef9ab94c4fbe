"""What a report consists of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from campaigns.reporting.intervals import Interval

Span = tuple[float, float, float]  # as estimated, at least, at most


@dataclass(frozen=True, kw_only=True)
class Group:
    """Those who were meant to get one variant, or those held out (``variant`` is ``None``)."""

    variant: int | None
    name: str
    people: int
    converted: int
    revenue: float

    @property
    def rate(self) -> float:
        return self.converted / self.people if self.people else 0.0

    @property
    def revenue_each(self) -> float:
        return self.revenue / self.people if self.people else 0.0


@dataclass(frozen=True, kw_only=True)
class Lift:
    """What was caused among the people treated: in the rate of the goal, and in revenue for each person.

    ``value`` is ``None`` while too few have paid for an interval of revenue that holds.
    """

    people: int
    rate: Interval
    value: Interval | None
    spared_rate: float  # of the variance, by what the same people did before
    spared_value: float
    p: float  # of the rate; corrected where there are several variants

    @property
    def conversions(self) -> Span:
        """The number of people more who reached the goal."""
        return _times(self.rate, self.people)

    @property
    def revenue(self) -> Span | None:
        return _times(self.value, self.people) if self.value else None


@dataclass(frozen=True, kw_only=True)
class Step:
    """The funnel of one variant on one channel, in messages; ``converted`` in people assigned there."""

    variant: int
    name: str
    channel: str
    assigned: int
    accepted: int
    delivered: int
    bounced: int
    failed: int
    unknown: int
    clicked: int
    converted: int
    cost: float


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Those assigned in one week, treated or held out; ``reached`` is the share by the end of each week after."""

    week: date
    held: bool
    people: int
    revenue: float
    reached: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some of the people, by what was known before (``kind``: before, age, cluster), and what was caused among them."""

    kind: str
    name: str
    treated: Group
    held: Group | None
    rate: Interval | None  # corrected for there being several parts


@dataclass(frozen=True, kw_only=True)
class Point:
    """Had only this share been reached: how many people, and what was left of revenue after the cost of sending."""

    share: float
    people: int
    profit: Span


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Profit by share reached, the most promising first by ``by``: ``value_before``, or the name of a model."""

    by: str
    points: Sequence[Point]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One number a person, of those reached and others who were not: plainly, and adjusted; 95 % at one look."""

    raw: Span
    effect: Span
    p: float

    @property
    def sure(self) -> bool:
        return self.effect[1] > 0 or self.effect[2] < 0


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a campaign may have caused whose people were chosen, not drawn (``campaigns.reporting.observed``).

    ``before`` is the same estimate for a time before the campaign: it should be nothing.
    """

    refused: str
    value: Compared | None
    visits: Compared | None
    before: Compared | None
    overlap: dict[str, Any] | None
    cut_at: datetime | None

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> "Observed":
        before = told.get("before") or {}
        cut = told.get("cut_at")
        return cls(
            refused=told.get("refused", ""),
            value=_compared(told.get("value")),
            visits=_compared(told.get("visits")),
            before=_compared(before.get("value")),
            overlap=told.get("overlap"),
            cut_at=datetime.fromisoformat(cut) if cut else None,
        )


def _compared(told: dict[str, Any] | None) -> Compared | None:
    return Compared(raw=tuple(told["raw"]), effect=tuple(told["effect"]), p=told["p"]) if told else None


def _times(each: Interval, people: int) -> Span:
    return each.effect * people, each.low * people, each.high * people
