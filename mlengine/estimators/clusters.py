"""Groups of people who behave alike, found without names given beforehand, and described by what sets them apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from mlengine.columns import USER, Log
from mlengine.estimators.behaviour import BehaviourClusters, Scaling, nearest, traits_of
from mlengine.estimators.examples import matrix, people
from mlengine.estimators.parts import each_part
from mlengine.estimators.rfm import RecencyQuintiles
from mlengine.estimators.segments import Segmentation, grouped
from mlengine.features.categories import category_shares, top_categories
from mlengine.specs import NotEnoughData, Task

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Clusters(Segmentation):
    """K-means over standardised behaviour.

    The number of clusters is the one with the highest mean silhouette among those that are stable (mean adjusted Rand
    between the clustering and those of bootstrap samples at least ``least_stability``) and have no cluster smaller
    than ``least_share``; if none is, the most stable number.
    """

    fewest: int = 4
    most: int = 8
    top_categories: int = 4
    bootstraps: int = 10
    least_stability: float = 0.7
    least_share: float = 0.03
    most_rows: int = 20_000
    random_state: int = 0

    families: ClassVar[tuple[str, ...]] = ("money", "categories", "discounts", "engagement")

    def fit(self, log: Log, cutoff: datetime) -> BehaviourClusters:
        some = self.learned_from(log, cutoff)
        categories = tuple(top_categories(some, cutoff, self.top_categories))
        rows = self.people(some, cutoff, categories)
        if len(rows) < (needed := self.most * 20):
            raise NotEnoughData(f"Needs {needed} people active before the cutoff to find clusters, has {len(rows)}.")
        traits = traits_of(categories)
        X = matrix(rows, [trait.column for trait in traits])
        if len(X) > self.most_rows:
            X = X[np.random.default_rng(self.random_state).choice(len(X), self.most_rows, replace=False)]
        scaling = Scaling.fit(X, np.array([trait.logarithm for trait in traits]))
        with threadpool_limits(1):  # small matrices: threads would wait for each other
            centres, facts = self._choose(scaling(X))
        return BehaviourClusters(
            categories=categories, scaling=scaling, centres=centres,
            codes=np.arange(1, len(centres) + 1), ever=len(centres),
            average=scaling(X).mean(axis=0), facts=facts,
        )  # fmt: skip

    def people(self, log: Log, cutoff: datetime, categories: tuple[str, ...] = ()) -> nw.DataFrame[Any]:
        """Return ``user`` and the numbers clustered by, shares of the named categories last."""
        rows = people(log, cutoff, self.activity_window, self.families, self.kind)
        return rows.join(category_shares(log, cutoff, categories).collect("polars"), on=USER, how="left").sort(USER)

    def predict(self, model: BehaviourClusters, log: Log, cutoff: datetime) -> nw.DataFrame[Any]:
        """Return ``user`` and ``cluster``, a code of ``model.segments``."""

        def answers(some: Log) -> nw.DataFrame[Any]:
            rows = self.people(some, cutoff, model.categories)
            return grouped(rows, model.predict(matrix(rows, [trait.column for trait in model.traits])))

        return each_part(log, cutoff, self.activity_window, self.kind, answers)

    def baselines(self) -> Mapping[str, Task]:
        """Return what must be beaten: quintiles of recency alone."""
        recency: Task = RecencyQuintiles(horizon=self.horizon, activity_window=self.activity_window, kind=self.kind)
        return {"recency_quintiles": recency}

    def load(self, directory: Path) -> BehaviourClusters:
        return BehaviourClusters.load(directory)

    def _choose(self, Z: Array) -> tuple[Array, dict[str, Any]]:
        tried = [self._try(Z, k) for k in range(self.fewest, self.most + 1)]
        good = [t for t in tried if t["stability"] >= self.least_stability and min(t["sizes"]) >= self.least_share]
        best = max(good, key=lambda t: t["silhouette"]) if good else max(tried, key=lambda t: t["stability"])
        numbers = {name: {t["k"]: round(t[name], 4) for t in tried} for name in ("silhouette", "stability")}
        return best["centres"], {**numbers, "k": best["k"], "sizes": best["sizes"], "met": bool(good)}

    def _try(self, Z: Array, k: int) -> dict[str, Any]:
        centres = self._centres(Z, k, self.random_state)
        labels = nearest(Z, centres)
        rng = np.random.default_rng(self.random_state)
        again = [nearest(Z, self._centres(Z[rng.integers(0, len(Z), len(Z))], k, n)) for n in range(self.bootstraps)]
        return {
            "k": k,
            "centres": centres,
            "sizes": (np.bincount(labels, minlength=k) / len(Z)).tolist(),
            "silhouette": float(silhouette_score(Z, labels, sample_size=min(len(Z), 3000), random_state=0)),
            "stability": float(np.mean([adjusted_rand_score(labels, other) for other in again])),
        }

    @staticmethod
    def _centres(Z: Array, k: int, random_state: int) -> Array:
        return np.asarray(KMeans(k, n_init=5, random_state=random_state).fit(Z).cluster_centers_)
