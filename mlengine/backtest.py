"""What would have been: a spec and its rivals trained and judged at dates in the past, on what was known then."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

import narwhals as nw

from mlengine.columns import OCCURRED_AT, USER, Log
from mlengine.specs import Dated, Judged, Measure, NotEnoughData, Spec, Task
from mlengine.splits import cutoffs_before
from mlengine.work import Progress

# What is told of the model's answers at the last cutoff: of a frame of answers, the log and the cutoff.
Audit = Callable[[nw.DataFrame[Any], Log, datetime], Mapping[str, Any]]

MODEL = "model"  # the subject that the spec itself is; its rivals go by their names


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much there is to learn from."""

    begins: datetime
    events: int
    profiles: int
    active: int

    def refuse_unless_enough(self, spec: Spec, cutoff: datetime) -> None:
        """Raise NotEnoughData that says what is missing, and how much there is, if the spec asks for more."""
        days = (cutoff - self.begins).days
        asked = [
            (self.events, spec.min_events, "events"),
            (self.active, spec.min_profiles, f"people active in the {spec.activity_window.days} days before"),
            (days, max(spec.min_days, _days_for(spec)), "days of history"),
        ]
        missing = [f"{there:,} {what}, {least:,} needed" for there, least, what in asked if there < least]
        if missing:
            raise NotEnoughData(
                f"{spec.title}: not enough to learn from until {cutoff:%Y-%m-%d}: {'; '.join(missing)}."
            )


@dataclass(frozen=True, kw_only=True)
class Backtest:
    """Measures by subject, cutoff (wall clock) and metric."""

    measures: Mapping[str, Mapping[datetime, Mapping[str, Measure]]]
    details: Mapping[str, Any] = field(default_factory=dict)  # what the task tells of the last cutoff

    def mean(self, subject: str, metric: str) -> float:
        """Return the mean over the cutoffs; NaN, which beats nothing, where the metric could not be measured."""
        found = [by_name[metric].value for by_name in self.measures[subject].values() if metric in by_name]
        return fmean(found) if len(found) == len(self.measures[subject]) else math.nan

    def rows(self) -> Iterator[tuple[str, datetime, str, Measure]]:
        for subject, by_cutoff in self.measures.items():
            for cutoff, by_name in by_cutoff.items():
                for name, measure in by_name.items():
                    yield subject, cutoff, name, measure

    def table(self) -> dict[str, dict[str, float | None]]:
        """Return the means by subject and metric, for a model card."""
        names = {subject: next(iter(found.values()), {}) for subject, found in self.measures.items()}
        return {
            subject: {name: finite(self.mean(subject, name)) for name in metrics} for subject, metrics in names.items()
        }


def extent(log: Log, cutoff: datetime, activity_window: timedelta) -> Extent:
    """Return how much a log holds before the cutoff."""
    events = log.until(cutoff).events
    recent = events.filter(nw.col(OCCURRED_AT) >= cutoff - activity_window)
    facts = events.select(begins=nw.col(OCCURRED_AT).min(), events=nw.len(), profiles=nw.col(USER).n_unique()).collect()
    begins, count, profiles = facts.row(0)
    active = recent.select(nw.col(USER).n_unique()).collect().item()
    return Extent(begins=begins or cutoff, events=count, profiles=profiles, active=active)


def cutoffs(spec: Spec, begins: datetime, end: datetime, log: Log) -> list[datetime]:
    """Return the dates to judge at: a horizon apart, the last one's labels ripe at ``end``; earliest first.

    A task that can be judged at some dates only names them, and refuses where there are none.
    """
    if isinstance(spec.verbs, Dated):
        return list(spec.verbs.judged_at(log, end, spec.backtest_cutoffs))
    first = begins + spec.activity_window
    return cutoffs_before(end, first=first, horizon=spec.horizon, step=spec.horizon, most=spec.backtest_cutoffs)


def run(
    tasks: Mapping[str, Task],
    log: Log,
    at: Sequence[datetime],
    progress: Progress,
    *,
    audits: Mapping[str, Audit] | None = None,
) -> Backtest:
    """Train and judge every task at every cutoff, each on what was known at that date.

    ``audits`` are asked of the model's answers at the last cutoff, and told in the details by their names.
    """
    measures: dict[str, dict[datetime, Mapping[str, Measure]]] = {subject: {} for subject in tasks}
    details: dict[str, Any] = {}
    for cutoff in at:
        for subject, task in tasks.items():
            with progress.step(f"backtest {cutoff:%Y-%m-%d}: {subject}", of=f"backtest {subject}"):
                answers = task.predict(task.fit(log, cutoff), log, cutoff)
                measures[subject][cutoff] = task.evaluate(answers, log, cutoff)
            if subject == MODEL and cutoff == at[-1]:
                if isinstance(task, Judged):
                    details["calibration"] = _calibration(task, answers, log, cutoff)
                with progress.step("look at groups of people"):
                    details |= {name: audit(answers, log, cutoff) for name, audit in (audits or {}).items()}
    return Backtest(measures=measures, details=details)


def finite(value: Any) -> float | None:
    """Return a number that JSON and a chart can show, None for NaN and infinities."""
    return float(value) if value is not None and math.isfinite(value) else None


def _calibration(task: Judged, answers: nw.DataFrame[Any], log: Log, cutoff: datetime) -> list[dict[str, float]]:
    from mlengine.metrics.calibration import calibration_curve  # noqa: PLC0415 (web processes may load this module)

    return [asdict(each) for each in calibration_curve(*task.outcomes(answers, log, cutoff))]


def _days_for(spec: Spec) -> int:
    """Return how many days the dates to judge at take; a task that names its own refuses where there are none."""
    if isinstance(spec.verbs, Dated):
        return 0
    return (spec.activity_window + spec.horizon * spec.backtest_cutoffs).days
