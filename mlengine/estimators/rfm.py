"""Segments by recency, frequency and money, with the names that marketers know.

Each of the three is scored 1 to 5 by the quintiles of the people it was learned from (5: most recent, most often, most
money); frequency and money are averaged, and a grid of five by five gives the name.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine.columns import Log
from mlengine.estimators.examples import matrix, people
from mlengine.estimators.parts import each_part
from mlengine.estimators.segments import Segment, Segmentation, grouped
from mlengine.specs import NotEnoughData, Task

Array = NDArray[Any]

COLUMNS: Final = ("days_since_last_purchase", "shopping_days_182", "value_182")

_NAMES: Final = (
    (1, "Champions", "重要价值客户", "Bought lately, often, and for much", "最近购买、频次高、金额高"),
    (2, "Loyal", "忠诚客户", "Come regularly and spend well", "购买规律，消费良好"),
    (3, "Potential loyalists", "潜在忠诚客户", "Bought lately, more than once", "最近购买过，且不止一次"),
    (4, "New", "新客户", "Bought just now, seldom or for little before", "刚刚购买，此前次数少或金额低"),
    (5, "Promising", "有潜力客户", "Bought not long ago, little so far", "不久前购买，目前消费不多"),
    (6, "Need attention", "需要关注", "Middling in all three, and not seen lately", "各项居中，近期未购买"),
    (7, "About to sleep", "即将沉睡", "Seldom, little, and getting late", "次数少、金额低，间隔变长"),
    (8, "At risk", "流失风险", "Used to come often or spend much, long ago", "曾经频繁或高额购买，已久未购买"),
    (9, "Can't lose them", "不能失去的客户", "Among the best once, not seen for longest", "曾是最佳客户，最久未购买"),
    (10, "Hibernating", "休眠客户", "Few purchases, long ago", "购买少，且已久未购买"),
    (11, "Lost", "已流失", "Fewest purchases, longest ago", "购买最少，且最久未购买"),
)
SEGMENTS: Final = tuple(
    Segment(code=code, name={"en": en, "zh-hans": zh}, description={"en": about, "zh-hans": about_zh})
    for code, en, zh, about, about_zh in _NAMES
)

# Rows: recency 1 (longest ago) to 5; columns: frequency and money 1 to 5.
GRID: Final = np.array(
    [
        [11, 10, 10, 8, 9],
        [10, 7, 8, 8, 8],
        [7, 6, 6, 2, 2],
        [5, 3, 2, 2, 1],
        [4, 3, 3, 1, 1],
    ]
)


@dataclass(frozen=True, kw_only=True, eq=False)
class RfmGrid:
    """The inner quintiles of the three numbers, and the code in each field of the grid."""

    edges: Array
    grid: Array

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the segments that the grid has."""
        there = set(self.grid.ravel().tolist())
        return tuple(segment for segment in SEGMENTS if segment.code in there)

    def scores(self, X: Array) -> Array:
        """Return recency, frequency and money scores 1 to 5, of shape (n, 3)."""
        recency = 5 - np.searchsorted(self.edges[0], X[:, 0], side="left")
        others = [1 + np.searchsorted(self.edges[n], X[:, n], side="left") for n in (1, 2)]
        return np.column_stack([recency, *others])

    def codes(self, X: Array) -> Array:
        """Return each person's segment, of shape (n,)."""
        recency, frequency, money = self.scores(X).T
        return np.asarray(self.grid[recency - 1, (frequency + money + 1) // 2 - 1])

    def save(self, directory: Path) -> None:
        card = {"edges": self.edges.tolist(), "grid": self.grid.tolist()}
        (directory / "model.json").write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        return cls(edges=np.array(card["edges"]), grid=np.array(card["grid"]))


@dataclass(frozen=True, kw_only=True)
class Rfm(Segmentation):
    """Everybody active in the window before the cutoff, put into one of eleven segments."""

    grid: ClassVar[Array] = GRID

    def fit(self, log: Log, cutoff: datetime) -> RfmGrid:
        X = matrix(self.people(self.learned_from(log, cutoff), cutoff), COLUMNS)
        if len(X) < 5:
            raise NotEnoughData(f"Needs 5 people active before the cutoff to tell quintiles, has {len(X)}.")
        return RfmGrid(edges=np.quantile(X, [0.2, 0.4, 0.6, 0.8], axis=0).T, grid=self.grid)

    def people(self, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        return people(log, cutoff, self.activity_window, ("money",), self.kind)

    def predict(self, model: RfmGrid, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``cluster``, the code of a segment in ``SEGMENTS``."""

        def answers(some: Log) -> nw.DataFrame[Any]:
            rows = self.people(some, cutoff)
            return grouped(rows, model.codes(matrix(rows, COLUMNS)))

        return each_part(log, cutoff, self.activity_window, self.kind, answers)

    def baselines(self) -> Mapping[str, Task]:
        """Return what must be beaten: quintiles of recency alone."""
        recency: Task = RecencyQuintiles(horizon=self.horizon, activity_window=self.activity_window, kind=self.kind)
        return {"recency_quintiles": recency}

    def load(self, directory: Path) -> RfmGrid:
        return RfmGrid.load(directory)


@dataclass(frozen=True, kw_only=True)
class RecencyQuintiles(Rfm):
    """A baseline: five groups by days since the last purchase."""

    grid: ClassVar[Array] = np.repeat(np.arange(1, 6)[:, None], 5, axis=1)

    def baselines(self) -> Mapping[str, Task]:
        return {}
