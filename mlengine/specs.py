"""A model is a spec with three verbs; ``SPECS`` lists them as dotted paths, so that listing them imports none.

``fit(log, cutoff)`` learns from what was known at the cutoff, ``predict(model, log, cutoff)`` answers for everybody
at the cutoff, ``evaluate(predictions, log, cutoff)`` judges answers with what came after. The verbs cut the log
themselves, so handing them a log that reaches past the cutoff leaks nothing; a test holds every spec to that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import narwhals as nw

from mlengine.columns import Log
from mlengine.reasons import Reason


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


# -- what a model or task may offer besides; the shell asks by isinstance, and does without --


@runtime_checkable
class Tells(Protocol):
    """A model that knows facts about itself for its card (cutoffs learned from, rows, what was chosen)."""

    @property
    def facts(self) -> Mapping[str, Any]: ...


@runtime_checkable
class Weighs(Protocol):
    """A model that knows how much each of its columns weighs."""

    def importances(self) -> Mapping[str, float]: ...


@runtime_checkable
class Follows(Protocol):
    """A model whose codes can go on meaning what they meant in the version before."""

    def following(self, previous: Any) -> Any: ...


class Group(Protocol):
    """One group of people: its code, and what to call it by language."""

    @property
    def code(self) -> int: ...
    @property
    def name(self) -> Mapping[str, str]: ...
    @property
    def description(self) -> Mapping[str, str]: ...


@runtime_checkable
class Groups(Protocol):
    """A model that answers with groups of people, and can name them."""

    @property
    def segments(self) -> Sequence[Group]: ...


@runtime_checkable
class Judged(Protocol):
    """A task whose answers can be laid beside what people did (1 or 0), for a calibration curve."""

    def outcomes(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> tuple[Any, Any]: ...


@runtime_checkable
class Explains(Protocol):
    """A task that gives up to three reasons for a person's score, the weightiest first."""

    def explain(
        self, model: Any, log: Log, cutoff: datetime, users: Sequence[int]
    ) -> Mapping[int, Sequence[Reason]]: ...


@runtime_checkable
class Watched(Protocol):
    """A task whose inputs can be watched for drift: one row a person answered for, ``user`` and numbers."""

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...


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

    @property
    def subject(self) -> str:
        """What an impact assessment of it is about."""
        return f"spec:{self.name}"

    @cached_property
    def verbs(self) -> Task:
        module, _, name = self.task.rpartition(".")
        made: Task = getattr(import_module(module), name)(
            horizon=self.horizon, activity_window=self.activity_window, **self.parameters
        )
        return made


_DAY = timedelta(days=1)

_ALL: tuple[Spec, ...] = (
    Spec(
        name="churn",
        title="Churn risk",
        description="The probability that somebody who purchased in the last 90 days will not in the next 28.",
        answers="score",
        task="mlengine.estimators.churn.Churn",
        horizon=28 * _DAY,
        activity_window=90 * _DAY,
        decided_by="roc_auc",
        min_profiles=200,
        min_events=5_000,
        min_days=240,
        parameters={
            "kind": "purchase",
            "history": 91 * _DAY,
            "step": 14 * _DAY,
            "most_cutoffs": 16,
            "rounds": 200,
            "learning_rate": 0.05,
            "leaves": 6,
            "min_in_leaf": 100,
            "columns_share": 0.15,
            "rows_share": 0.7,
            "l2": 10.0,
            "seeds": 3,
            "calibration_folds": 4,
        },
    ),
    Spec(
        name="rfm",
        title="RFM segments",
        description="Eleven segments by how recently, how often and for how much people purchased in half a year.",
        answers="cluster",
        task="mlengine.estimators.rfm.Rfm",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="value_explained",
        min_profiles=50,
        min_events=500,
        min_days=182,
    ),
    Spec(
        name="clusters",
        title="Behaviour clusters",
        description="People who purchase alike, grouped without names given beforehand, and what sets them apart.",
        answers="cluster",
        task="mlengine.estimators.clusters.Clusters",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="behaviour_explained",
        min_profiles=200,
        min_events=5_000,
        min_days=182,
        parameters={"fewest": 4, "most": 8, "top_categories": 4, "least_stability": 0.7, "least_share": 0.03},
    ),
    Spec(
        name="recommendations",
        title="Recommendations",
        description="The items that each person is most likely to buy in the next 28 days, out of all that is bought.",
        answers="recommendation",
        task="mlengine.estimators.recommendations.Recommendations",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="ndcg_at_10",
        min_profiles=50,
        min_events=1_000,
        min_days=56,
        parameters={"k": 20, "recommender": "blend", "new_only": False},
    ),
)

SPECS: dict[str, Spec] = {spec.name: spec for spec in _ALL}
