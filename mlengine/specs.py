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
class AddsUp(Protocol):
    """A model whose answers are sums, so that a web request can ask for more of them than were written."""

    def parts(self) -> Mapping[str, Any]: ...


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


@runtime_checkable
class Dated(Protocol):
    """A task that can be judged at some dates only, as trials by lot are not held every month."""

    def judged_at(self, log: Log, end: datetime, most: int) -> Sequence[datetime]: ...


@runtime_checkable
class Ripens(Protocol):
    """A task that can say of each person what came after: ``user`` and ``label``, 1 or 0 or an amount."""

    def after(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...


@runtime_checkable
class Shown(Protocol):
    """A task that shows what acting on its answers would have brought, in numbers that JSON and a page can have."""

    def shown(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Any]: ...


@runtime_checkable
class Serves(Protocol):
    """A task whose answers serve each person well or badly: ``user``, a number a measure, higher is better.

    Columns of strings tell people apart who are served differently for good reason, as those with little history:
    no limit holds between them.
    """

    def served(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...


@runtime_checkable
class Exposes(Protocol):
    """A task whose answers give items places: ``item``, ``places``, ``sold`` of late, and strings to group them by."""

    def exposed(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...


@runtime_checkable
class Supposes(Protocol):
    """A task that scores rows of columns, also such as nobody has: what would the score be if …"""

    def rows_for(self, model: Any, log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...

    def score(self, model: Any, rows: nw.DataFrame[Any]) -> nw.DataFrame[Any]: ...


@runtime_checkable
class Averages(Protocol):
    """A model that is the mean of several which differ in their seed alone."""

    @property
    def members(self) -> Sequence[Any]: ...


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
    unit: str = "probability"  # of a score: probability, money, days, count or effect
    facts: Mapping[str, Fact] = field(default_factory=dict)  # columns that ``predict`` gives beside the score
    is_optional: bool = False  # what it learns from may not be there (trials by lot): a demonstration goes on without
    fair: Fairness = field(default_factory=Fairness)

    @property
    def has_bounds(self) -> bool:
        """Whether its scores have the ends of an interval: only amounts do."""
        return self.unit in {"money", "days", "count", "effect"}

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


def _with_ends(unit: str, titles: Mapping[str, str]) -> dict[str, Fact]:
    """Return numbers that have the ends of an interval beside them, ``<name>_low`` and ``<name>_high``."""
    ends = (("", ""), ("_low", ", at least"), ("_high", ", at most"))
    return {
        f"{name}{end}": Fact(title=f"{title}{words}", unit=unit)
        for name, title in titles.items()
        for end, words in ends
    }


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
        search={
            "rounds": (100, 200, 400),
            "learning_rate": (0.025, 0.05, 0.1),
            "leaves": (4, 6, 8, 15),
            "min_in_leaf": (50, 100, 200),
            "columns_share": (0.1, 0.15, 0.3, 0.6),
            "l2": (1.0, 10.0, 50.0),
        },
    ),
    Spec(
        name="staying_away",
        title="Staying away",
        description="How many days somebody who purchased in the last 90 will stay away, and how likely for how long.",
        answers="score",
        task="mlengine.estimators.hazard.StayingAway",
        horizon=84 * _DAY,
        activity_window=90 * _DAY,
        decided_by="concordance",
        min_profiles=200,
        min_events=5_000,
        min_days=260,
        backtest_cutoffs=2,
        parameters={
            "kind": "purchase",
            "history": 91 * _DAY,
            "step": 14 * _DAY,
            "most_cutoffs": 12,
            "rounds": 150,
            "learning_rate": 0.06,
            "leaves": 8,
            "min_in_leaf": 100,
            "columns_share": 0.3,
            "rows_share": 0.7,
            "l2": 10.0,
            "seeds": 1,
        },
        search={
            "rounds": (75, 150, 300),
            "learning_rate": (0.03, 0.06, 0.12),
            "leaves": (4, 8, 15),
            "min_in_leaf": (50, 100, 200),
            "columns_share": (0.15, 0.3, 0.6),
        },
        unit="days",
        facts={
            f"away_{days}": Fact(title=f"No purchase in the next {days} days", unit="probability")
            for days in range(7, 85, 7)
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
        name="companions",
        title="Item companions",
        description="Which items go with an item: in one basket, with the same people, and looked at next.",
        answers="link",
        task="mlengine.estimators.companions.Companions",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="ndcg_at_10",
        min_profiles=50,
        min_events=1_000,
        min_days=56,
        backtest_cutoffs=2,
    ),
    Spec(
        name="repurchase",
        title="Repurchase",
        description="When each person will want an item, or anything of a category, again.",
        answers="repurchase",
        task="mlengine.estimators.repurchase.Repurchase",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="ndcg_at_10",
        min_profiles=50,
        min_events=1_000,
        min_days=56,
        backtest_cutoffs=3,
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
        parameters={"k": 20, "recommender": "blend", "new_only": False, "fresh": 2},
        search={"recommender": ("own_history", "item_knn", "ease", "ials", "infinite", "tastes", "sequence_blend")},
    ),
    Spec(
        name="value",
        title="Customer value",
        description="What somebody who purchased in the last half year will spend in the next twelve weeks.",
        answers="score",
        task="mlengine.estimators.value.Value",
        horizon=84 * _DAY,
        activity_window=182 * _DAY,
        decided_by="value_explained",
        min_profiles=200,
        min_events=5_000,
        min_days=350,
        backtest_cutoffs=2,
        unit="money",
        facts={
            "purchases": Fact(title="Expected purchases", unit="count"),
            "alive": Fact(title="Still a customer", unit="probability"),
            "next_order_days": Fact(title="Days until the next order", unit="days"),
            "year": Fact(title="Expected spend in a year", unit="money"),
        },
    ),
    Spec(
        name="response",
        title="Message response",
        description="The probability that somebody clicks the next message, on her best channel and at her best hour.",
        answers="score",
        task="mlengine.estimators.message_response.MessageResponse",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="roc_auc",
        min_profiles=200,
        min_events=1_000,
        min_days=56,
        backtest_cutoffs=2,
        parameters={"window": 7 * _DAY, "least": 500, "least_answers": 30},
        kind="sent",
        facts={
            "best_hour": Fact(title="Best hour of the day", unit="hour"),
            **_with_ends(
                "probability",
                {
                    "by_wechat": "Clicks by WeChat",
                    "by_wecom": "Clicks by WeCom",
                    "by_mini_program": "Clicks by mini program",
                    "by_email": "Clicks by e-mail",
                    "by_sms": "Clicks by SMS",
                },
            ),
        },
        is_optional=True,
    ),
    Spec(
        name="conversion",
        title="Orders after a message",
        description="How likely somebody purchases in the 14 days after the next message, be it because of it or not.",
        answers="score",
        task="mlengine.estimators.message_conversion.MessageConversion",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="roc_auc",
        min_profiles=200,
        min_events=1_000,
        min_days=56,
        backtest_cutoffs=2,
        parameters={"window": 14 * _DAY, "clicked_within": 7 * _DAY, "least": 500, "least_answers": 30},
        kind="sent",
        facts={
            "best_hour": Fact(title="Best hour of the day", unit="hour"),
            **_with_ends(
                "probability",
                {
                    "by_wechat": "Orders after WeChat",
                    "by_wecom": "Orders after WeCom",
                    "by_mini_program": "Orders after mini program",
                    "by_email": "Orders after e-mail",
                    "by_sms": "Orders after SMS",
                },
            ),
        },
        is_optional=True,
    ),
    Spec(
        name="uplift",
        title="Campaign uplift",
        description="By how much a campaign raises the probability that somebody purchases in the 14 days after.",
        answers="score",
        task="mlengine.estimators.campaign_uplift.CampaignUplift",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="qini",
        min_profiles=500,
        min_events=5_000,
        min_days=120,
        backtest_cutoffs=2,
        parameters={"window": 14 * _DAY, "least": 300, "least_judged": 100, "strength": 0.03, "again": 20},
        unit="effect",
        facts={
            "untreated": Fact(title="Purchases without a campaign", unit="probability"),
            **_with_ends(
                "effect",
                {
                    "effect_wechat": "Effect by WeChat",
                    "effect_wecom": "Effect by WeCom",
                    "effect_email": "Effect by e-mail",
                    "effect_sms": "Effect by SMS",
                },
            ),
        },
        is_optional=True,
    ),
    Spec(
        name="discovery",
        title="Discovery",
        description="The items that each person has never bought and is most likely to try in the next 28 days.",
        answers="recommendation",
        task="mlengine.estimators.recommendations.Recommendations",
        horizon=28 * _DAY,
        activity_window=182 * _DAY,
        decided_by="ndcg_at_10",
        min_profiles=50,
        min_events=1_000,
        min_days=56,
        backtest_cutoffs=2,
        parameters={"k": 20, "recommender": "blend", "new_only": True},
    ),
)

SPECS: dict[str, Spec] = {spec.name: spec for spec in _ALL}
