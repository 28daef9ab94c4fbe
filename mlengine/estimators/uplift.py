"""Whom a treatment helps, learned from people of whom it was drawn by lot who got it: four learners over two bases.

S: one model that knows who was treated. T: one model of the treated, one of the others. X: what each differed from what
the other group's model expected, learned in turn (Künzel, Sekhon, Bickel and Yu, "Metalearners for estimating
heterogeneous treatment effects using machine learning", 2019). Class transformation: one model of whether people did
what their group should (Jaskowski and Jaroszewicz, "Uplift modeling for clinical trial data", 2012), weighted so that
it is right for any propensity (Athey and Imbens, 2015). The bases are a logistic line and small LightGBM trees.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

Array = NDArray[Any]
TREES: Final = {
    "num_leaves": 6, "learning_rate": 0.05, "min_data_in_leaf": 200, "feature_fraction": 0.7, "bagging_fraction": 0.7,
    "bagging_freq": 1, "lambda_l2": 20.0, "verbose": -1, "num_threads": 1, "seed": 0, "deterministic": True,
    "force_row_wise": True,
}  # fmt: skip
ROUNDS: Final = 80
STRENGTH: Final = 1.0  # of the logistic lines, scikit-learn's C on columns of one spread; less is more cautious
RIDGE: Final = 100.0


class Part(Protocol):
    """Something learned that answers with a number a person, and can be kept as JSON."""

    def __call__(self, X: Array) -> Array: ...

    def kept(self) -> dict[str, Any]: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """A weighted sum of columns, made a probability where it is logistic."""

    weight: Array
    intercept: float
    logistic: bool

    def __call__(self, X: Array) -> Array:
        raw = X @ self.weight + self.intercept
        return np.asarray(1 / (1 + np.exp(-raw)) if self.logistic else raw)

    def kept(self) -> dict[str, Any]:
        return {"weight": self.weight.tolist(), "intercept": self.intercept, "logistic": self.logistic}


@dataclass(frozen=True, kw_only=True, eq=False)
class Forest:
    """Boosted trees."""

    booster: lightgbm.Booster

    def __call__(self, X: Array) -> Array:
        return np.asarray(self.booster.predict(X))

    def kept(self) -> dict[str, Any]:
        return {"trees": self.booster.model_to_string()}


def part_of(kept: Mapping[str, Any]) -> Part:
    """Return what ``kept`` gave."""
    if "trees" in kept:
        return Forest(booster=lightgbm.Booster(model_str=kept["trees"]))
    return Line(weight=np.array(kept["weight"]), intercept=kept["intercept"], logistic=kept["logistic"])


class Base(Protocol):
    """How a probability, and how a number, is learned; ``weight`` is of people."""

    def probability(self, X: Array, y: Array, weight: Array | None = None) -> Part: ...

    def number(self, X: Array, y: Array, weight: Array | None = None) -> Part: ...


@dataclass(frozen=True, kw_only=True)
class Logistic:
    """Logistic regression, and ridge regression for numbers; ``X`` must have columns of one spread."""

    strength: float = STRENGTH

    def probability(self, X: Array, y: Array, weight: Array | None = None) -> Part:
        if not 0 < y.sum() < len(y):  # one class only: its share is all there is to know
            return Line(weight=np.zeros(X.shape[1]), intercept=_log_odds(y), logistic=True)
        line = LogisticRegression(C=self.strength, solver="newton-cholesky").fit(X, y, sample_weight=weight)
        return Line(weight=line.coef_[0], intercept=float(line.intercept_[0]), logistic=True)

    def number(self, X: Array, y: Array, weight: Array | None = None) -> Part:
        line = Ridge(alpha=RIDGE).fit(X, y, sample_weight=weight)
        return Line(weight=np.asarray(line.coef_), intercept=float(line.intercept_), logistic=False)


@dataclass(frozen=True, kw_only=True)
class Trees:
    """Small boosted trees."""

    def probability(self, X: Array, y: Array, weight: Array | None = None) -> Part:
        return self._grown("binary", X, y, weight)

    def number(self, X: Array, y: Array, weight: Array | None = None) -> Part:
        return self._grown("regression", X, y, weight)

    def _grown(self, objective: str, X: Array, y: Array, weight: Array | None) -> Part:
        least = min(int(TREES["min_data_in_leaf"]), max(1, len(y) // 20))
        told = lightgbm.Dataset(X, y, weight=weight)
        asked = TREES | {"objective": objective, "min_data_in_leaf": least}
        return Forest(booster=lightgbm.train(asked, told, ROUNDS))


BASES: Final[dict[str, Base]] = {"logistic": Logistic(), "trees": Trees()}


@dataclass(frozen=True, kw_only=True, eq=False)
class Uplift:
    """A learner fitted: ``parts`` are what it consists of."""

    learner: str
    parts: tuple[Part, ...]

    def uplift(self, X: Array) -> Array:
        """Return how much the treatment raises each person's probability, of shape (n,)."""
        return LEARNERS[self.learner].answer(self.parts, X)

    def kept(self) -> dict[str, Any]:
        return {"learner": self.learner, "parts": [part.kept() for part in self.parts]}

    @staticmethod
    def of(kept: Mapping[str, Any]) -> "Uplift":
        return Uplift(learner=kept["learner"], parts=tuple(part_of(one) for one in kept["parts"]))


class Learner(Protocol):
    """How an effect is learned from ``y`` (1 or 0), ``treated`` (1 or 0) and how likely that was; and answered."""

    def fit(self, base: Base, X: Array, y: Array, treated: Array, propensity: Array) -> tuple[Part, ...]: ...

    def answer(self, parts: tuple[Part, ...], X: Array) -> Array: ...


class SLearner:
    """One model, with whether somebody was treated, and that times each column, among its columns."""

    def fit(self, base: Base, X: Array, y: Array, treated: Array, propensity: Array) -> tuple[Part, ...]:
        return (base.probability(self._with(X, treated - 0.5), y),)

    def answer(self, parts: tuple[Part, ...], X: Array) -> Array:
        half = np.full(len(X), 0.5)
        return parts[0](self._with(X, half)) - parts[0](self._with(X, -half))

    def _with(self, X: Array, treated: Array) -> Array:
        return np.column_stack([X, treated, X * treated[:, None]])


class TLearner:
    """One model of each group."""

    def fit(self, base: Base, X: Array, y: Array, treated: Array, propensity: Array) -> tuple[Part, ...]:
        one, other = treated > 0, treated == 0
        return base.probability(X[other], y[other]), base.probability(X[one], y[one])

    def answer(self, parts: tuple[Part, ...], X: Array) -> Array:
        return parts[1](X) - parts[0](X)


class XLearner:
    """A model of each group, then of what people differed from the other group's; the smaller group's counts more."""

    def fit(self, base: Base, X: Array, y: Array, treated: Array, propensity: Array) -> tuple[Part, ...]:
        one, other = treated > 0, treated == 0
        untreated, when_treated = TLearner().fit(base, X, y, treated, propensity)
        of_treated = base.number(X[one], y[one] - untreated(X[one]))
        of_others = base.number(X[other], when_treated(X[other]) - y[other])
        share = Line(weight=np.zeros(X.shape[1]), intercept=float(propensity.mean()), logistic=False)
        return of_treated, of_others, share

    def answer(self, parts: tuple[Part, ...], X: Array) -> Array:
        of_treated, of_others, share = (part(X) for part in parts)
        return np.asarray((1 - share) * of_treated + share * of_others)


class ClassTransformation:
    """One model of whether people did what their group should, each weighted by one over how likely the group was."""

    def fit(self, base: Base, X: Array, y: Array, treated: Array, propensity: Array) -> tuple[Part, ...]:
        weight = 0.5 / np.where(treated > 0, propensity, 1 - propensity)
        return (base.probability(X, (y == treated).astype(float), weight),)

    def answer(self, parts: tuple[Part, ...], X: Array) -> Array:
        return np.asarray(2 * parts[0](X) - 1)


LEARNERS: Final[dict[str, Learner]] = {
    "s": SLearner(), "t": TLearner(), "x": XLearner(), "class_transformation": ClassTransformation(),
}  # fmt: skip


def fit(learner: str, base: Base, X: Array, y: Array, treated: Array, propensity: Array) -> Uplift:
    """Learn an effect.

    Parameters
    ----------
    learner : str
        A key of ``LEARNERS``.
    X : array of shape (n, k), finite
    y, treated : arrays of shape (n,), 1.0 or 0.0
    propensity : array of shape (n,)
        How likely each was to be treated, strictly between 0 and 1.
    """
    return Uplift(learner=learner, parts=LEARNERS[learner].fit(base, X, y, treated, propensity))


def _log_odds(y: Array) -> float:
    share = (y.sum() + 0.5) / (len(y) + 1)
    return float(np.log(share / (1 - share)))
