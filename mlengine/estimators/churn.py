"""Who will leave: the probability that somebody active does not purchase within the horizon.

Three tasks ask the same question and share how it is asked and judged: boosted trees on all families of features, and
two baselines that a champion must beat (days since the last purchase; logistic regression on RFM).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import lightgbm
import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine import labels
from mlengine.columns import LABEL, PURCHASE, SCORE, USER, Log
from mlengine.estimators import explain
from mlengine.estimators.boosted import BoostedTrees, grown, mean_raw
from mlengine.estimators.calibration import choose
from mlengine.estimators.examples import Examples, labelled, matrix, people, ripe_cutoffs
from mlengine.estimators.logistic import LogLogistic
from mlengine.estimators.parts import among, each_part
from mlengine.metrics.bootstrap import interval
from mlengine.metrics.calibration import calibration_error
from mlengine.metrics.classification import average_precision, brier, lift, roc_auc
from mlengine.reasons import Reason
from mlengine.specs import Measure, NotEnoughData, Task
from mlengine.splits import rolling_origin

METRICS: Final = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "brier": brier,
    "calibration_error": calibration_error,
    "lift_top_decile": lift,
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """How churn is asked and judged, whatever model answers.

    Parameters
    ----------
    horizon, activity_window : timedelta
        Nothing purchased for how long is leaving; who purchased in which window before is asked about.
    kind : str
        The kind of event whose absence is leaving.
    history : timedelta
        How much of the log must lie before the earliest cutoff learned from.
    step : timedelta
        Distance between cutoffs learned from; fewer days bring rows that say the same again.
    most_cutoffs : int
        Learn from so many at most, the latest ones.
    """

    horizon: timedelta
    activity_window: timedelta
    kind: str = PURCHASE
    history: timedelta = timedelta(days=91)
    step: timedelta = timedelta(days=14)
    most_cutoffs: int = 16

    families: ClassVar[tuple[str, ...]] = ("money",)

    def cutoffs(self, log: Log, cutoff: datetime) -> list[datetime]:
        """Return the cutoffs to learn from, whose labels are ripe at ``cutoff``; raise ``NotEnoughData`` if none."""
        asked = {"history": self.history, "horizon": self.horizon, "step": self.step}
        return ripe_cutoffs(log, cutoff, self.kind, most=self.most_cutoffs, **asked)

    def examples(self, log: Log, cutoff: datetime) -> Examples:
        """Return everything to learn from at ``cutoff``: known then, both kinds of people in it."""
        known = log.until(cutoff)
        cutoffs = self.cutoffs(known, cutoff)
        found = labelled(known, cutoffs, self.horizon, self.activity_window, self.families, self.kind)
        if not found.has_both_kinds():
            left = int(found.y.sum())
            raise NotEnoughData(
                f"Needs people who left and people who stayed; of {len(found.y)} examples at {len(cutoffs)} cutoffs "
                f"{left} left and {len(found.y) - left} stayed."
            )
        return found

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and all features of everybody asked about at ``cutoff`` (for drift and reasons too)."""
        return people(log, cutoff, self.activity_window, self.families, self.kind)

    def rows_for(self, model: BoostedTrees | LogLogistic, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return the rows that are scored."""
        return self.people(log, cutoff)

    def predict(self, model: BoostedTrees | LogLogistic, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``score``, the probability of leaving, for everybody active before ``cutoff``."""

        def scored(some: Log) -> nw.DataFrame[Any]:
            return self.score(model, self.people(some, cutoff))

        return each_part(log, cutoff, self.activity_window, self.kind, scored)

    def score(self, model: BoostedTrees | LogLogistic, rows: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
        """Return ``user`` and ``score`` for rows of features that ``people`` made."""
        probability = model.probability(matrix(rows, model.names)) if len(rows) else np.empty(0)
        return rows.select(USER).with_columns(_column(rows, SCORE, probability))

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge scores by what came after: the log must reach ``cutoff + horizon``.

        Returns ``roc_auc``, ``average_precision``, ``brier``, ``calibration_error`` (expected, ten equal bins) and
        ``lift_top_decile``, each with its 95 % bootstrap interval.
        """
        y, score = self.outcomes(predictions, log, cutoff)
        return {name: interval(metric, y, score) for name, metric in METRICS.items()}

    def outcomes(
        self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return what people did (1 left) beside what was said, in the order of users."""
        joined = self.after(log, cutoff).join(predictions.select(USER, SCORE), on=USER, how="inner").sort(USER)
        if not len(joined):
            raise NotEnoughData(f"None of the {len(predictions)} people predicted can be judged at {cutoff}.")
        return joined[LABEL].to_numpy(), joined[SCORE].to_numpy()

    def explain(
        self, model: BoostedTrees | LogLogistic, log: Log, cutoff: datetime, users: Sequence[int]
    ) -> dict[int, list[Reason]]:
        """Return up to three reasons for the scores of these people, the weightiest first."""
        rows = self.people(among(log, cutoff, self.activity_window, self.kind, users), cutoff)
        return explain.explain(model, rows.filter(nw.col(USER).is_in(list(users))))

    def after(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``label`` (1 left) of everybody asked about, once the horizon has passed."""
        return labels.churn(log, cutoff, self.horizon, self.activity_window, self.kind).collect("polars")


@dataclass(frozen=True, kw_only=True)
class LogisticChurn(Question):
    """A baseline: logistic regression on the logarithms of a few columns."""

    columns: tuple[str, ...] = ("days_since_last_purchase", "shopping_days_91", "value_91")

    def fit(self, log: Log, cutoff: datetime) -> LogLogistic:
        found = self.examples(log, cutoff)
        where = [found.names.index(name) for name in self.columns]
        return LogLogistic.fit(found.X[:, where], found.y, self.columns)

    def load(self, directory: Path) -> LogLogistic:
        return LogLogistic.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        return {}


@dataclass(frozen=True, kw_only=True)
class Churn(Question):
    """Boosted trees on all families, calibrated out of time.

    The defaults were chosen on the Complete Journey data at cutoffs from 2017-08-11 to 2017-11-03: shallow trees that
    see few columns each did best, deeper ones and denser cutoffs no better. What is not learned from on purpose: how
    complete a profile's attributes are. It tells much about who stays, but attributes carry no date, so that whoever
    stayed longer has had more time to state them: the future would leak into the past.

    Parameters
    ----------
    rounds, learning_rate, leaves, min_in_leaf, columns_share, rows_share, l2
        LightGBM's num_iterations, learning_rate, num_leaves, min_data_in_leaf, feature_fraction, bagging_fraction,
        lambda_l2.
    seeds : int
        So many models are averaged.
    calibration_folds : int
        At most so many out-of-time folds give the scores that calibration is learned from.
    """

    rounds: int = 200
    learning_rate: float = 0.05
    leaves: int = 6
    min_in_leaf: int = 100
    columns_share: float = 0.15
    rows_share: float = 0.7
    l2: float = 10.0
    seeds: int = 3
    calibration_folds: int = 4
    threads: int = 1  # trees this small spend more time waiting for each other's threads than growing

    families: ClassVar[tuple[str, ...]] = (
        "money", "rhythm", "trend", "categories", "discounts", "engagement", "clock",
    )  # fmt: skip

    def fit(self, log: Log, cutoff: datetime) -> BoostedTrees:
        found = self.examples(log, cutoff)
        cutoffs = sorted(set(found.cutoff.tolist()))
        calibrator = choose(self._out_of_time(found, cutoffs))
        facts = {
            "cutoffs": [f"{each:%Y-%m-%d}" for each in cutoffs],
            "rows": len(found.y),
            "left": int(found.y.sum()),
            "calibration": type(calibrator).__name__.lower(),
        }
        return BoostedTrees(names=found.names, boosters=self._boosters(found), calibrator=calibrator, facts=facts)

    def load(self, directory: Path) -> BoostedTrees:
        return BoostedTrees.load(directory)

    def baselines(self) -> Mapping[str, Task]:
        """Return what must be beaten: recency alone, and recency, frequency and money."""
        shared = {name: getattr(self, name) for name in (field.name for field in fields(Question))}
        recency: Task = LogisticChurn(columns=("days_since_last_purchase",), **shared)
        rfm: Task = LogisticChurn(**shared)
        return {"days_since_last_purchase": recency, "rfm_logistic": rfm}

    def _out_of_time(self, found: Examples, cutoffs: list[datetime]) -> list[tuple[Any, Any]]:
        """Return (raw scores, labels) at later cutoffs than those learned from; at worst, with one cutoff, its own."""
        folds = []
        for earlier, judged in rolling_origin(cutoffs, horizon=self.horizon, folds=self.calibration_folds):
            train, test = found.at(earlier), found.at([judged])
            if train.has_both_kinds() and test.has_both_kinds():
                folds.append((mean_raw(self._boosters(train), test.X), test.y))
        return folds or [(mean_raw(self._boosters(found), found.X), found.y)]

    def _boosters(self, found: Examples) -> tuple[lightgbm.Booster, ...]:
        return grown(self, found.X, found.y, found.names, seeds=self.seeds, threads=self.threads)


def _column(rows: nw.DataFrame[Any], name: str, values: NDArray[Any]) -> nw.Series[Any]:
    return nw.new_series(name, values, nw.Float64, backend=rows.implementation)
