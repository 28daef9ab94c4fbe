"""Boosted trees that answer with calibrated probabilities, and can be kept as text."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, Self

import lightgbm
import numpy as np
from numpy.typing import NDArray

from mlengine.estimators.calibration import Calibrator, Platt, from_arrays

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class BoostedTrees:
    """The mean of several LightGBM models (log-odds), made a probability by a calibrator.

    Attributes
    ----------
    names : tuple of str
        The columns that ``X`` has, in this order.
    boosters : tuple of lightgbm.Booster
        Equal but for their seed: their mean is steadier than any of them.
    facts : mapping
        For the model card: cutoffs learned from, numbers of rows, the calibrator chosen.
    """

    names: tuple[str, ...]
    boosters: tuple[lightgbm.Booster, ...]
    calibrator: Calibrator
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def members(self) -> "tuple[BoostedTrees, ...]":
        """Return a model of each seed alone, calibrated as their mean is."""
        return tuple(replace(self, boosters=(booster,)) for booster in self.boosters)

    def raw(self, X: Array) -> Array:
        """Return log-odds before calibration, of shape (n,)."""
        return mean_raw(self.boosters, X)

    def probability(self, X: Array) -> Array:
        """Return calibrated probabilities of shape (n,)."""
        return self.calibrator(self.raw(X))

    def contributions(self, X: Array) -> Array:
        """Return what each column adds to the log-odds, of shape (n, len(names)): exact TreeSHAP (Lundberg 2018).

        Under Platt's calibration they are stretched by its slope, so that they add up to the calibrated log-odds
        less those of the average person. Slow: about 1 ms a row.
        """
        each = [np.asarray(booster.predict(X, pred_contrib=True))[:, :-1] for booster in self.boosters]
        slope = self.calibrator.slope if isinstance(self.calibrator, Platt) else 1.0
        return np.asarray(np.mean(each, axis=0) * slope)

    def importances(self) -> dict[str, float]:
        """Return each column's share of the total gain, the largest first."""
        gain = np.sum([booster.feature_importance("gain") for booster in self.boosters], axis=0)
        share = gain / max(float(gain.sum()), 1e-12)
        return {self.names[n]: float(share[n]) for n in np.argsort(-share, kind="stable")}

    def save(self, directory: Path) -> None:
        for n, booster in enumerate(self.boosters):
            (directory / f"trees_{n}.txt").write_text(booster.model_to_string(), encoding="utf-8")
        calibrator = {name: values.tolist() for name, values in self.calibrator.arrays().items()}
        card = {"names": self.names, "boosters": len(self.boosters), "calibrator": calibrator, "facts": self.facts}
        (directory / "model.json").write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        texts = [(directory / f"trees_{n}.txt").read_text(encoding="utf-8") for n in range(card["boosters"])]
        calibrator = from_arrays({name: np.array(values) for name, values in card["calibrator"].items()})
        boosters = tuple(lightgbm.Booster(model_str=text) for text in texts)
        return cls(names=tuple(card["names"]), boosters=boosters, calibrator=calibrator, facts=card["facts"])


class Shape(Protocol):
    """How small trees are grown: LightGBM's num_iterations, learning_rate, num_leaves and so on, by our names."""

    @property
    def rounds(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def leaves(self) -> int: ...
    @property
    def min_in_leaf(self) -> int: ...
    @property
    def columns_share(self) -> float: ...
    @property
    def rows_share(self) -> float: ...
    @property
    def l2(self) -> float: ...


def grown(
    shape: Shape, X: Array, y: Array, names: Sequence[str], *, seeds: int, objective: str = "binary", threads: int = 1
) -> tuple[lightgbm.Booster, ...]:
    """Return a model of each seed learned from X, (n, len(names)), and y, (n,); the same seed grows the same trees.

    Of few rows a leaf needs a twentieth at most, so that something grows at all. The bins that columns are sorted into
    take a third of the time, so all seeds share them: they were the same ones up to the rows they are made of.
    """
    parameters = {
        "objective": objective,
        "learning_rate": shape.learning_rate,
        "num_leaves": shape.leaves,
        "min_data_in_leaf": min(shape.min_in_leaf, max(1, len(y) // 20)),
        "feature_fraction": shape.columns_share,
        "bagging_fraction": shape.rows_share,
        "bagging_freq": 1,
        "lambda_l2": shape.l2,
        "data_random_seed": 1,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    rows = lightgbm.Dataset(X, y, feature_name=list(names))
    return tuple(
        lightgbm.train(parameters | {"seed": seed}, rows, num_boost_round=shape.rounds) for seed in range(seeds)
    )


def mean_raw(boosters: Sequence[lightgbm.Booster], X: Array) -> Array:
    """Return the mean log-odds of several models, of shape (n,)."""
    return np.asarray(np.mean([np.asarray(booster.predict(X, raw_score=True)) for booster in boosters], axis=0))
