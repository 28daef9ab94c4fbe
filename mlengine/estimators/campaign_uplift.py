"""Whom a campaign makes buy: learned from people of whom it was drawn by lot whether they were to get it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.columns import CHANNEL, SCORE, SESSION, USER, Log
from mlengine.estimators import explain
from mlengine.estimators.campaign_trial import LEVERS, EffectQuestion
from mlengine.estimators.effect import Effect, Lever
from mlengine.estimators.prepared import Prepared
from mlengine.estimators.uplift import Base, Logistic, Trees, Uplift
from mlengine.estimators.uplift_choice import CANDIDATES, Trial, chosen, learned, tells, tried
from mlengine.offers import told
from mlengine.reasons import Reason
from mlengine.specs import Task

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Alike(EffectQuestion):
    """A baseline: the average effect for everybody, which orders nobody; its Qini is 0."""

    def fit(self, log: Log, cutoff: datetime) -> Effect:
        rows, X, names = self.drawn(log, cutoff)
        return _average_only(rows, X, names, Logistic(strength=self.strength))


@dataclass(frozen=True, kw_only=True)
class LikelyBuyers(EffectQuestion):
    """A baseline: those first who are likeliest to buy anyway, as campaigns without uplift are aimed."""

    def fit(self, log: Log, cutoff: datetime) -> Effect:
        rows, X, names = self.drawn(log, cutoff)
        return _average_only(rows, X, names, Logistic(strength=self.strength))

    def predict(self, model: Effect, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        return super().predict(model, log, cutoff).with_columns(nw.col("untreated").alias(SCORE))


@dataclass(frozen=True, kw_only=True)
class CampaignUplift(EffectQuestion):
    """The learner chosen crosswise among four kinds, and the average for all where effects do not differ."""

    def fit(self, log: Log, cutoff: datetime) -> Effect:
        rows, X, names = self.drawn(log, cutoff)
        plain = _average_only(rows, X, names, Logistic(strength=self.strength))
        trial = _trial_of(rows, plain.prepared(X))
        bases: Mapping[str, Base] = {"logistic": Logistic(strength=self.strength), "trees": Trees()}
        candidates = tried(trial, CANDIDATES, bases=bases)
        name = chosen(candidates)
        claims = tells(candidates, name)
        facts = {
            **plain.facts,
            "learner": name,
            "expected_best": CANDIDATES[0],
            "effects_differ": claims,
            "chance": round(candidates[name].p, 6),
            "qini_crosswise": {each: round(one.mean, 6) for each, one in candidates.items()},
            "chance_crosswise": {each: round(one.p, 6) for each, one in candidates.items()},
        }
        uplift = learned(name, trial, bases) if claims else None
        levers = self._levers(rows, trial, bases, name if claims else None)
        facts["by_channel"] = {
            channel: [round(lever.average, 6), round(lever.average_error, 6)] for channel, lever in levers.items()
        }
        return Effect(
            names=names,
            prepared=plain.prepared,
            average=plain.average,
            average_error=plain.average_error,
            uplift=uplift,
            again=_again(name, trial, bases, self.again) if claims else (),
            untreated=plain.untreated,
            levers=levers,
            facts=facts,
        )

    def baselines(self) -> Mapping[str, Task]:
        shared = {name: getattr(self, name) for name in self.__dataclass_fields__}
        alike: Task = Alike(**shared)
        likely: Task = LikelyBuyers(**shared)
        return {"same_for_all": alike, "likely_buyers": likely}

    def explain(self, model: Effect, log: Log, cutoff: datetime, users: Sequence[int]) -> dict[int, list[Reason]]:
        """Return up to three reasons for the effects on these people, the weightiest first."""
        rows = self.people(log, cutoff)
        return explain.explain(model, rows.filter(nw.col(USER).is_in(list(users))))

    def _levers(
        self, rows: pl.DataFrame, trial: Trial, bases: Mapping[str, Base], name: str | None
    ) -> dict[str, Lever]:
        """Return what each channel does, where enough people were drawn for it."""
        found = {}
        for channel in LEVERS:
            there = np.flatnonzero((rows[CHANNEL] == channel).fill_null(value=False).to_numpy())
            among = trial.among(there)
            if min(among.treated.sum(), len(there) - among.treated.sum()) >= self.least:
                found[channel] = Lever(
                    average=among.average(),
                    average_error=_error(among),
                    uplift=learned(name, among, bases) if name else None,
                    again=_again(name, among, bases, self.again) if name else (),
                )
        return found


def _average_only(rows: pl.DataFrame, X: Array, names: tuple[str, ...], base: Base) -> Effect:
    prepared = Prepared.fit(X)
    Z = prepared(X)
    trial = _trial_of(rows, Z)
    held_out = trial.treated == 0
    return Effect(
        names=names,
        prepared=prepared,
        average=trial.average(),
        average_error=_error(trial),
        uplift=None,
        again=(),
        untreated=base.probability(Z[held_out], trial.y[held_out]),
        facts={
            "runs": int(rows[SESSION].n_unique()),
            "trials": told(rows),
            "treated": int(trial.treated.sum()),
            "held_out": int(held_out.sum()),
            "average_effect": round(trial.average(), 6),
            "average_effect_error": round(_error(trial), 6),
        },
    )


def _trial_of(rows: pl.DataFrame, Z: Array) -> Trial:
    y, treated, chance = (rows[name].to_numpy() for name in ("did", "treated", "chance"))
    return Trial(X=Z, y=y, treated=treated, propensity=chance)


def _error(trial: Trial) -> float:
    """Return the standard error of the average effect."""
    parts = 0.0
    for group in (trial.treated, 1 - trial.treated):
        weight = trial.weight * group
        mean = (weight * trial.y).sum() / weight.sum()
        parts += float(((weight * (trial.y - mean)) ** 2).sum() / weight.sum() ** 2)
    return float(np.sqrt(parts))


def _again(name: str, trial: Trial, bases: Mapping[str, Base], times: int) -> tuple[Uplift, ...]:
    rng = np.random.default_rng(0)
    return tuple(learned(name, trial.among(rng.integers(0, len(trial.y), len(trial.y))), bases) for _ in range(times))
