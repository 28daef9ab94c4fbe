"""Who will do it, from a table of any columns: four models of different kinds, cross-fitted, and weighed by a stack.

What each is good at differs: *additive* trees of three leaves (near to an explainable boosting machine; Lou, Caruana &
Gehrke 2012), *deep* trees that also see crossed columns, a *line* over bent columns, and a small *network*. Each is
learned on k folds that leave one out; what it says of the fold left out teaches the weights (Wolpert 1992; kept at or
above zero as in Breiman 1996), and the k models together answer for new rows, so that nothing is learned twice.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.model_selection import StratifiedKFold

from mlengine.estimators.members import KINDS, Member, Prepared, kept_members
from mlengine.estimators.tables import Encoder
from mlengine.metrics.classification import roc_auc
from mlengine.specs import NotEnoughData

Array = NDArray[Any]

LEAST_OF_EACH: Final = 5
PRIOR: Final = 10.0  # nats over all rows: how hard the weights are pulled to equal ones


@dataclass(frozen=True, kw_only=True, eq=False)
class TabularEnsemble:
    """Members by kind, one a fold, and the weight of each kind's mean log-odds.

    Attributes
    ----------
    encoder : Encoder
    members : mapping of str to tuple of Member
    weights : mapping of str to float
        By kind, none below 0.
    intercept : float
    facts : mapping
        Rows, how many did it, folds, and the ROC AUC of each kind on what it had not seen.
    """

    encoder: Encoder
    members: Mapping[str, tuple[Member, ...]]
    weights: Mapping[str, float]
    intercept: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    def probability(self, frame: Any) -> Array:
        """Return probabilities of shape (n,) for a frame of any engine; it may lack columns, or have more."""
        table = nw.from_native(frame, eager_only=True)
        if not len(table):
            return np.empty(0)
        X = self.encoder(table)
        total = np.full(len(table), self.intercept)
        for kind, weight in self.weights.items():
            if weight > 0:
                total += weight * np.mean([member.raw(X) for member in self.members[kind]], axis=0)
        return np.asarray(expit(total))

    def save(self, directory: Path) -> None:
        for kind, members in self.members.items():
            for n, member in enumerate(members):
                member.save(directory, f"{kind}_{n}")
        card = {
            "encoder": self.encoder.as_json(),
            "members": {kind: len(members) for kind, members in self.members.items()},
            "weights": self.weights,
            "intercept": self.intercept,
            "facts": self.facts,
        }
        (directory / "model.json").write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        return cls(
            encoder=Encoder.from_json(card["encoder"]),
            members={kind: kept_members(directory, kind, count) for kind, count in card["members"].items()},
            weights=card["weights"],
            intercept=card["intercept"],
            facts=card["facts"],
        )


@dataclass(frozen=True, kw_only=True)
class Tabular:
    """How an ensemble is learned.

    Parameters
    ----------
    folds : int
        Each kind is learned so many times; fewer where one label has fewer rows.
    kinds : tuple of str
        Which of ``members.KINDS``.
    random_state : int
    """

    folds: int = 8
    kinds: tuple[str, ...] = ("additive", "deep", "line", "network")
    random_state: int = 0

    def fit(self, frame: Any, y: Array) -> TabularEnsemble:
        """Learn from a frame of any columns and labels of shape (n,), 1 or 0.

        Raises
        ------
        NotEnoughData
            Fewer than five rows did it, or did not, or no column tells rows apart.
        """
        table, y = nw.from_native(frame, eager_only=True), np.asarray(y, dtype=np.float64)
        least = int(min(y.sum(), len(y) - y.sum())) if len(y) else 0
        if least < LEAST_OF_EACH:
            did = int(y.sum()) if len(y) else 0
            raise NotEnoughData(f"Needs {LEAST_OF_EACH} rows of either label; {did} of {len(y)} did it.")
        encoder = Encoder.fit(table)
        if not encoder.names:
            raise NotEnoughData("No column tells rows apart: each has one value throughout.")
        members, unseen = self._cross_fitted(encoder(table), y, encoder.categorical, min(self.folds, least))
        weights, intercept = stack(unseen, y)
        facts = {"rows": len(y), "did": int(y.sum()), "folds": min(self.folds, least), "unseen": scores(unseen, y)}
        return TabularEnsemble(
            encoder=encoder,
            members=members,
            weights=dict(zip(self.kinds, weights, strict=True)),
            intercept=intercept,
            facts=facts,
        )

    def _cross_fitted(
        self, X: Array, y: Array, categorical: tuple[int, ...], folds: int
    ) -> tuple[dict[str, tuple[Member, ...]], dict[str, Array]]:
        """Return the members by kind, and what each kind said of rows it had not seen (log-odds)."""
        members: dict[str, tuple[Member, ...]] = dict.fromkeys(self.kinds, ())
        unseen = {kind: np.empty(len(y)) for kind in self.kinds}
        cut = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
        for n, (learn, left_out) in enumerate(cut.split(X, y)):
            rows = Prepared.of(X[learn], y[learn], categorical, random_state=self.random_state + n)
            for kind in self.kinds:
                member = KINDS[kind].fit(rows)
                members[kind] += (member,)
                unseen[kind][left_out] = member.raw(X[left_out])
        return members, unseen


def stack(unseen: Mapping[str, Array], y: Array) -> tuple[list[float], float]:
    """Return weights at or above 0 and an intercept that give the least log loss on unseen log-odds.

    Examples
    --------
    >>> y = np.array([0, 1] * 200)
    >>> rng = np.random.default_rng(0)
    >>> weights, _ = stack({"good": 2.0 * y - 1 + rng.normal(size=400), "noise": rng.normal(size=400)}, y)
    >>> weights[0] > 1 > 0.1 > weights[1] >= 0
    True
    """
    Z = np.column_stack(list(unseen.values()))
    equal, ridge = 1.0 / Z.shape[1], PRIOR / len(y)

    def loss(at: Array) -> tuple[float, Array]:
        raw, apart = Z @ at[:-1] + at[-1], at[:-1] - equal
        slope = (expit(raw) - y) / len(y)
        value = -np.mean(y * log_expit(raw) + (1 - y) * log_expit(-raw)) + ridge * apart @ apart
        return float(value), np.r_[Z.T @ slope + 2 * ridge * apart, slope.sum()]

    start, bounds = np.r_[np.full(Z.shape[1], equal), 0.0], [(0.0, None)] * Z.shape[1] + [(None, None)]
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return [float(weight) for weight in found[:-1]], float(found[-1])


def scores(unseen: Mapping[str, Array], y: Array) -> dict[str, float]:
    """Return each kind's ROC AUC on rows it had not seen."""
    return {kind: roc_auc(y, raw) for kind, raw in unseen.items()}
