"""From raw scores (log-odds) to probabilities that mean what they say, learned from scores out of time.

Two maps, both increasing, so that no ranking changes: Platt's logistic line (Platt 1999) and isotonic regression
(Zadrozny & Elkan 2002) joined by straight lines between its blocks, so that people in one block keep their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from mlengine.metrics.classification import log_loss

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Platt:
    """A logistic curve: probability = 1 / (1 + exp(-(slope * raw + intercept)))."""

    slope: float
    intercept: float

    @classmethod
    def fit(cls, raw: Array, y: Array) -> Self:
        line = LogisticRegression(C=np.inf).fit(raw.reshape(-1, 1), y)
        return cls(slope=float(line.coef_[0, 0]), intercept=float(line.intercept_[0]))

    def __call__(self, raw: Array) -> Array:
        return np.asarray(expit(self.slope * raw + self.intercept))

    def arrays(self) -> dict[str, Array]:
        return {"platt": np.array([self.slope, self.intercept])}


@dataclass(frozen=True, kw_only=True, eq=False)
class Isotonic:
    """Straight lines through the middles of isotonic regression's blocks; beyond the ends it stays level."""

    x: Array
    probability: Array

    @classmethod
    def fit(cls, raw: Array, y: Array) -> Self:
        order = np.argsort(raw, kind="stable")
        fitted = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit_transform(raw[order], y[order])
        block = np.r_[0, np.cumsum(np.diff(fitted) > 0)]
        size = np.bincount(block)
        middle = np.bincount(block, weights=raw[order]) / size
        # One person who did among no others would be called certain: each block is drawn to the mean by two people.
        share = (np.bincount(block, weights=y[order]) + 2 * y.mean()) / (size + 2)
        return cls(x=middle, probability=np.maximum.accumulate(share))

    def __call__(self, raw: Array) -> Array:
        return np.interp(raw, self.x, self.probability)

    def arrays(self) -> dict[str, Array]:
        return {"isotonic_x": self.x, "isotonic_probability": self.probability}


Calibrator = Platt | Isotonic


def from_arrays(arrays: dict[str, Array]) -> Calibrator:
    """Return the calibrator that ``arrays()`` was taken of."""
    if "platt" in arrays:
        return Platt(slope=float(arrays["platt"][0]), intercept=float(arrays["platt"][1]))
    return Isotonic(x=arrays["isotonic_x"], probability=arrays["isotonic_probability"])


def choose(folds: Sequence[tuple[Array, Array]]) -> Calibrator:
    """Return the map with the lower log loss on folds it was not fitted on, fitted on all of them.

    Parameters
    ----------
    folds : sequence of (raw, y)
        Scores of people at cutoffs later than those the scoring model learned from; one fold gives Platt, which
        cannot overfit with two numbers.
    """
    raw, y = np.concatenate([fold[0] for fold in folds]), np.concatenate([fold[1] for fold in folds])
    if len(folds) < 2:
        return Platt.fit(raw, y)
    kinds: tuple[type[Platt] | type[Isotonic], ...] = (Platt, Isotonic)
    best = min(kinds, key=lambda kind: _left_out_loss(kind, folds))
    return best.fit(raw, y)


def _left_out_loss(kind: type[Platt] | type[Isotonic], folds: Sequence[tuple[Array, Array]]) -> float:
    losses = []
    for n, (raw, y) in enumerate(folds):
        others = [fold for m, fold in enumerate(folds) if m != n]
        fitted = kind.fit(np.concatenate([fold[0] for fold in others]), np.concatenate([fold[1] for fold in others]))
        losses.append(log_loss(y, fitted(raw)))
    return float(np.mean(losses))
