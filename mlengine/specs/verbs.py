"""The three verbs, and what else a model or a task may offer: the shell asks by isinstance, and does without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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


@runtime_checkable
class Continues(Protocol):
    """A model with a network so light that a web request can ask it what comes next; see `NextItems` of estimators."""

    @property
    def light(self) -> Mapping[str, Any]: ...


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
class Matches(Protocol):
    """A task whose answers tell of several things that may come; it is judged by what was said of the one that came.

    ``judged_by`` are the numbers beside a score that this takes. ``matched`` gives ``user``, ``said`` and ``label``, a
    row for each thing that came, a person's first one first.
    """

    @property
    def judged_by(self) -> tuple[str, ...]: ...

    def matched(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...


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
    """A task that scores rows of columns, also such as nobody has: what would the score be if …

    Its rows are of those who had an event of ``kind`` in the ``activity_window`` before.
    """

    @property
    def activity_window(self) -> timedelta: ...
    @property
    def kind(self) -> str: ...

    def rows_for(self, model: Any, log: Log, cutoff: datetime) -> nw.DataFrame[Any]: ...

    def score(self, model: Any, rows: nw.DataFrame[Any]) -> nw.DataFrame[Any]: ...


@runtime_checkable
class Averages(Protocol):
    """A model that is the mean of several which differ in their seed alone."""

    @property
    def members(self) -> Sequence[Any]: ...
