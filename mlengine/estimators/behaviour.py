"""Clusters of behaviour as a model: how columns are made comparable, where the centres lie, and what to call them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from mlengine.estimators.segments import Segment
from mlengine.estimators.traits import TRAITS, Trait, category_trait

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaling:
    """Columns made comparable: logarithm where skewed, the median taken off, divided by the spread, cut at 3.

    The spread is the standard deviation after cutting the outer 1 % on both sides; the range between quartiles, the
    usual robust choice, is 0 for columns in which most people have nothing. Unknown becomes 0, the median.
    """

    logarithm: Array
    middle: Array
    spread: Array

    @classmethod
    def fit(cls, X: Array, logarithm: Array) -> Self:
        logs = _logs(X, logarithm)
        logs = np.where(np.isnan(logs).all(axis=0), 0.0, logs)  # a column unknown of everybody says nothing
        low, high = np.nanquantile(logs, [0.01, 0.99], axis=0)
        spread = np.nanstd(np.clip(logs, low, high), axis=0)
        return cls(logarithm=logarithm, middle=np.nanmedian(logs, axis=0), spread=np.where(spread > 0, spread, 1.0))

    def __call__(self, X: Array) -> Array:
        scaled = (_logs(X, self.logarithm) - self.middle) / self.spread
        return np.clip(np.nan_to_num(scaled), -3.0, 3.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class BehaviourClusters:
    """Centres in scaled space, each with a code that outlives a training by ``following``.

    Attributes
    ----------
    traits : tuple of Trait
        The columns, in order; those of categories are named ``share_<n>`` after ``categories``.
    centres : array of shape (k, len(traits))
    codes : array of shape (k,)
        The code of each centre, from 1.
    ever : int
        The highest code ever used, so that none is given twice.
    average : array of shape (len(traits),)
        Everybody's mean in scaled space, which descriptions compare with.
    facts : mapping
        ``silhouette`` and ``stability`` (mean adjusted Rand over bootstraps) of each number tried, and the sizes.
    """

    categories: tuple[str, ...]
    scaling: Scaling
    centres: Array
    codes: Array
    ever: int
    average: Array
    facts: Mapping[str, Any]

    @property
    def traits(self) -> tuple[Trait, ...]:
        return traits_of(self.categories)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return each cluster with its name and description, in the order of codes."""
        return tuple(self._segment(n) for n in np.argsort(self.codes))

    def predict(self, X: Array) -> Array:
        """Return the code of the nearest centre, of shape (n,)."""
        return np.asarray(self.codes[nearest(self.scaling(X), self.centres)])

    def following(self, previous: "BehaviourClusters") -> "BehaviourClusters":
        """Return the same clusters under the codes of the previous model, the nearest centres matched at least cost.

        Kuhn (1955). Columns that both have are compared, in units of the previous scaling; a cluster farther than one
        unit a column (root mean square) from its match is a new one, and gets a code never used before.
        """
        here, there, unit = self._comparable(previous)
        distance = np.sqrt((((here[:, None] - there[None]) / unit) ** 2).mean(axis=2))
        codes = np.zeros(len(self.codes), dtype=np.int64)
        for n, m in zip(*linear_sum_assignment(distance), strict=True):
            codes[n] = previous.codes[m] if distance[n, m] <= 1.0 else 0
        fresh = np.flatnonzero(codes == 0)
        codes[fresh] = previous.ever + 1 + np.arange(len(fresh))
        return replace(self, codes=codes, ever=previous.ever + len(fresh))

    def _comparable(self, previous: "BehaviourClusters") -> tuple[Array, Array, Array]:
        """Return both models' centres in the units of the data, and the previous spread, for the columns of both."""
        mine, theirs = [t.high[0] for t in self.traits], [t.high[0] for t in previous.traits]
        shared = [name for name in mine if name in theirs]
        a, b = [mine.index(name) for name in shared], [theirs.index(name) for name in shared]
        here = self.centres * self.scaling.spread + self.scaling.middle
        there = previous.centres * previous.scaling.spread + previous.scaling.middle
        return here[:, a], there[:, b], previous.scaling.spread[b]

    def _segment(self, n: int) -> Segment:
        apart = self.centres[n] - self.average
        order = [m for m in np.argsort(-np.abs(apart), kind="stable")[:3] if abs(apart[m]) >= 0.25]
        words = [self.traits[m].high if apart[m] > 0 else self.traits[m].low for m in order]
        en, zh = [word[0] for word in words], [word[1] for word in words]
        share = self.facts["sizes"][n]
        return Segment(
            code=int(self.codes[n]),
            name={"en": _sentence(", ".join(en[:2])) or "Average", "zh-hans": "、".join(zh[:2]) or "普通"},
            description={
                "en": f"{share:.0%} of people. Set apart by: {', '.join(en) or 'nothing in particular'}.",
                "zh-hans": f"占 {share:.0%}。特点：{'、'.join(zh) or '无明显特点'}。",
            },
        )

    def save(self, directory: Path) -> None:
        np.savez(
            directory / "clusters.npz",
            centres=self.centres,
            codes=self.codes,
            average=self.average,
            logarithm=self.scaling.logarithm,
            middle=self.scaling.middle,
            spread=self.scaling.spread,
        )
        card = {"categories": self.categories, "ever": self.ever, "facts": self.facts}
        (directory / "model.json").write_text(json.dumps(card), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        card = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        with np.load(directory / "clusters.npz", allow_pickle=False) as read:
            kept = dict(read)
        scaling = Scaling(**{name: kept[name] for name in ("logarithm", "middle", "spread")})
        arrays = {name: kept[name] for name in ("centres", "codes", "average")}
        return cls(
            categories=tuple(card["categories"]), ever=card["ever"], facts=card["facts"], scaling=scaling, **arrays
        )


def traits_of(categories: tuple[str, ...]) -> tuple[Trait, ...]:
    """Return all columns that are clustered by: the fixed ones, and the share of each category."""
    return TRAITS + tuple(category_trait(f"share_{n}", category) for n, category in enumerate(categories))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _logs(X: Array, logarithm: Array) -> Array:
    return np.where(logarithm, np.log1p(np.maximum(X, 0.0)), X)


def nearest(Z: Array, centres: Array) -> Array:
    """Return the row of the nearest centre for each row of ``Z``."""
    squared = (centres**2).sum(axis=1) - 2.0 * Z @ centres.T  # |z|^2 is the same for all centres
    return np.asarray(squared.argmin(axis=1))
