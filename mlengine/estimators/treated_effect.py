"""What something did to those it was done to, where nobody was drawn by lot: an adjusted estimate, and its tests.

Who was chosen differs from who was not, so the plain difference mixes what was caused with who they are. Two models
take that apart: of who is chosen (the propensity), and of what those not chosen do. Their combination is right where
either is (Robins, Rotnitzky and Zhao, 1994; for the effect on the treated: Sant'Anna and Zhao, 2020, "Doubly robust
difference-in-differences estimators", section 2, for one period), and cross-fitting lets both be flexible
(Chernozhukov et al., 2018, "Double/debiased machine learning"). None of it helps against what the columns do not know:
the estimate says how much it had to adjust, and the caller asks it about a time before anything was done.
"""

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import StratifiedKFold

Array = NDArray[np.float64]
Learner = Callable[[Array, Array, Array], Array]  # X, y to learn from, and X to answer for

FOLDS = 5
ALIKE = 0.9  # whoever was chosen more surely than this has nobody alike among the others, and is left out
FEWEST = 25  # in either group; below, nothing is estimated
TREES = {"num_leaves": 7, "learning_rate": 0.1, "min_data_in_leaf": 20, "verbose": -1, "num_threads": 1, "seed": 7}
ROUNDS = 50


class TooFew(ValueError):
    """There are too few people in one of the groups to compare."""


@dataclass(frozen=True, kw_only=True)
class Effect:
    """The mean effect on the treated, in the outcome's unit, with standard errors; ``raw`` is the plain difference."""

    raw: float
    raw_error: float
    effect: float
    error: float


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """How alike the groups were.

    ``apart`` is the largest standardised difference of a column's means before weighting and ``apart_weighted`` after
    (0.1 is usually called small); ``effective`` says how many equally weighted others the weighted ones are worth.
    """

    treated: int
    others: int
    left_out: int
    effective: float
    apart: float
    apart_weighted: float
    propensity: str  # which model of who is chosen foretold better


def effects(X: Array, treated: Array, outcomes: Array, *, random_state: int = 0) -> tuple[list[Effect], Overlap]:
    """Return the effect of each column of ``outcomes`` on the treated, and how alike the groups were.

    Parameters
    ----------
    X
        Facts of people from before, of shape (n, k); nothing in it may follow from the treatment.
    treated
        1.0 for those it was done to, 0.0 for the others, of shape (n,).
    outcomes
        Of shape (n, m).

    Raises
    ------
    TooFew
        A group has fewer than ``FEWEST`` people, at the beginning or among those who have somebody alike.
    """
    _enough(treated)
    columns = _columns(X)
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=random_state).split(columns, treated))
    name, chance = _chosen(columns, treated, folds)
    kept = chance <= ALIKE
    _enough(treated[kept])
    weights = np.where(treated > 0, 0.0, chance / (1 - np.minimum(chance, ALIKE)))
    found = []
    for y in outcomes.T:
        expected = _expected(columns, treated, y, folds)
        found.append(_effect(treated[kept], y[kept], expected[kept], weights[kept]))
    return found, _overlap(columns, treated, kept, weights, name)


def _effect(treated: Array, y: Array, expected: Array, weights: Array) -> Effect:
    left = y - expected
    of_treated, of_others = left[treated > 0].mean(), np.average(left, weights=weights)
    influence = treated * (left - of_treated) / treated.mean() - weights * (left - of_others) / weights.mean()
    one, other = y[treated > 0], y[treated == 0]
    return Effect(
        raw=float(one.mean() - other.mean()),
        raw_error=float(np.sqrt(one.var(ddof=1) / one.size + other.var(ddof=1) / other.size)),
        effect=float(of_treated - of_others),
        error=float(np.sqrt((influence**2).mean() / y.size)),
    )


def _overlap(X: Array, treated: Array, kept: NDArray[np.bool_], weights: Array, name: str) -> Overlap:
    one, other = X[kept & (treated > 0)], X[kept & (treated == 0)]
    weight = weights[kept & (treated == 0)]
    spread = np.maximum(np.sqrt((one.var(axis=0) + other.var(axis=0)) / 2), 1e-9)
    before = (one.mean(axis=0) - other.mean(axis=0)) / spread
    after = (one.mean(axis=0) - np.average(other, axis=0, weights=weight)) / spread
    return Overlap(
        treated=len(one),
        others=len(other),
        left_out=int(((treated > 0) & ~kept).sum()),
        effective=float(weight.sum() ** 2 / (weight**2).sum()),
        apart=float(abs(before).max()),
        apart_weighted=float(abs(after).max()),
        propensity=name,
    )


def _chosen(X: Array, treated: Array, folds: list[tuple[Array, Array]]) -> tuple[str, Array]:
    """Return the probability of being chosen, each person's foretold without her, by whichever model does it better."""
    candidates = {"logistic": _logistic, "trees": _trees("binary")}
    found = {name: np.clip(_crossed(learn, X, treated, folds), 0.002, 0.998) for name, learn in candidates.items()}
    loss = {
        name: -(treated * np.log(chance) + (1 - treated) * np.log(1 - chance)).mean() for name, chance in found.items()
    }
    best = min(loss, key=lambda name: loss[name])
    return best, found[best]


def _expected(X: Array, treated: Array, y: Array, folds: list[tuple[Array, Array]]) -> Array:
    """Return what each would have done untreated, learned from the untreated of other folds."""
    rest = treated == 0
    found = [_crossed(learn, X, y, folds, among=rest) for learn in (_ridge, _trees("regression"))]
    return min(found, key=lambda expected: float(((y - expected)[rest] ** 2).mean()))


def _crossed(
    learn: Learner, X: Array, y: Array, folds: list[tuple[Array, Array]], among: NDArray[np.bool_] | None = None
) -> Array:
    answers = np.empty(len(y))
    for known, asked in folds:
        taught = known if among is None else known[among[known.astype(int)]]
        answers[asked] = learn(X[taught], y[taught], X[asked])
    return answers


def _logistic(X: Array, y: Array, asked: Array) -> Array:
    mean, spread = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    line = LogisticRegression(C=0.3, max_iter=500).fit((X - mean) / spread, y)
    return np.asarray(line.predict_proba((asked - mean) / spread)[:, 1])


def _ridge(X: Array, y: Array, asked: Array) -> Array:
    mean, spread = X.mean(axis=0), np.maximum(X.std(axis=0), 1e-9)
    line = RidgeCV(alphas=np.logspace(0, 4, 9)).fit((X - mean) / spread, y)
    return np.asarray(line.predict((asked - mean) / spread))


def _trees(objective: str) -> Learner:
    def learn(X: Array, y: Array, asked: Array) -> Array:
        told = lightgbm.Dataset(X, label=y)
        return np.asarray(lightgbm.train(TREES | {"objective": objective}, told, ROUNDS).predict(asked))

    return learn


def _columns(X: Array) -> Array:
    """Return the columns and, of those without negative numbers, the logarithms too; constant ones are left out."""
    X = np.asarray(X, np.float64)
    logs = np.log1p(X[:, (X >= 0).all(axis=0)])
    both = np.hstack([X, logs])
    varied: Array = both[:, both.std(axis=0) > 1e-9]
    return varied


def _enough(treated: Array) -> None:
    number = int(treated.sum())
    if min(number, len(treated) - number) < FEWEST:
        raise TooFew(f"{number} people and {len(treated) - number} others are too few to compare.")
