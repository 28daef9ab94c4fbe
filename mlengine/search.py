"""A better recipe within a time budget: successive halving over dates that the backtest does not judge at.

Trial 0 is the recipe in use. All are judged at dates before those of the backtest, so that the winner is then
backtested on labels that chose nothing; it becomes a challenger, never at once the champion. Every trial is a row: a
search whose worker was killed goes on from these.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean
from time import monotonic
from typing import Any, Final

from django.contrib.auth.models import User

from crm import assessments
from crm.locks import only_one
from crm.models import JobRun
from mlengine import backtest, datasets, jobs, recipes, training
from mlengine.cards import as_json
from mlengine.columns import Log
from mlengine.halving import ETA, affordable, draws, efforts, survivors
from mlengine.metrics.bootstrap import values_only
from mlengine.models import ModelVersion, Trial
from mlengine.recipes import Found
from mlengine.specs import NotEnoughData, Spec
from mlengine.splits import cutoffs_before
from mlengine.work import Clock, Progress, Refused

MINUTES: Final = 20
MOST_TRIALS: Final = 60
MOST_CUTOFFS: Final = 4


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How one recipe did at some dates."""

    value: float | None
    seconds: float
    error: str = ""


def request(spec: str, *, now: datetime, minutes: int = MINUTES, by: User | None = None) -> JobRun:
    """Ask a worker to search for so many minutes."""
    return jobs.request(jobs.SEARCH, spec, now=now, by=by, more={"minutes": minutes})


def run(job: JobRun, clock: Clock) -> bool:
    """Do a search, then train by what it found."""

    def verb(spec: Spec, cutoff: datetime, now: datetime, progress: Progress) -> dict[str, Any]:
        seconds = 60.0 * int(job.parameters.get("minutes", MINUTES))
        found = search(spec, cutoff=cutoff, now=now, seconds=seconds, progress=progress)
        if found is None:
            return {"trials": Trial.objects.filter(job=job).count(), "found": None}
        version = training.train(spec, cutoff=cutoff, now=now, progress=progress, found=found)
        told = {"version": version.pk, "stage": version.stage, "decision": version.decision}
        return told | {"trials": Trial.objects.filter(job=job).count(), "found": as_json(found.parameters)}

    return jobs.carry_out_for_spec(job, clock, verb)


def search(spec: Spec, *, cutoff: datetime, now: datetime, seconds: float, progress: Progress) -> Found | None:
    """Return the best recipe found in about so many seconds; None where nothing beat the one in use.

    At least the recipe in use and one other are tried, however little time there is.

    Raises
    ------
    mlengine.work.Refused
        The spec has no parameters to search.
    NotEnoughData
        There are no dates to judge at before those of the backtest.
    crm.locks.Busy
        The spec is searched by another process.
    """
    assessments.require(spec.subject, now)
    if not spec.search or progress.job is None:
        raise Refused(f"{spec.title} has no parameters to search.")
    with only_one(f"the search for {spec.name}"):
        base = recipes.adopted(spec, ModelVersion.objects.champion(spec.name))
        wall = datasets.wall_clock(cutoff)
        with progress.step("read the log"):
            log = datasets.log(until=cutoff)
        at = dates(spec, backtest.extent(log, wall, spec.activity_window).begins, wall)
        made = Search(base, log, at, progress, progress.job, seconds)
        best = made.best()
    if not best:
        return None
    return Found(recipe=made.recipe(best), parameters=made.parameters[best], base=spec, trial=best)


def dates(spec: Spec, begins: datetime, end: datetime) -> list[datetime]:
    """Return the dates to judge trials at, earliest first: their labels end before the first date of the backtest."""
    until = end - spec.backtest_cutoffs * spec.horizon  # the first date that the backtest judges at
    first = begins + (until - begins) / 2  # earlier there is too little to learn from
    at = cutoffs_before(until, first=first, horizon=spec.horizon, step=spec.horizon / 2, most=MOST_CUTOFFS)
    if not at:
        raise NotEnoughData(f"{spec.title}: no date lies early enough before {until:%Y-%m-%d} to judge trials at.")
    return at


class Search:
    """The rounds of one search; what its rows tell already is not tried again."""

    def __init__(
        self, spec: Spec, log: Log, at: Sequence[datetime], progress: Progress, job: JobRun, seconds: float
    ) -> None:
        self.spec, self.log, self.progress, self.job, self.seconds = spec, log, progress, job, seconds
        self.at = list(reversed(at))  # the latest date, which is most like today, counts from the first round on
        drawn = [one for one in draws(spec.search, MOST_TRIALS) if self._differs(one)]
        self.parameters: list[dict[str, Any]] = [{}, *drawn]
        self.values: dict[tuple[int, datetime], float] = {}
        self.untold = ""
        self.began = monotonic()

    def best(self) -> int:
        """Return the number of the trial that is left; 0 where the recipe in use is."""
        rounds = efforts(len(self.at))
        first = self._tried(0, 0, rounds[0])
        numbers = list(range(min(len(self.parameters), self._how_many(first.seconds, rounds))))
        going_on = (max(1, len(numbers) // ETA**rung) + bool(rung) for rung in range(len(rounds)))
        self.progress.expect(self.progress.done - 1 + sum(going_on))
        values: dict[int, float | None] = {}
        for rung, effort in enumerate(rounds):
            going = numbers if rung == 0 else self._going_on(values)
            if rung and self._spent():
                break
            values = {number: self._tried(number, rung, effort).value for number in going if self._may(number, rung)}
        return next(iter(survivors(values)), 0)

    def recipe(self, number: int) -> Spec:
        return recipes.with_parameters(self.spec, self.parameters[number])

    def _going_on(self, values: dict[int, float | None]) -> list[int]:
        """Return the better third and the recipe in use, which a winner has to beat at every effort."""
        return sorted({0, *survivors(values)})

    def _how_many(self, seconds_each: float, rounds: Sequence[int]) -> int:
        return max(2, affordable(seconds_each, self.seconds, rounds))

    def _spent(self) -> bool:
        return monotonic() - self.began > self.seconds

    def _may(self, number: int, rung: int) -> bool:
        """Return whether there is time for one more trial; the first two, and what is kept, are not asked."""
        return number < 2 or not self._spent() or self._row(number, rung) is not None

    def _row(self, number: int, rung: int) -> Trial | None:
        return Trial.objects.filter(job=self.job, number=number, rung=rung).first()

    def _tried(self, number: int, rung: int, effort: int) -> Tried:
        row = self._row(number, rung)
        if row is not None:
            return Tried(value=row.value, seconds=row.seconds, error=row.error)
        with self.progress.step(f"trial {number}, round {rung + 1}", of="search"):
            tried = self._judged(number, self.at[:effort])
        Trial.objects.create(
            spec=self.spec.name,
            job=self.job,
            number=number,
            rung=rung,
            parameters=as_json(self.parameters[number]),
            cutoffs=effort,
            value=backtest.finite(tried.value),
            seconds=round(tried.seconds, 3),
            error=tried.error[:300],
        )
        return tried

    def _judged(self, number: int, at: Sequence[datetime]) -> Tried:
        """Return the mean over the dates that can be judged; what was judged in the round before is remembered."""
        began = monotonic()
        try:
            task = self.recipe(number).verbs
            found = [self._value(number, task, cutoff) for cutoff in at]
        except (ValueError, TypeError, ArithmeticError) as error:  # a recipe that cannot be: it lost
            return Tried(value=None, seconds=monotonic() - began, error=f"{type(error).__name__}: {error}")
        values = [value for value in found if math.isfinite(value)]
        why = "" if values else self.untold
        return Tried(value=fmean(values) if values else None, seconds=monotonic() - began, error=why)

    def _value(self, number: int, task: Any, cutoff: datetime) -> float:
        """Return the deciding metric at one date; nan where nothing can be told there, whatever the recipe."""
        if (number, cutoff) not in self.values:
            try:
                answers = task.predict(task.fit(self.log, cutoff), self.log, cutoff)
                with values_only():
                    measured = task.evaluate(answers, self.log, cutoff)
                self.values[number, cutoff] = float(measured[self.spec.decided_by].value)
            except NotEnoughData as error:
                self.untold = str(error)
                self.values[number, cutoff] = math.nan
        return self.values[number, cutoff]

    def _differs(self, parameters: dict[str, Any]) -> bool:
        return any(self.spec.parameters.get(name) != value for name, value in parameters.items())
