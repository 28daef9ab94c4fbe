"""How long somebody stays away: the chance of coming back in each week to come, and what that makes of the weeks.

A discrete-time hazard model (Cox 1972, section 6; Singer & Willett 1993): one row a person and week until they come
back, boosted trees or a line for the chance of coming back *this* week given that they have not yet. The probability
of staying away through week k is the product of the chances of not coming back in weeks 1 to k, so that the answers for
all horizons agree with each other; and cutoffs whose last weeks are not over yet teach the weeks that are.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine import labels
from mlengine.columns import AWAY, LABEL, PURCHASE, SCORE, USER, Log
from mlengine.estimators import explain
from mlengine.estimators.boosted import BoostedTrees, grown
from mlengine.estimators.calibration import Platt
from mlengine.estimators.examples import enough, matrix, people, ripe_cutoffs
from mlengine.estimators.logistic import LogLogistic
from mlengine.estimators.parts import among, each_part
from mlengine.estimators.weeks import PERIOD, Weeks, expanded, weeks_known
from mlengine.metrics.bootstrap import interval
from mlengine.metrics.survival import absolute_error, concordance
from mlengine.reasons import Reason
from mlengine.specs import Measure, NotEnoughData, Task

Array = NDArray[Any]
WEEK: Final = timedelta(days=7)
RESAMPLES: Final = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class Hazards:
    """The chance of coming back by week, from trees or a line that know the week as a column."""

    by_week: BoostedTrees | LogLogistic
    weeks: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        return self.by_week.names[:-1]

    def away(self, X: Array) -> Array:
        """Return the probability of staying away through each week, of shape (n, weeks); it never rises."""
        back = [self.by_week.probability(np.column_stack([X, np.full(len(X), k)])) for k in range(self.weeks)]
        return np.cumprod(1.0 - np.column_stack(back), axis=1)

    def contributions(self, X: Array) -> Array:
        """Return what each column adds to the log-odds of *not* coming back next week, of shape (n, len(names))."""
        if not isinstance(self.by_week, BoostedTrees):
            return np.zeros((len(X), len(self.names)))
        return -self.by_week.contributions(np.column_stack([X, np.zeros(len(X))]))[:, :-1]

    def importances(self) -> dict[str, float]:
        if not isinstance(self.by_week, BoostedTrees):
            return {}
        found = self.by_week.importances()
        rest = 1.0 - found.pop(PERIOD, 0.0)
        return {name: share / max(rest, 1e-12) for name, share in found.items()}

    def save(self, directory: Path) -> None:
        self.by_week.save(directory)
        card = {"weeks": self.weeks, "facts": self.facts, "trees": isinstance(self.by_week, BoostedTrees)}
        (directory / "weeks.json").write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> "Hazards":
        card = json.loads((directory / "weeks.json").read_text(encoding="utf-8"))
        kind = BoostedTrees if card["trees"] else LogLogistic
        return cls(by_week=kind.load(directory), weeks=card["weeks"], facts=card["facts"])


@dataclass(frozen=True, kw_only=True)
class Staying:
    """How staying away is asked and judged, whatever model answers.

    Parameters
    ----------
    horizon : timedelta
        How far ahead, whole weeks.
    activity_window : timedelta
        Who purchased in which window before is asked about.
    kind : str
        The kind of event that is coming back.
    history, step, most_cutoffs
        How much of the log must lie before the earliest cutoff learned from, how far these lie apart, how many at most.
    """

    horizon: timedelta
    activity_window: timedelta
    kind: str = PURCHASE
    history: timedelta = timedelta(days=91)
    step: timedelta = timedelta(days=14)
    most_cutoffs: int = 12

    families: ClassVar[tuple[str, ...]] = ("money",)

    @property
    def weeks(self) -> int:
        return max(1, self.horizon // WEEK)

    def learned_from(self, log: Log, cutoff: datetime) -> Weeks:
        """Return one row a person, cutoff and week, of what was known at ``cutoff``.

        Raises
        ------
        NotEnoughData
            No cutoff has a week after it, or everybody, or nobody, came back.
        """
        known = log.until(cutoff)
        asked = {"history": self.history, "horizon": WEEK, "step": self.step}
        cutoffs = ripe_cutoffs(known, cutoff, self.kind, most=self.most_cutoffs, **asked)
        some = enough(known, cutoffs, self.activity_window, self.kind, rows_each=2)  # about two weeks a person
        found = Weeks.under_each_other([self._weeks(some, at, cutoff) for at in cutoffs])
        if not 0 < found.y.sum() < len(found.y):
            raise NotEnoughData(
                f"Needs weeks with and without coming back; of {len(found.y)} {int(found.y.sum())} had."
            )
        return found

    def _weeks(self, log: Log, at: datetime, end: datetime) -> Weeks:
        rows = self.people(log, at)
        names = tuple(name for name in rows.columns if name != USER)
        after = labels.weeks_until_next(log, at, self.horizon, self.kind).collect("polars")
        joined = rows.select(USER).join(after, on=USER, how="left").sort(USER)
        week = joined["week"].cast(nw.Float64).to_numpy()
        return expanded(names, matrix(rows, names), week, seen=weeks_known(at, end, self.weeks))

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and all features of everybody asked about at ``cutoff`` (for drift and reasons too)."""
        return people(log, cutoff, self.activity_window, self.families, self.kind)

    def predict(self, model: Hazards, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user``, ``score`` (expected days away, at most the horizon) and ``away_<days>`` for each week."""

        def scored(some: Log) -> nw.DataFrame[Any]:
            return self.score(model, self.people(some, cutoff))

        return each_part(log, cutoff, self.activity_window, self.kind, scored)

    def rows_for(self, model: Hazards, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return the rows that are scored."""
        return self.people(log, cutoff)

    def score(self, model: Hazards, rows: nw.DataFrame[Any]) -> nw.DataFrame[Any]:
        """Return what ``predict`` does, for rows of features."""
        away = model.away(matrix(rows, model.names)) if len(rows) else np.empty((0, model.weeks))
        columns = {f"{AWAY}{7 * (k + 1)}": away[:, k] for k in range(model.weeks)}
        columns = {SCORE: 7.0 * (1.0 + away[:, :-1].sum(axis=1)), **columns}
        made = [
            nw.new_series(name, values, nw.Float64, backend=rows.implementation) for name, values in columns.items()
        ]
        return rows.select(USER).with_columns(*made)

    def after(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``label``, the days everybody asked about stayed away, at most the horizon."""
        back = labels.weeks_until_next(log, cutoff, self.horizon, self.kind).collect("polars")
        asked = labels.active(log, cutoff, self.activity_window, self.kind).collect("polars")
        joined = asked.join(back, on=USER, how="left").sort(USER)
        week = joined["week"].cast(nw.Float64).fill_null(float(self.weeks)).to_numpy()
        days = nw.new_series(LABEL, 7.0 * np.minimum(week + 1, self.weeks), nw.Float64, backend=joined.implementation)
        return joined.select(USER).with_columns(days)

    def evaluate(self, predictions: nw.DataFrame[Any], log: Log, cutoff: datetime) -> Mapping[str, Measure]:
        """Judge expected days by what came after: the log must reach ``cutoff + horizon``.

        Returns ``concordance`` (Harrell's, all still away at the horizon tied) and ``days_error`` (mean absolute, in
        days, whoever is still away counting as the horizon), each with its 95 % bootstrap interval.
        """
        after = labels.weeks_until_next(log, cutoff, self.horizon, self.kind).collect("polars")
        joined = predictions.select(USER, SCORE).join(after, on=USER, how="left").sort(USER)
        if not len(joined):
            raise NotEnoughData(f"None of the {len(predictions)} people predicted can be judged at {cutoff}.")
        week, score = joined["week"].cast(nw.Float64).to_numpy(), joined[SCORE].to_numpy()
        week = np.where(np.isnan(week), self.weeks, week)
        return {
            "concordance": interval(concordance, week, score, resamples=RESAMPLES),
            "days_error": interval(absolute_error, 7.0 * np.minimum(week + 1, self.weeks), score, resamples=RESAMPLES),
        }

    def load(self, directory: Path) -> Hazards:
        return Hazards.load(directory)


@dataclass(frozen=True, kw_only=True)
class StayingByLine(Staying):
    """A baseline: logistic regression on the logarithms of the week and a few columns."""

    columns: tuple[str, ...] = ("days_since_last_purchase", "shopping_days_91", "value_91")

    def fit(self, log: Log, cutoff: datetime) -> Hazards:
        found = self.learned_from(log, cutoff)
        where = [found.names.index(name) for name in (*self.columns, PERIOD)]
        line = LogLogistic.fit(found.X[:, where], found.y, (*self.columns, PERIOD))
        return Hazards(by_week=line, weeks=self.weeks)

    def baselines(self) -> Mapping[str, Task]:
        return {}


@dataclass(frozen=True, kw_only=True)
class StayingAway(Staying):
    """Boosted trees on the families of features and the week.

    Parameters
    ----------
    rounds, learning_rate, leaves, min_in_leaf, columns_share, rows_share, l2
        LightGBM's num_iterations, learning_rate, num_leaves, min_data_in_leaf, feature_fraction, bagging_fraction,
        lambda_l2.
    seeds : int
        So many models are averaged.
    """

    rounds: int = 150
    learning_rate: float = 0.06
    leaves: int = 8
    min_in_leaf: int = 100
    columns_share: float = 0.3
    rows_share: float = 0.7
    l2: float = 10.0
    seeds: int = 1

    families: ClassVar[tuple[str, ...]] = ("money", "rhythm", "trend", "engagement", "clock")

    def fit(self, log: Log, cutoff: datetime) -> Hazards:
        found = self.learned_from(log, cutoff)
        boosters = grown(self, found.X, found.y, found.names, seeds=self.seeds)
        trees = BoostedTrees(names=found.names, boosters=boosters, calibrator=Platt(slope=1.0, intercept=0.0))
        facts = {"rows": len(found.y), "came_back": int(found.y.sum())}
        return Hazards(by_week=trees, weeks=self.weeks, facts=facts)

    def baselines(self) -> Mapping[str, Task]:
        """Return what must be beaten: recency alone, and recency, frequency and money."""
        shared = {name: getattr(self, name) for name in (each.name for each in fields(Staying))}
        recency: Task = StayingByLine(columns=("days_since_last_purchase",), **shared)
        rfm: Task = StayingByLine(**shared)
        return {"days_since_last_purchase": recency, "rfm_logistic": rfm}

    def explain(self, model: Hazards, log: Log, cutoff: datetime, users: Sequence[int]) -> dict[int, list[Reason]]:
        """Return up to three reasons for the scores of these people, the weightiest first."""
        rows = self.people(among(log, cutoff, self.activity_window, self.kind, users), cutoff)
        return explain.explain(model, rows.filter(nw.col(USER).is_in(list(users))))
