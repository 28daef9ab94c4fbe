"""How many a rule describes: exact where that is cheap, else estimated from a sample and made exact afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_noop

from campaigns import rules
from campaigns.rules.nodes import Group, Rule
from campaigns.rules.scope import these
from campaigns.segmenting import sampling, segments
from campaigns.segmenting.statements import OutOfTime, limited
from crm.models import JobRun
from mlengine import work

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KIND = "segment_count"
BUDGET = timedelta(milliseconds=600)
KEPT = timedelta(days=1)
AFFORDABLE = 150_000.0  # in the planner's unit: about half a second; what costs more is estimated at once
FOR_EXACT = 0.5  # of the budget; the rest is for the estimate where that was not enough
FIRST, FEWEST = 200, 100  # people of the first piece of a sample, and those for which another one is worth its while
CAREFUL = 0.7  # the share of the time left that the next piece may take, by how long the ones before took
ENOUGH = 50_000  # people of a sample: half a per cent of them give an interval of a tenth


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many there are; where that is estimated, the bounds between which it lies 19 times in 20."""

    value: int
    low: int
    high: int
    exact: bool


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How many there are of each of two rules, and how many of both."""

    first: Count
    second: Count
    both: Count


def exactly(value: int) -> Count:
    return Count(value=value, low=value, high=value, exact=True)


def count(rule: Rule, now: datetime, budget: timedelta = BUDGET) -> Count:
    """Return how many the rule describes, after the budget at the latest (and one short statement)."""
    ends = monotonic() + budget.total_seconds()
    query = segments.counted(rule, now)
    if _cost(query) <= AFFORDABLE:
        try:
            return exactly(_counted(query, budget * FOR_EXACT))
        except OutOfTime:
            pass
    return estimated(rule, now, timedelta(seconds=max(ends - monotonic(), 0.05)))


def exact(rule: Rule, now: datetime, budget: timedelta | None = None) -> int:
    """Return how many the rule describes.

    Raises
    ------
    OutOfTime
        The budget is used up.
    """
    return _counted(segments.counted(rule, now), budget)


def _counted(query: segments.Query, budget: timedelta | None) -> int:
    with limited(budget, everybody=True) as cursor:
        cursor.execute(f"SELECT count(*) FROM ({query.sql}) AS members", query.params)  # noqa: S608  # parameters only
        return int(cursor.fetchone()[0])


def _cost(query: segments.Query) -> float:
    """Return what the planner thinks that a statement costs; wrong, it costs an estimate that is made exact later."""
    with limited(None, everybody=True) as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {query.sql}", query.params)
        return float(cursor.fetchone()[0][0]["Plan"]["Total Cost"])


def estimated(rule: Rule, now: datetime, budget: timedelta = BUDGET) -> Count:
    """Return how many there are by a sample that grows as fast as the time that is left allows."""
    whole, hits, drawn, size = sampling.population(), 0, 0, FIRST
    began = monotonic()
    ends = began + budget.total_seconds()
    while drawn < min(whole, ENOUGH) and size >= FEWEST:
        people = sampling.sample(whole, drawn, size).tolist()
        try:
            left = max(ends - monotonic(), 0.05)
            hits += len(_among(rule, people, now, timedelta(seconds=left) if drawn else None))
        except OutOfTime:
            break
        drawn += len(people)
        left, taken = ends - monotonic(), monotonic() - began
        size = min(int(drawn / taken * left * CAREFUL), 8 * drawn, ENOUGH)
    if drawn == 0:
        return exactly(0)
    found = sampling.estimate(hits, drawn, whole)
    return Count(value=found.value, low=found.low, high=found.high, exact=drawn >= whole)


def some(rule: Rule, now: datetime, most: int = 10, budget: timedelta = BUDGET) -> list[int]:
    """Return some members, the same ones each time; of a rare segment fewer than are asked for may be found in time."""
    ends, found = monotonic() + budget.total_seconds(), list[int]()
    for people in sampling.slices():
        try:
            ids = _among(rule, people.tolist(), now, timedelta(seconds=max(ends - monotonic(), 0.05)))
        except OutOfTime:
            break
        found += [person for person in people.tolist() if person in ids]
        if len(found) >= most or monotonic() > ends:
            break
    return found[:most]


def overlap(first: Rule, second: Rule, now: datetime, budget: timedelta = 3 * BUDGET) -> Overlap:
    """Return how many two rules describe, and how many both do."""
    both = Group(mode="all", parts=(first, second))
    one, other, shared = (count(rule, now, budget / 3) for rule in (first, second, both))
    return Overlap(first=one, second=other, both=shared)


def later(tree: object, by: "AbstractBaseUser | None", now: datetime) -> JobRun:
    """Have a rule counted exactly in the background; the job's result says ``value``."""
    rules.parse(tree)
    job = JobRun(kind=KIND, title=gettext_noop("Count a segment"), parameters={"rule": tree}, created_at=now)
    job.requested_by_id = by.pk if by else None
    job.save()
    return job


def forget(now: datetime) -> int:
    """Delete the counts of yesterday and before: one is made each time somebody stops typing."""
    return JobRun.objects.filter(kind=KIND, created_at__lt=now - KEPT).delete()[0]


def run(job: JobRun, clock: work.Clock) -> bool:
    """Do the work of a job of :func:`later`; ringing twice is harmless."""

    def counted(progress: work.Progress) -> dict[str, Any]:
        with progress.step("count"):
            return {"value": exact(rules.parse(job.parameters["rule"]), job.created_at)}

    return work.carry_out(job, clock, counted)


def _among(rule: Rule, people: Sequence[int], now: datetime, budget: timedelta | None) -> set[int]:
    query = segments.compile(rule, now, these(people))
    with limited(budget, everybody=False) as cursor:
        cursor.execute(query.sql, query.params)
        return {person for (person,) in cursor.fetchall()}
