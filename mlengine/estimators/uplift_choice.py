"""Which learner to trust, and whether to trust any: told on the training part alone, by people each did not learn from.

An order of people by effect is easily imagined where there is none. So scores are made crosswise, each person's by a
model that has not seen her, and asked whether the effect really differs as they say (:func:`differs`). Where that is
not beyond chance nothing is claimed: everybody gets the average effect, which is an order of nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from mlengine.estimators.uplift import BASES, Base, Uplift, fit
from mlengine.metrics.uplift import differs, qini

Array = NDArray[Any]

FOLDS, REPEATS = 3, 2
SURE: Final = 0.05  # the chance at which one may be wrong in claiming that effects differ, all candidates together
CANDIDATES: Final = ("t_logistic", "s_logistic", "x_logistic", "class_transformation_logistic", "s_trees")


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial:
    """People by lot: facts from before, what they did (1 or 0), who was treated, and how likely that was."""

    X: Array
    y: Array
    treated: Array
    propensity: Array

    def among(self, rows: Array) -> "Trial":
        return Trial(X=self.X[rows], y=self.y[rows], treated=self.treated[rows], propensity=self.propensity[rows])

    @property
    def weight(self) -> Array:
        """Return one over the probability of what was drawn for each."""
        return np.asarray(1 / np.where(self.treated > 0, self.propensity, 1 - self.propensity))

    def average(self) -> float:
        """Return the average effect, each group weighted to everybody."""
        one, other = self.weight * self.treated, self.weight * (1 - self.treated)
        return float((one * self.y).sum() / one.sum() - (other * self.y).sum() / other.sum())


@dataclass(frozen=True, kw_only=True)
class Tried:
    """How a candidate did on people it had not seen: its Qini in each fold, and the chance that it tells nothing."""

    qini: tuple[float, ...]
    p: float

    @property
    def mean(self) -> float:
        return float(np.mean(self.qini))


def learned(name: str, trial: Trial, bases: Mapping[str, Base] = BASES) -> Uplift:
    """Return a candidate (``learner_base``) fitted."""
    learner, _, base = name.rpartition("_")
    return fit(learner, bases[base], trial.X, trial.y, trial.treated, trial.propensity)


def tried(
    trial: Trial, names: Sequence[str] = CANDIDATES, *, bases: Mapping[str, Base] = BASES, random_state: int = 0
) -> dict[str, Tried]:
    """Return how each candidate does crosswise; the chance is the median over repeats of the cutting."""
    found: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in names}
    groups = 2 * trial.y + trial.treated
    for repeat in range(REPEATS):
        folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=random_state + repeat).split(trial.X, groups))
        for name, (figures, chances) in found.items():
            scores = np.empty(len(trial.y))
            for known, asked in folds:
                scores[asked] = learned(name, trial.among(known), bases).uplift(trial.X[asked])
                there = trial.among(asked)
                figures.append(qini(there.y, scores[asked], there.treated, there.weight))
            chances.append(differs(trial.y, scores, trial.treated, trial.propensity).p)
    return {name: Tried(qini=tuple(figures), p=float(np.median(p))) for name, (figures, p) in found.items()}


def chosen(found: Mapping[str, Tried]) -> str:
    """Return the first candidate unless another is better by more than two standard errors over the folds.

    The first is the one that the literature and our own trials expect to win on few people; the best of several noisy
    figures is otherwise mostly the luckiest.
    """
    first = next(iter(found))
    best, margin = first, 0.0
    for name, one in found.items():
        apart = np.subtract(one.qini, found[first].qini)
        beyond = float(apart.mean() - 2 * apart.std(ddof=1) / np.sqrt(FOLDS))  # repeats cut the same people anew
        if beyond > margin:
            best, margin = name, beyond
    return best


def tells(found: Mapping[str, Tried], name: str) -> bool:
    """Return whether a candidate's order of people is beyond chance, being one of so many (Bonferroni)."""
    return found[name].p * len(found) < SURE and found[name].mean > 0
