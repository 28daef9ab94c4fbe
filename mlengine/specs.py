"""A model is a spec with three verbs; ``SPECS`` lists them as dotted paths, so that listing them imports none.

``fit(log, cutoff)`` learns from what was known at the cutoff, ``predict(model, log, cutoff)`` answers for everybody
at the cutoff, ``evaluate(predictions, log, cutoff)`` judges answers with what came after. The verbs cut the log
themselves, so handing them a log that reaches past the cutoff leaks nothing; a test holds every spec to that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import narwhals as nw

from mlengine.columns import Log


class NotEnoughData(ValueError):
    """Training was refused; the message says what is missing and how much there is."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One metric with its bootstrap interval (95 %), ``None`` where no interval is computed."""

    value: float
    low: float | None = None
    high: float | None = None


class Model(Protocol):
    """What ``fit`` returns: an estimator that can be kept without pickles."""

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> Self: ...


class Task(Protocol):
    """The three verbs, and the baselines that a champion must beat (each with the same ``fit`` and ``predict``)."""

    def fit(self, log: Log, cutoff: datetime) -> Model: ...

    def predict(self, model: Any, log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]: ...

    def baselines(self) -> Mapping[str, "Task"]: ...

    def load(self, directory: Path) -> Model: ...


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What is asked, of whom, how far ahead, and what it takes to be trusted."""

    name: str
    title: str
    description: str
    answers: str  # "score", "recommendation" or "cluster": which rows a prediction becomes
    task: str  # dotted path of a Task class; ``parameters`` are its keyword arguments
    horizon: timedelta
    activity_window: timedelta
    decided_by: str  # the metric that decides promotion, higher is better
    min_profiles: int
    min_events: int
    min_days: int
    backtest_cutoffs: int = 4
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def verbs(self) -> Task:
        module, _, name = self.task.rpartition(".")
        made: Task = getattr(import_module(module), name)(
            horizon=self.horizon, activity_window=self.activity_window, **self.parameters
        )
        return made


SPECS: dict[str, Spec] = {}
