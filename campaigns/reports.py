"""What a campaign caused: the difference to those held out, with an interval, and what it cost.

An open is never a success and is not read here; a click is a step of the funnel, and a success is the goal alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from campaigns import figures, lift
from campaigns.lift import Estimate, Interval, Moments, Stratum
from campaigns.models import Campaign

UNLIKELY = 0.001  # groups as unequal as that were not drawn as planned


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
    """What was caused among the people treated: in the rate of the goal, and in revenue for each person."""

    people: int
    rate: Interval
    value: Interval
    spared_rate: float  # of the variance, by what the same people did before
    spared_value: float
    p: float  # of the rate; corrected where there are several variants

    @property
    def conversions(self) -> tuple[float, float, float]:
        """The number of people more who reached the goal: as estimated, at least, at most."""
        return self._times(self.rate)

    @property
    def revenue(self) -> tuple[float, float, float]:
        return self._times(self.value)

    def _times(self, each: Interval) -> tuple[float, float, float]:
        return each.effect * self.people, each.low * self.people, each.high * self.people


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
class Report:
    """Everything there is to say of a campaign; ``caveats`` are codes (``campaigns.findings`` has their words)."""

    campaign: Campaign
    made_at: datetime
    closes_at: datetime
    currency: str
    groups: Sequence[Group]
    lift: Lift | None
    variants: Mapping[int, Lift]
    sample_ratio: float
    funnel: Sequence[Step]
    reasons: Sequence[tuple[str, str, int]]
    days: Mapping[bool, Sequence[float]]  # held out or not: the share that had reached the goal by each day's end
    links: Sequence[tuple[str, int]]
    devices: Sequence[tuple[str, int]]
    caveats: Sequence[str]

    @property
    def held(self) -> Group | None:
        return next((group for group in self.groups if group.variant is None), None)

    @property
    def assigned(self) -> int:
        return sum(group.people for group in self.groups)

    @property
    def cost(self) -> float:
        return sum(step.cost for step in self.funnel)

    @property
    def cost_each(self) -> float | None:
        """Cost of one conversion that would not have been; ``None`` where there may have been none."""
        if self.lift is None or self.lift.rate.low <= 0:
            return None
        return self.cost / self.lift.conversions[0]


def of(campaign: Campaign, now: datetime) -> Report:
    """Return the report on what was counted last (``campaigns.figures.refresh``); counted now if nothing was yet."""
    told = figures.of(campaign, now)
    counted: dict[str, Any] = told.counted
    names: dict[int | None, str] = dict(campaign.variants.values_list("pk", "name"))
    shares = figures.planned_shares(campaign)
    groups = _groups(counted["groups"], names)
    ratio = _sample_ratio(counted["groups"], shares)
    overall, variants = _lifts(counted["groups"])
    closes_at = datetime.fromisoformat(counted["closes_at"])
    return Report(
        campaign=campaign,
        made_at=told.made_at,
        closes_at=closes_at,
        currency=counted["currency"],
        groups=groups,
        lift=overall,
        variants=variants,
        sample_ratio=ratio,
        funnel=_funnel(counted, names),
        reasons=[(status, reason, people) for status, reason, people in counted["reasons"]],
        days=_days(counted["days"], groups),
        links=_summed((link or "", people) for link, _device, people in counted["clicks"]),
        devices=_summed((device, people) for _link, device, people in counted["clicks"]),
        caveats=list(_caveats(counted, groups, overall, ratio, told.made_at < closes_at)),
    )


def _groups(rows: Sequence[dict[str, Any]], names: Mapping[int | None, str]) -> list[Group]:
    return [
        Group(
            variant=variant,
            name=names.get(variant, ""),
            people=sum(row["people"] for row in rows if row["variant"] == variant),
            converted=round(sum(row["goal"]["y"] for row in rows if row["variant"] == variant)),
            revenue=sum(row["value"]["y"] for row in rows if row["variant"] == variant),
        )
        for variant in sorted({row["variant"] for row in rows}, key=lambda one: (one is not None, one or 0))
    ]


def _lifts(rows: Sequence[dict[str, Any]]) -> tuple[Lift | None, dict[int, Lift]]:
    """Return the lift of all variants together, and of each, corrected for there being several."""
    treated = sorted({row["variant"] for row in rows if row["variant"] is not None})
    overall = _lift(rows, treated, lift.ALPHA)
    if len(treated) < 2:
        return overall, {variant: overall for variant in treated if overall}
    each = {variant: _lift(rows, [variant], lift.ALPHA / len(treated)) for variant in treated}
    found = {variant: one for variant, one in each.items() if one}
    corrected = lift.holm([one.p for one in found.values()])
    return overall, {
        variant: Lift(**{**one.__dict__, "p": p}) for (variant, one), p in zip(found.items(), corrected, strict=True)
    }


def _lift(rows: Sequence[dict[str, Any]], variants: Sequence[int], alpha: float) -> Lift | None:
    rate, value = _strata(rows, variants, "goal"), _strata(rows, variants, "value")
    if not rate or not _enough(rate):
        return None
    goal, money = lift.together(rate), lift.together(value)
    found = _interval(goal, alpha)
    return Lift(
        people=sum(stratum.treated.n for stratum in rate),
        rate=found,
        value=_interval(money, alpha),
        spared_rate=goal.spared,
        spared_value=money.spared,
        p=found.p,
    )


def _interval(found: Estimate, alpha: float) -> Interval:
    return lift.interval(found, found.variance_before, alpha)


def _strata(rows: Sequence[dict[str, Any]], variants: Sequence[int], outcome: str) -> list[Stratum]:
    """Return the runs in which there is somebody to compare: two people in each group at least."""
    runs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        runs[row["run"]].append(row)
    pairs = (
        Stratum(
            treated=_sum(row for row in run if row["variant"] in variants)[outcome],
            held=_sum(row for row in run if row["variant"] is None)[outcome],
        )
        for run in runs.values()
    )
    return [pair for pair in pairs if min(pair.treated.n, pair.held.n) >= 2]


def _sum(rows: Iterable[dict[str, Any]]) -> dict[str, Moments]:
    both = {"goal": Moments(), "value": Moments()}
    for row in rows:
        both = {name: sums + Moments(n=row["people"], **row[name]) for name, sums in both.items()}
    return both


def _enough(strata: Sequence[Stratum]) -> bool:
    """Return whether so many did, and so many did not, in either group that a normal distribution describes them."""
    for side in ("treated", "held"):
        did = sum(getattr(stratum, side).y for stratum in strata)
        people = sum(getattr(stratum, side).n for stratum in strata)
        if min(did, people - did) < lift.FEWEST:
            return False
    return True


def _sample_ratio(rows: Sequence[dict[str, Any]], shares: Mapping[str, dict[str, Any]]) -> float:
    seen: dict[int, int] = defaultdict(int)
    expected: dict[int, float] = defaultdict(float)
    people: dict[str, int] = defaultdict(int)
    for row in rows:
        seen[row["variant"] or 0] += row["people"]
        people[row["run"]] += row["people"]
    for run, number in people.items():
        meant = {0: shares[run]["holdout"], **{int(key): share for key, share in shares[run]["variants"].items()}}
        for variant, share in meant.items():
            expected[variant] += number * share
    if any(seen[variant] for variant in set(seen) if not expected[variant]):
        return 0.0  # somebody is in a group that nobody was to be in
    kept = [variant for variant, number in expected.items() if number > 0]
    return lift.sample_ratio([seen[variant] for variant in kept], [expected[variant] for variant in kept])


def _funnel(counted: dict[str, Any], names: Mapping[int | None, str]) -> list[Step]:
    converted = {(variant, channel): people for variant, channel, people in counted["converted"]}
    return [
        Step(
            variant=variant,
            name=names.get(variant, ""),
            channel=channel,
            assigned=assigned,
            accepted=accepted,
            delivered=delivered,
            bounced=bounced,
            failed=failed,
            unknown=unknown,
            clicked=clicked,
            converted=converted.get((variant, channel), 0),
            cost=cost,
        )
        for variant, channel, assigned, accepted, delivered, bounced, failed, unknown, clicked, cost in counted[
            "funnel"
        ]
    ]


def _days(rows: Sequence[Sequence[Any]], groups: Sequence[Group]) -> dict[bool, list[float]]:
    """Return, for those held out and for the others, the share that had reached the goal by the end of each day."""
    if not rows:
        return {}
    last = max(day for _held, day, _people in rows)
    whole = {held: sum(group.people for group in groups if (group.variant is None) == held) for held in (True, False)}
    found = {(held, day): people for held, day, people in rows}
    return {
        held: list(accumulate(found.get((held, day), 0) / people for day in range(last + 1)))
        for held, people in whole.items()
        if people
    }


def _summed(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    sums: dict[str, int] = defaultdict(int)
    for name, people in pairs:
        sums[name] += people
    return sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))


def _caveats(
    counted: dict[str, Any], groups: Sequence[Group], found: Lift | None, ratio: float, is_open: bool
) -> Iterable[str]:
    if not groups:
        yield "nobody"
    elif all(group.variant is not None for group in groups):
        yield "no_holdout"
    elif found is None:
        yield "too_few"
    if ratio < UNLIKELY:
        yield "sample_ratio"
    if is_open:
        yield "window_open"
    if counted["other_currencies"]:
        yield "currencies"
