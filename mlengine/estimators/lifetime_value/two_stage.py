"""Two stages of boosted trees: whether somebody buys at all within the horizon, and for how much whoever does.

What they expect and what "buy till you die" expects are averaged: the trees see seasons and habits that it does not, it
knows what to think of people the trees saw few of. Equal weights, since learned ones do worse on so little (Bates &
Granger, The Combination of Forecasts, 1969); on the Complete Journey data the mean explains more than either.

The interval is what happened to others: out of time, how far spends lay from what was expected of them, in groups of
people expected to spend alike. Source of the form: Wang, Liu & Miao, A Deep Probabilistic Model for Customer Lifetime
Value Prediction (2019), whose log-normal is replaced here by the residuals themselves.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from mlengine.estimators.boosted import mean_raw

Array = NDArray[Any]

LEVELS: Final = np.concatenate([[0.0, 0.005, 0.0125], np.linspace(0.025, 0.975, 39), [0.9875, 0.995, 1.0]])
GROUPS: Final = 6
FEWEST_IN_GROUP: Final = 60
MISSED: Final = 0.05  # by an interval of 95 %
LEAST: Final = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Residuals:
    """How far spends lie from what was expected of buyers: quantiles of the logarithm of their ratio, by group.

    Attributes
    ----------
    edges : array of shape (groups - 1,)
        Of what was expected, ascending; a group lies between two.
    quantiles : array of shape (groups, len(LEVELS))
    """

    edges: Array
    quantiles: Array

    @classmethod
    def of(cls, expected: Array, spent: Array) -> Self:
        """Return those of buyers (all positive); groups of at least ``FEWEST_IN_GROUP``, one where there are fewer."""
        logs = np.log(spent) - np.log(expected)
        groups = max(1, min(GROUPS, len(spent) // FEWEST_IN_GROUP))
        edges = np.quantile(expected, np.arange(1, groups) / groups)
        group = np.searchsorted(edges, expected, side="right")
        found = [np.quantile(logs[group == n] if (group == n).any() else logs, LEVELS) for n in range(groups)]
        return cls(edges=edges, quantiles=np.array(found))

    def at(self, expected: Array, level: Array) -> Array:
        """Return which ratio to the expected spend is not passed with probability ``level``, of shape (n,)."""
        group = np.searchsorted(self.edges, expected, side="right")
        found = np.empty(len(expected))
        for n, quantiles in enumerate(self.quantiles):
            found[group == n] = np.interp(level[group == n], LEVELS, quantiles)
        return np.asarray(np.exp(found))


@dataclass(frozen=True, kw_only=True, eq=False)
class TwoStage:
    """Trees for whether, trees for how much, and how far off the mean of theirs and a column of ``X`` was.

    Attributes
    ----------
    names : tuple of str
        The columns that ``X`` has, in this order.
    buys, spends : tuple of lightgbm.Booster
        Log-odds of buying; logarithm of the mean spend of whoever buys. Each the mean over seeds.
    prior : str
        The column of ``X`` that another model expects to be spent.
    typical : float
        Its geometric mean over the people learned from.
    residuals : Residuals
    """

    names: tuple[str, ...]
    buys: tuple[lightgbm.Booster, ...]
    spends: tuple[lightgbm.Booster, ...]
    prior: str
    typical: float
    residuals: Residuals
    facts: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, X: Array) -> Array:
        """Return the probability of buying within the horizon, of shape (n,)."""
        return np.asarray(expit(mean_raw(self.buys, X)))

    def spend(self, X: Array) -> Array:
        """Return the expected spend, of shape (n,)."""
        return self._spend(X, self.probability(X))

    def with_interval(self, X: Array) -> tuple[Array, Array, Array]:
        """Return the expected spend, and the ends of the interval that holds it with 95 % probability, of shape (n,).

        Where no purchase at all is likelier than half of what may be missed, it begins at 0 and all of that lies above.
        """
        p = self.probability(X)
        spend = self._spend(X, p)
        expected = spend / np.maximum(p, LEAST)
        from_zero = 1.0 - p > MISSED / 2
        low = expected * self.residuals.at(expected, _level(p, np.full(len(p), MISSED / 2)))
        high = expected * self.residuals.at(expected, _level(p, np.where(from_zero, 1 - MISSED, 1 - MISSED / 2)))
        low, high = np.where(from_zero, 0.0, low), np.where(p <= MISSED, 0.0, high)
        return spend, np.minimum(low, spend), np.maximum(high, spend)

    def _spend(self, X: Array, p: Array) -> Array:
        return (self._of_trees(X, p) + X[:, self.names.index(self.prior)]) / 2

    def contributions(self, X: Array) -> Array:
        """Return what each column adds to the logarithm of the expected spend, of shape (n, len(names)).

        Exact TreeSHAP (Lundberg 2018) of both stages; a little more in log-odds is (1 - p) times as much in log p. The
        mean's two halves count by their shares in it.
        """
        buys, spends = (
            np.mean([np.asarray(one.predict(X, pred_contrib=True))[:, :-1] for one in boosters], axis=0)
            for boosters in (self.buys, self.spends)
        )
        where, p = self.names.index(self.prior), self.probability(X)
        share = (self._of_trees(X, p) / np.maximum(2 * self._spend(X, p), LEAST))[:, None]
        found = share * (buys * (1.0 - p)[:, None] + spends)
        found[:, where] += (1 - share[:, 0]) * np.log(np.maximum(X[:, where], LEAST) / self.typical)
        return np.asarray(found)

    def _of_trees(self, X: Array, p: Array) -> Array:
        return np.asarray(p * np.exp(mean_raw(self.spends, X)))

    def importances(self) -> dict[str, float]:
        """Return each column's share of the gain, the mean over both stages, the largest first."""
        stages = (self.buys, self.spends)
        gains = [np.sum([one.feature_importance("gain") for one in stage], axis=0) for stage in stages]
        share = np.mean([gain / max(float(gain.sum()), 1e-12) for gain in gains], axis=0)
        return {self.names[n]: float(share[n]) for n in np.argsort(-share, kind="stable")}

    def save(self, directory: Path) -> None:
        for stage, boosters in (("buys", self.buys), ("spends", self.spends)):
            for n, booster in enumerate(boosters):
                (directory / f"{stage}_{n}.txt").write_text(booster.model_to_string(), encoding="utf-8")
        told = {
            "names": self.names,
            "buys": len(self.buys),
            "spends": len(self.spends),
            "prior": self.prior,
            "typical": self.typical,
            "edges": self.residuals.edges.tolist(),
            "quantiles": self.residuals.quantiles.tolist(),
            "facts": self.facts,
        }
        (directory / "two_stage.json").write_text(json.dumps(told), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        told = json.loads((directory / "two_stage.json").read_text(encoding="utf-8"))
        buys, spends = (
            tuple(
                lightgbm.Booster(model_str=(directory / f"{stage}_{n}.txt").read_text(encoding="utf-8"))
                for n in range(told[stage])
            )
            for stage in ("buys", "spends")
        )
        residuals = Residuals(edges=np.array(told["edges"]), quantiles=np.array(told["quantiles"]))
        return cls(
            names=tuple(told["names"]),
            buys=buys,
            spends=spends,
            prior=told["prior"],
            typical=told["typical"],
            residuals=residuals,
            facts=told["facts"],
        )


def _level(p: Array, level: Array) -> Array:
    """Return which quantile of buyers is the ``level`` quantile of all, of whom 1 - p spend nothing."""
    return np.clip((level - (1.0 - p)) / np.maximum(p, LEAST), 0.0, 1.0)
