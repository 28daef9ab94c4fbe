"""What a spec says of its model, apart from how it is learned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from importlib import import_module
from typing import Any, Final

from mlengine.specs.verbs import Task

DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """How far apart groups of people may come off before a model is not promoted; see :mod:`mlengine.metrics.fairness`.

    Attributes
    ----------
    selected : float
        The share of people, those with the highest scores, that somebody would do something about.
    limits : mapping
        By measure: the least ratio to the best group (selection_rate and what a task serves by), the largest
        difference from the best group (equal_opportunity), the farthest from zero (calibration_gap); what has no
        limit is told and blocks nothing.
    attributes : tuple of str or None
        What people are grouped by; None: what the settings say.
    """

    selected: float = 0.2
    limits: Mapping[str, float | None] = field(
        default_factory=lambda: {
            "selection_rate": 0.8,  # the four-fifths rule, 29 CFR 1607.4 D
            "equal_opportunity": 0.1,
            "calibration_gap": 0.1,
            "ndcg_at_10": 0.8,
        }
    )
    attributes: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A number that an answer has beside its score: what to call it, and its unit (as :attr:`Spec.unit`, or hour)."""

    title: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What is asked, of whom, how far ahead, and what it takes to be trusted."""

    name: str
    title: str
    description: str
    answers: str  # "score", "recommendation", "cluster", "link" or "repurchase": which rows a prediction becomes
    task: str  # dotted path of a Task class; ``parameters`` are its keyword arguments
    horizon: timedelta
    activity_window: timedelta
    decided_by: str  # the metric that decides promotion, higher is better
    min_profiles: int
    min_events: int
    min_days: int
    backtest_cutoffs: int = 4
    parameters: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Sequence[Any]] = field(default_factory=dict)  # values that a search may try, by parameter
    kind: str = "purchase"  # of the events that are foreseen: data reach as far as they do
    answered_by: str = ""  # the kind that tells what came of them, where another: data reach as far as those do
    unit: str = "probability"  # of a score: probability, money, days, count or effect
    facts: Mapping[str, Fact] = field(default_factory=dict)  # columns that ``predict`` gives beside the score
    is_optional: bool = False  # what it learns from may not be there (trials by lot): a demonstration goes on without
    fair: Fairness = field(default_factory=Fairness)

    @property
    def has_bounds(self) -> bool:
        """Whether its scores have the ends of an interval: only amounts do."""
        return self.unit in {"money", "days", "count", "effect"}

    @property
    def reaches(self) -> tuple[str, ...]:
        """The kinds of events that there must be; data reach as far as the last of them do."""
        return (self.kind, self.answered_by) if self.answered_by else (self.kind,)

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
