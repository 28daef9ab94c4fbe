"""Reasons for single scores: exact contributions of the trees, added up over columns that mean the same to a reader."""

from typing import Any, Final

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine.columns import USER
from mlengine.estimators.boosted import BoostedTrees
from mlengine.estimators.examples import matrix
from mlengine.reasons import TEXTS, Reason, code_of

MOST: Final = 3


def explain(model: BoostedTrees, rows: nw.DataFrame[Any], *, most: int = MOST) -> dict[int, list[Reason]]:
    """Return up to ``most`` reasons for each person, the weightiest (up or down) first.

    Parameters
    ----------
    model : BoostedTrees
    rows : DataFrame
        ``user`` and the model's columns, as ``Churn.people`` returns them; about 1 ms a row.
    """
    if not len(rows):
        return {}
    X = matrix(rows, model.names)
    contributions = model.contributions(X)
    users = rows[USER].to_list()
    return {user: _reasons(model.names, X[n], contributions[n], most) for n, user in enumerate(users)}


def _reasons(names: tuple[str, ...], x: NDArray[Any], contributions: NDArray[Any], most: int) -> list[Reason]:
    numbers = {name: float(value) for name, value in zip(names, x, strict=True) if np.isfinite(value)}
    columns: dict[str, list[int]] = {}
    for n, name in enumerate(names):
        columns.setdefault(code_of(name), []).append(n)
    weight = {code: float(contributions[where].sum()) for code, where in columns.items()}
    heaviest = sorted((code for code in weight if weight[code]), key=lambda code: -abs(weight[code]))[:most]
    return [
        _reason(code, names[max(columns[code], key=lambda n: abs(contributions[n]))], weight[code], numbers)
        for code in heaviest
    ]


def _reason(code: str, feature: str, contribution: float, numbers: dict[str, float]) -> Reason:
    if code == "silence" and "gap_median" not in numbers:
        code = "single"
    values = {name: numbers[column] for name, column in TEXTS[code].numbers.items() if column in numbers}
    return Reason(code=code, feature=feature, contribution=contribution, values=values, value=numbers.get(feature))
