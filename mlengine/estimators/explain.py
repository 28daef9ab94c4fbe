"""Reasons for single scores: exact contributions, added up over columns that mean the same to a reader."""

from typing import Any, Final, Protocol

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine.columns import USER
from mlengine.estimators.examples import matrix
from mlengine.reasons import TEXTS, Reason, code_of

MOST: Final = 3


class Contributes(Protocol):
    """A model that knows what each of its columns adds: trees by TreeSHAP, a line by its weights."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def contributions(self, X: NDArray[Any]) -> NDArray[Any]: ...


def explain(model: Contributes, rows: nw.DataFrame[Any], *, most: int = MOST) -> dict[int, list[Reason]]:
    """Return up to ``most`` reasons for each person, the weightiest (up or down) first.

    Parameters
    ----------
    model : Contributes
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
    leads = {code: names[max(columns[code], key=lambda n: abs(contributions[n]))] for code in heaviest}
    said = {code: _said(code, numbers, knows_gaps="gap_median" in names) for code in heaviest}
    return [_reason(said[code], leads[code], weight[code], numbers) for code in heaviest]


def _said(code: str, numbers: dict[str, float], *, knows_gaps: bool) -> str:
    """Return the sentence that is true: who came once has no usual gap, and of some models nobody told the gap."""
    if code != "silence" or "gap_median" in numbers:
        return code
    return "single" if knows_gaps else "quiet"


def _reason(code: str, feature: str, contribution: float, numbers: dict[str, float]) -> Reason:
    values = {name: numbers[column] for name, column in TEXTS[code].numbers.items() if column in numbers}
    return Reason(code=code, feature=feature, contribution=contribution, values=values, value=numbers.get(feature))
