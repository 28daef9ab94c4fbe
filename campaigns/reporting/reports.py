"""What a campaign caused: the difference to those held out, with an interval, and what it cost.

An open is never a success; a click is a step of the funnel, and a success is the goal alone. What of it was counted
stands in :mod:`campaigns.reporting.figures`, what a report consists of in :mod:`campaigns.reporting.report_parts`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from campaigns.models import Campaign
from campaigns.reporting import arms, figures, journey_steps, lift, report_details, strata
from campaigns.reporting.intervals import ALPHA, holm
from campaigns.reporting.journey_steps import JourneyStep
from campaigns.reporting.report_parts import Cohort, Curve, Group, Lift, Observed, Part, Step

__all__ = ["UNLIKELY", "Group", "Lift", "Report", "Step", "of"]

UNLIKELY = 0.001  # groups as unequal as that were not drawn as planned
UNLIKE = 0.2  # standardised difference that weighting left, in the column that is worst


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything there is to say of a campaign; ``caveats`` are codes (``reporting.findings`` has their words)."""

    campaign: Campaign
    made_at: datetime
    closes_at: datetime
    currency: str
    groups: Sequence[Group]
    lift: Lift | None
    variants: Mapping[int, Lift]
    sample_ratio: float
    funnel: Sequence[Step]
    steps: Sequence[JourneyStep]  # of a journey, as of now
    reasons: Sequence[tuple[str, str, int]]
    days: Mapping[bool, Sequence[float]]  # held out or not: the share that had reached the goal by each day's end
    links: Sequence[tuple[str, int]]
    devices: Sequence[tuple[str, int]]
    machines: Sequence[tuple[str, str, int]]  # clicked or opened, by what gave it away, and how many messages
    cohorts: Sequence[Cohort]
    parts: Sequence[Part]
    curves: Sequence[Curve]
    observed: Observed | None  # of an imported campaign, which drew nobody by lot
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
    """Return the report on what was counted last (``reporting.figures.refresh``); counted now if nothing was yet."""
    told = figures.of(campaign, now)
    counted: dict[str, Any] = told.counted
    names = arms.names(campaign)
    groups = report_details.groups(counted["groups"], names)
    ratio = _sample_ratio(counted["groups"], arms.shares(campaign))
    overall, variants = _lifts(counted["groups"], counted["kept"])
    closes_at = datetime.fromisoformat(counted["closes_at"])
    funnel = report_details.funnel(counted, names)
    observed = Observed.from_json(counted["observed"]) if "observed" in counted else None
    report = Report(
        campaign=campaign,
        made_at=told.made_at,
        closes_at=closes_at,
        currency=counted["currency"],
        groups=groups,
        lift=overall,
        variants=variants,
        sample_ratio=ratio,
        funnel=funnel,
        steps=journey_steps.of(campaign, now),
        reasons=[(status, reason, people) for status, reason, people in counted["reasons"]],
        days=report_details.days(counted["days"], groups),
        links=report_details.summed((link or "", people) for link, _device, people in counted["clicks"]),
        devices=report_details.summed((device, people) for _link, device, people in counted["clicks"]),
        machines=[(kind, why, messages) for kind, why, messages in counted["machines"]],
        cohorts=report_details.cohorts(counted["cohorts"]),
        parts=report_details.parts(counted["parts"]),
        curves=report_details.curves(counted["curves"], report_details.cost_each(funnel)),
        observed=observed,
        caveats=[],
    )
    return replace(report, caveats=list(_caveats(report, counted)))


def _lifts(rows: strata.Rows, kept: Mapping[str, Any]) -> tuple[Lift | None, dict[int, Lift]]:
    """Return the lift of all variants together, and of each, corrected for there being several."""
    treated = sorted({row["variant"] for row in rows if row["variant"] is not None})
    overall = _lift(rows, treated, {outcome: told.get(strata.ALL) for outcome, told in kept.items()}, ALPHA)
    if len(treated) < 2:
        return overall, {variant: overall for variant in treated if overall}
    each = {
        variant: _lift(
            rows, [variant], {outcome: told.get(str(variant)) for outcome, told in kept.items()}, ALPHA / len(treated)
        )
        for variant in treated
    }
    found = {variant: one for variant, one in each.items() if one}
    corrected = holm([one.p for one in found.values()])
    return overall, {variant: replace(one, p=p) for (variant, one), p in zip(found.items(), corrected, strict=True)}


def _lift(rows: strata.Rows, variants: Sequence[int], kept: Mapping[str, float | None], alpha: float) -> Lift | None:
    """Return what the variants caused; nothing before there were enough people at some look (``strata.keep``)."""
    goal_kept, value_kept = kept.get("goal"), kept.get("value")
    if goal_kept is None:
        return None
    goal, rate = strata.judge(rows, variants, "goal", goal_kept, alpha)
    money = strata.judge(rows, variants, "value", value_kept, alpha) if value_kept is not None else None
    return Lift(
        people=sum(row["people"] for row in rows if row["variant"] in variants),
        rate=rate,
        value=money[1] if money else None,
        spared_rate=goal.spared,
        spared_value=money[0].spared if money else 0.0,
        p=rate.p,
    )


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


def _caveats(report: Report, counted: Mapping[str, Any]) -> Iterable[str]:
    yield from _of_the_comparison(report)
    if report.sample_ratio < UNLIKELY:
        yield "sample_ratio"
    if report.made_at < report.closes_at:
        yield "window_open"
    if counted["other_currencies"]:
        yield "currencies"


def _of_the_comparison(report: Report) -> Iterable[str]:
    if not report.groups:
        yield "nobody"
    elif report.observed is not None:
        yield "not_drawn"
        yield from _of_the_adjustment(report.observed)
    elif report.held is None:
        yield "no_holdout"
    elif report.lift is None:
        yield "too_few"
    elif report.lift.value is None:
        yield "too_few_paid"


def _of_the_adjustment(found: Observed) -> Iterable[str]:
    if found.refused:
        yield found.refused
    elif found.before is None:
        yield "no_placebo"
    elif found.before.sure:
        yield "placebo"
    if found.overlap and found.overlap["apart_weighted"] > UNLIKE:
        yield "unlike"
    if found.cut_at:
        yield "cut"
