"""A logistic regression on the logarithm of a few columns: the plain model that a better one must beat."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class LogLogistic:
    """Probability = logistic(intercept + sum of weight * standardised log(1 + column)); columns below 0 count as 0."""

    names: tuple[str, ...]
    mean: Array
    scale: Array
    weight: Array
    intercept: float

    @classmethod
    def fit(cls, X: Array, y: Array, names: tuple[str, ...]) -> Self:
        logs = _logs(X)
        mean, scale = logs.mean(axis=0), np.maximum(logs.std(axis=0), 1e-9)
        line = LogisticRegression(max_iter=500).fit((logs - mean) / scale, y)
        return cls(names=names, mean=mean, scale=scale, weight=line.coef_[0], intercept=float(line.intercept_[0]))

    def probability(self, X: Array) -> Array:
        """Return probabilities of shape (n,)."""
        return np.asarray(expit((_logs(X) - self.mean) / self.scale @ self.weight + self.intercept))

    def contributions(self, X: Array) -> Array:
        """Return what each column adds to the log-odds beside an average person, of shape (n, len(names)); exact."""
        return np.asarray((_logs(X) - self.mean) / self.scale * self.weight)

    def importances(self) -> dict[str, float]:
        """Return each column's share of all weight (of columns brought to one scale), the largest first."""
        share = np.abs(self.weight) / max(float(np.abs(self.weight).sum()), 1e-12)
        return {self.names[n]: float(share[n]) for n in np.argsort(-share, kind="stable")}

    def save(self, directory: Path) -> None:
        card = {"names": self.names, "intercept": self.intercept}
        arrays = {"mean": self.mean, "scale": self.scale, "weight": self.weight}
        numbers = {name: value.tolist() for name, value in arrays.items()}
        (directory / "model.json").write_text(json.dumps(card | numbers), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        arrays = {name: np.array(card[name]) for name in ("mean", "scale", "weight")}
        return cls(names=tuple(card["names"]), intercept=card["intercept"], **arrays)


def _logs(X: Array) -> Array:
    return np.asarray(np.log1p(np.maximum(np.nan_to_num(X), 0.0)))
