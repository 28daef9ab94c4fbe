"""The tables and drawings of a report, out of the sums that were counted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import accumulate
from typing import Any

from campaigns.reporting import lift, strata
from campaigns.reporting.intervals import ALPHA
from campaigns.reporting.report_parts import Cohort, Curve, Group, Part, Point, Span, Step


def groups(rows: Sequence[dict[str, Any]], names: Mapping[int | None, str]) -> list[Group]:
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


def funnel(counted: dict[str, Any], names: Mapping[int | None, str]) -> list[Step]:
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


def days(rows: Sequence[Sequence[Any]], groups: Sequence[Group]) -> dict[bool, list[float]]:
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


def summed(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    sums: dict[str, int] = defaultdict(int)
    for name, people in pairs:
        sums[name] += people
    return sorted(sums.items(), key=lambda pair: (-pair[1], pair[0]))


def cohorts(rows: Sequence[Sequence[Any]]) -> list[Cohort]:
    """Return the weeks in which people were assigned, and what share of each had reached the goal by which week."""
    sums: dict[tuple[str, bool], dict[int | None, tuple[int, float]]] = defaultdict(dict)
    for week, held, after, people, revenue in rows:
        sums[week, held][after] = people, revenue
    found = []
    for (week, held), told in sorted(sums.items()):
        people = sum(number for number, _revenue in told.values())
        last = max((after for after in told if after is not None), default=-1)
        reached = accumulate(told.get(after, (0, 0.0))[0] / people for after in range(last + 1))
        found.append(
            Cohort(
                week=date.fromisoformat(week),
                held=held,
                people=people,
                revenue=sum(revenue for _number, revenue in told.values()),
                reached=list(reached),
            )
        )
    return found


def parts(rows: Sequence[Sequence[Any]]) -> list[Part]:
    """Return the parts of the people, with intervals that hold for all parts of a kind together, at one look."""
    by_part: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for kind, name, row in rows:
        by_part[kind, name].append(row)
    several = {kind: len([1 for other, _name in by_part if other == kind]) for kind, _name in by_part}
    return [_part(kind, name, found, several[kind]) for (kind, name), found in by_part.items()]


def _part(kind: str, name: str, rows: list[dict[str, Any]], several: int) -> Part:
    sides = {group.variant: group for group in groups(rows, {})}
    rate = strata.once(rows, [0], "goal", ALPHA / several)
    nobody = Group(variant=0, name="", people=0, converted=0, revenue=0.0)
    return Part(kind=kind, name=name, treated=sides.get(0, nobody), held=sides.get(None), rate=rate)


def curves(told: Sequence[Mapping[str, Any]], cost_each: float) -> list[Curve]:
    return [Curve(by=one["by"], points=[_point(point, cost_each) for point in one["points"]]) for one in told]


def _point(told: Mapping[str, Any], cost_each: float) -> Point:
    found = lift.Estimate(effect=told["effect"], variance=told["variance"])
    low, high = lift.classical(found)
    people = told["people"]
    profit: Span = (
        people * (found.effect - cost_each),
        people * (low - cost_each),
        people * (high - cost_each),
    )
    return Point(share=told["share"], people=people, profit=profit)


def cost_each(funnel: Sequence[Step]) -> float:
    """Return what one person assigned cost: an upper bound of what one more would have."""
    people = sum(step.assigned for step in funnel)
    return sum(step.cost for step in funnel) / people if people else 0.0
