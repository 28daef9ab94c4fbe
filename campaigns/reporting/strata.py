"""The sums that were counted of a campaign's groups, as experiments: one for each run, compared within and added up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from campaigns.reporting import intervals, lift
from campaigns.reporting.intervals import Interval
from campaigns.reporting.moments import Estimate, Moments, Stratum

OUTCOMES = ("goal", "value")
ALL = "all"
Rows = Sequence[Mapping[str, Any]]


def strata(rows: Rows, variants: Iterable[int], outcome: str) -> list[Stratum]:
    """Return the runs in which there is somebody to compare: two people in each group at least."""
    wanted = set(variants)
    runs: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        runs[row["run"]].append(row)
    pairs = (
        Stratum(
            treated=_sum((row for row in run if row["variant"] in wanted), outcome),
            held=_sum((row for row in run if row["variant"] is None), outcome),
        )
        for run in runs.values()
    )
    return [pair for pair in pairs if min(pair.treated.n, pair.held.n) >= 2]


def judge(rows: Rows, variants: Iterable[int], outcome: str, kept: float, alpha: float) -> tuple[Estimate, Interval]:
    """Return the effect on an outcome; ``kept`` is what :func:`keep` fixed at the first look."""
    pairs = strata(rows, variants, outcome)
    found = lift.together(pairs)
    return found, intervals.interval(found, intervals.constant(kept, _weight(pairs), alpha), alpha)


def once(rows: Rows, variants: Iterable[int], outcome: str, alpha: float) -> Interval | None:
    """Return the effect for a single look, and nothing where there are too few people."""
    pairs = strata(rows, variants, outcome)
    if not pairs or not _enough(rows, variants, outcome):
        return None
    found = lift.together(pairs)
    low, high = lift.classical(found, alpha)
    z = abs(found.effect) / found.variance**0.5 if found.variance > 0 else 0.0
    return Interval(effect=found.effect, low=low, high=high, p=2 * (1 - lift.NORMAL.cdf(z)))


def keep(rows: Rows, before: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return what is fixed at the first look, by outcome and by variant or ``all``: what was before, and what is new.

    An effect that has nothing here has too few people yet and is not told.
    """
    treated = sorted({row["variant"] for row in rows if row["variant"] is not None})
    asked = {ALL: treated, **{str(variant): [variant] for variant in treated}}
    fixed: dict[str, dict[str, float]] = {outcome: dict(before.get(outcome, {})) for outcome in OUTCOMES}
    for outcome in OUTCOMES:
        for name, variants in asked.items():
            pairs = strata(rows, variants, outcome)
            if name not in fixed[outcome] and pairs and _enough(rows, variants, outcome):
                fixed[outcome][name] = intervals.fixed(lift.together(pairs), _weight(pairs))
    return fixed


def _enough(rows: Rows, variants: Iterable[int], outcome: str) -> bool:
    """Return whether so many did, and so many did not, in either group that a normal distribution describes them."""
    for wanted in (set(variants), {None}):
        group = [row for row in rows if row["variant"] in wanted]
        people, did = sum(row["people"] for row in group), sum(row["goal"]["y"] for row in group)
        if outcome == "value" and sum(row["paid"] for row in group) < intervals.FEWEST_PAID:
            return False
        if outcome == "goal" and min(did, people - did) < intervals.FEWEST:
            return False
    return True


def _weight(pairs: Sequence[Stratum]) -> float:
    return sum(pair.weight for pair in pairs)


def _sum(rows: Iterable[Mapping[str, Any]], outcome: str) -> Moments:
    return sum((Moments(n=row["people"], **row[outcome]) for row in rows), Moments())
