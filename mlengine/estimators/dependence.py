"""What a score would be if one thing about people were otherwise: partial dependence, and how steady reasons are.

Partial dependence (Friedman 2001, section 8.2) sets one column of everybody to a value and takes the mean of the
scores. It asks of people who need not exist (a year's customer who first came last week), so each point comes with the
share of people who are near it, and none is drawn where hardly anybody is. Of very many people some are asked, always
the same: columns of all would need their memory for nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any, Final

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine.anonymity.tidying import FLOOR
from mlengine.columns import SCORE, USER, Log
from mlengine.estimators import parts
from mlengine.reasons import code_of
from mlengine.specs import Averages, Explains, Supposes, Weighs

Array = NDArray[Any]
Frame = nw.DataFrame[Any]

COLUMNS: Final = 6
POINTS: Final = 10
PEOPLE: Final = 300  # averaged over: the error of a mean over so many is below the differences between seeds


@dataclass(frozen=True, kw_only=True)
class Point:
    """The mean score if everybody had this value, the least and the most that a seed says, and who is near it."""

    value: float
    mean: float
    low: float
    high: float
    people: float  # share


@dataclass(frozen=True, kw_only=True)
class Dependence:
    """One column: its points by value, what it stands for (a code of ``reasons``), and of what share it is unknown.

    ``people`` is of how many all this is told: everybody scored, or a sample of them.
    """

    column: str
    code: str
    people: int
    missing: float
    points: Sequence[Point]


def dependences(task: object, model: object, log: Log, cutoff: datetime) -> list[Dependence]:
    """Return how the score depends on the weightiest columns, one of each theme; none where it cannot be asked."""
    if not isinstance(task, Supposes) or not isinstance(model, Weighs):
        return []
    rows = task.rows_for(model, _of_some(task, log, cutoff), cutoff)
    if len(rows) < FLOOR:
        return []
    few = _some(rows)
    chosen = weightiest(model.importances(), rows.columns)
    found = [_dependence(task, _members(model), rows, few, column) for column in chosen]
    return [each for each in found if len(each.points) > 1]


def weightiest(importances: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    """Return the weightiest column of each theme: those of one theme go up and down together.

    >>> weightiest({"value_91": 0.5, "value_28": 0.3, "gap_mean": 0.2}, ["value_91", "value_28", "gap_mean"])
    ['value_91', 'gap_mean']
    """
    by_theme: dict[str, str] = {}
    for name in sorted(importances, key=lambda name: -abs(importances[name])):
        if name in columns and importances[name]:
            by_theme.setdefault(code_of(name), name)
    return list(by_theme.values())[:COLUMNS]


def grid(values: Array) -> tuple[Array, Array]:
    """Return values that people have, from the low to the high end, and the share of people nearest to each.

    Values that fewer people are near than may be told of are left out.

    Examples
    --------
    >>> at, share = grid(np.repeat([0.0, 1.0, 5.0], [60, 35, 5]))
    >>> at.tolist(), share.tolist()
    ([0.0, 1.0], [0.6, 0.35])
    """
    known = values[np.isfinite(values)]
    if not len(known):
        return np.empty(0), np.empty(0)
    at = np.unique(np.quantile(known, (np.arange(POINTS) + 0.5) / POINTS, method="inverted_cdf"))
    distinct = np.unique(known)
    at = distinct if len(distinct) <= POINTS else at
    nearest = np.searchsorted((at[1:] + at[:-1]) / 2, known)
    counts = np.bincount(nearest, minlength=len(at))
    shown = counts >= FLOOR
    return at[shown], counts[shown] / len(values)


def steadiness(task: object, model: object, log: Log, cutoff: datetime) -> dict[str, float]:
    """Return how often two models that differ only in their seed give a person the same reasons.

    ``first``: the same first one; ``all``: how much of all that either gives both give. Empty for one seed.
    """
    members = _members(model)
    if len(members) < 2 or not isinstance(task, Explains) or not isinstance(task, Supposes):
        return {}
    some = _of_some(task, log, cutoff)
    users = _some(task.rows_for(model, some, cutoff))[USER].to_list()
    said = [task.explain(member, some, cutoff, users) for member in members]
    codes = [[[reason.code for reason in one.get(user, [])] for user in users] for one in said]
    pairs = [(a, b) for left, right in combinations(codes, 2) for a, b in zip(left, right, strict=True) if a and b]
    if not pairs:
        return {}
    return {
        "first": float(np.mean([a[0] == b[0] for a, b in pairs])),
        "all": float(np.mean([len({*a} & {*b}) / len({*a} | {*b}) for a, b in pairs])),
    }


def _members(model: object) -> Sequence[Any]:
    return model.members if isinstance(model, Averages) else (model,)


def _of_some(task: Supposes, log: Log, cutoff: datetime) -> Log:
    return parts.some(log.until(cutoff), cutoff, task.activity_window, task.kind)


def _some(rows: Frame) -> Frame:
    if len(rows) <= PEOPLE:
        return rows
    chosen = np.random.default_rng(0).choice(len(rows), PEOPLE, replace=False)
    some: Frame = rows[np.sort(chosen).tolist()]
    return some


def _dependence(task: Supposes, members: Sequence[Any], rows: Frame, few: Frame, column: str) -> Dependence:
    values = np.asarray(rows[column].cast(nw.Float64).fill_null(float("nan")).to_numpy(), dtype=float)
    at, share = grid(values)
    supposed = [few.with_columns(nw.lit(float(value)).alias(column)) for value in at]
    means = np.array([[task.score(one, rows)[SCORE].to_numpy().mean() for rows in supposed] for one in members])
    points = [
        Point(value=float(value), mean=float(each.mean()), low=float(each.min()), high=float(each.max()), people=near)
        for value, near, each in zip(at, share.tolist(), means.T, strict=True)
    ]
    missing = float(np.mean(~np.isfinite(values)))
    return Dependence(column=column, code=code_of(column), people=len(rows), missing=missing, points=points)
