"""What sending to the most promising only would have brought: the effect among the first twentieth, the first two, …

Each point compares those assigned with those held out among the same share of people, so it needs no model to be right:
an order that promises nothing gives a straight line. Its interval holds for one point looked at once, not for the best
of twenty; the page says so.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.reporting import lift, strata

TWENTIETHS = 20


def points(rows: Sequence[tuple[int, Mapping[str, Any]]]) -> list[dict[str, float]]:
    """Return, for each share of people in order, how many they are and the effect on a person's revenue among them.

    ``rows`` are sums of one twentieth, one stratum and one group; those held out have no variant, all others 0.
    """
    found = []
    for last in range(1, TWENTIETHS + 1):
        among = [row for place, row in rows if place <= last]
        pairs = strata.strata(added(among), [0], "value")
        if not pairs:
            continue
        effect = lift.together(pairs)
        people = sum(int(row["people"]) for row in among)
        point = {"share": last / TWENTIETHS, "people": people, "effect": effect.effect, "variance": effect.variance}
        found.append(point)
    return found


def added(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each stratum and group: the sum of theirs."""
    sums: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in rows:
        key = row["run"], row["variant"]
        there = sums.get(key)
        sums[key] = {**row} if there is None else _both(there, row)
    return list(sums.values())


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    moments = {
        outcome: {name: number + other[outcome][name] for name, number in one[outcome].items()}
        for outcome in strata.OUTCOMES
    }
    return {**one, "people": one["people"] + other["people"], "paid": one["paid"] + other["paid"], **moments}
