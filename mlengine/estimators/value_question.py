"""How value is asked and judged, and the baselines that a champion must beat: the rate so far, buying till you die."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine import labels
from mlengine.columns import HIGH, LABEL, LOW, PURCHASE, SCORE, USER, Log
from mlengine.estimators import parts
from mlengine.estimators.lifetime_value.customers import Customers, histories
from mlengine.estimators.lifetime_value.histories import Histories
from mlengine.metrics import values
from mlengine.metrics.bootstrap import interval
from mlengine.specs import Measure, NotEnoughData, Task

Array = NDArray[Any]

METRICS: Final = {
    "value_explained": values.value_explained,
    "correlation": values.correlation,
    "gini": values.gini,
    "mean_absolute_error": values.mean_absolute_error,
    "root_mean_squared_error": values.root_mean_squared_error,
    "total_ratio": values.total_ratio,
}
YOUNGEST: Final = 28.0  # days: nobody's rate is worked out over less


@dataclass(frozen=True, kw_only=True)
class Question:
    """How value is asked and judged, whatever model answers: of whoever purchased in the activity window."""

    horizon: timedelta
    activity_window: timedelta
    kind: str = PURCHASE

    @property
    def days(self) -> float:
        return self.horizon / timedelta(days=1)

    def active(self, log: Log, cutoff: datetime) -> tuple[Array, Histories]:
        """Return who is asked about, in the order of users, and their histories."""
        asked = parts.active(log, cutoff, self.activity_window, self.kind)[USER].to_numpy()
        people, told = histories(log, cutoff)
        where = np.isin(people, asked)
        return people[where], told.rows(where)

    def after(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``label``, what everybody asked about spent within the horizon."""
        spent = labels.spending(log, cutoff, self.horizon, self.activity_window, self.kind).collect("polars")
        return spent.select(USER, nw.col(labels.SPEND).alias(LABEL))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge expected spends by what came after: the log must reach ``cutoff + horizon``.

        Returns ``value_explained`` (1 - SSE / SST), ``correlation``, ``gini`` (of the order), ``mean_absolute_error``,
        ``root_mean_squared_error``, ``total_ratio`` (said over spent), each with its 95 % bootstrap interval, and
        ``coverage_95`` (of the intervals, where there are any).
        """
        after = labels.spending(log, cutoff, self.horizon, self.activity_window, self.kind).collect("polars")
        joined = after.join(predictions, on=USER, how="inner").sort(USER)
        if not len(joined):
            raise NotEnoughData(f"None of the {len(predictions)} people predicted can be judged at {cutoff}.")
        y, said = joined[labels.SPEND].to_numpy(), joined[SCORE].to_numpy()
        found = {name: interval(metric, y, said) for name, metric in METRICS.items()}
        if LOW in joined.columns:
            inside = values.coverage(y, joined[LOW].to_numpy(), joined[HIGH].to_numpy())
            found["coverage_95"] = Measure(value=inside)
        return found


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """A baseline that learns nothing."""

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        return cls()


@dataclass(frozen=True, kw_only=True)
class RateValue(Question):
    """A baseline: what was spent a day so far, times the days to come."""

    def fit(self, log: Log, cutoff: datetime) -> Nothing:
        return Nothing()

    def predict(self, model: Nothing, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        def answers(some: Log) -> nw.DataFrame[Any]:
            people, told = self.active(some, cutoff)
            spent = told.monetary_value * told.spends / np.maximum(told.T, YOUNGEST) * self.days
            return frame({USER: people, SCORE: spent})

        return parts.each_part(log, cutoff, self.activity_window, self.kind, answers)

    def load(self, directory: Path) -> Nothing:
        return Nothing.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        return {}


@dataclass(frozen=True, kw_only=True)
class CustomersValue(Question):
    """A baseline: "buy till you die" alone, by the name of its model of how often."""

    frequency: str = "pareto_nbd"

    def fit(self, log: Log, cutoff: datetime) -> Customers:
        return Customers.fit(histories(log.until(cutoff), cutoff)[1], self.frequency)

    def predict(self, model: Customers, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        def answers(some: Log) -> nw.DataFrame[Any]:
            people, told = self.active(some, cutoff)
            return frame({USER: people, SCORE: model.spend(told, self.days)})

        return parts.each_part(log, cutoff, self.activity_window, self.kind, answers)

    def load(self, directory: Path) -> Customers:
        return Customers.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        return {}


def frame(columns: Mapping[str, Any]) -> nw.DataFrame[Any]:
    """Return columns of numbers as answers: ``user`` whole, the others not."""
    schema = {name: nw.Int64 if name == USER else nw.Float64 for name in columns}
    made = [nw.new_series(name, values, schema[name], backend="polars") for name, values in columns.items()]
    return made[0].to_frame().with_columns(*made[1:])
