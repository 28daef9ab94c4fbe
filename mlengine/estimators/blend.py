"""The blend: what a person will buy again and what they will take to, ranked together by probability.

Two boosted models look at four weeks that have passed: one at the items people already had, one at new items proposed
by EASE × trend. Both answer with the probability of being bought within the horizon, so that their answers compare.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import lightgbm as lgb
import numpy as np
import numpy.typing as npt
from scipy import sparse

from mlengine.estimators.collaborative import EaseRecommender
from mlengine.estimators.discovery_features import Candidates, discovery_features, trend
from mlengine.estimators.popular import popularity_of
from mlengine.estimators.recommender import (
    Scorer,
    Scores,
    leading_of_group,
    read_parameters,
    recommend,
    write_parameters,
)
from mlengine.estimators.repeat_features import Pairs, repeat_features
from mlengine.interactions import Floats, Interactions, Ints, Matrix
from mlengine.specs import NotEnoughData

Table = npt.NDArray[np.float32]


_MANY_PAIRS: Final = 50_000


class Asked(NamedTuple):
    """Pairs of person and item, a row of features for each, and what ranks them where the trees see no difference."""

    user: Ints
    item: Ints
    table: Table
    lean: Floats

    def chance(self, model: lgb.Booster, n_jobs: int) -> Floats:
        if not len(self.user):
            return np.empty(0)
        threads = n_jobs if len(self.user) >= _MANY_PAIRS else 1
        chance = np.asarray(model.predict(self.table, num_threads=threads), dtype=float)
        # Above whatever is merely popular (1e-8 at most), and in the right order even if the trees know no difference.
        return chance + 1e-7 * (1.0 + self.lean / max(float(self.lean.max()), 1e-300))


# Tuned on the cutoffs 2017-11-03 and 10-06 of Complete Journey; what else was tried changes the fourth digit only.
_BOOSTING: Final[dict[str, Any]] = {
    "objective": "binary",
    "num_leaves": 63,
    "learning_rate": 0.05,
    "min_data_in_leaf": 300,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.5,
    "bagging_freq": 1,
    "lambda_l2": 100.0,
    "max_bin": 127,
    "num_iterations": 150,
    "deterministic": True,
    "force_row_wise": True,
    "verbose": -1,
}
# One pair in fifty is bought: smaller trees, held back more, or they learn the month instead of the taste.
_CAUTIOUS: Final[dict[str, Any]] = _BOOSTING | {
    "num_leaves": 15,
    "min_data_in_leaf": 500,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "num_iterations": 80,
}


class Blend:
    """Repeats and discoveries by their probability of being bought within the horizon, and popular items after them.

    Parameters
    ----------
    horizon : float
        Days ahead.
    lags : tuple of int
        Horizons before the cutoff at which it looks back to learn; a lag without history then is left out. New items
        are learned from the first two only: proposing them is what takes the time.
    repeats, discoveries : int
        How many of a person's own and of new items are looked at closely.
    l2 : float
        Of EASE.
    random_state, n_jobs : int
        Of LightGBM; results do not depend on ``n_jobs``.
    """

    def __init__(
        self,
        *,
        horizon: float = 28.0,
        lags: tuple[int, ...] = (1, 2, 3),
        repeats: int = 100,
        discoveries: int = 60,
        l2: float = 1000.0,
        random_state: int = 0,
        n_jobs: int = 2,
    ) -> None:
        self.horizon = horizon
        self.lags = tuple(lags)
        self.repeats = repeats
        self.discoveries = discoveries
        self.l2 = l2
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, interactions: Interactions) -> Self:
        """Learn from what was bought after earlier moments.

        Raises
        ------
        NotEnoughData
            The history is shorter than two horizons.
        """
        pasts = [(lag, interactions.earlier(lag * self.horizon)) for lag in self.lags]
        pasts = [(lag, past) for lag, past in pasts if past.age.max(initial=0.0) >= self.horizon]
        if not pasts:
            days = interactions.age.max(initial=0.0)
            raise NotEnoughData(
                f"{2 * self.horizon:.0f} days of purchases are needed to learn from; there are {days:.0f}."
            )
        bought = [(past, _bought_after(past, interactions, lag, self.horizon)) for lag, past in pasts]
        self.repeats_ = self._learned("bought again", self._repeats, bought, _BOOSTING)
        self.discoveries_ = self._learned("newly taken to", self._discoveries, bought[:2], _CAUTIOUS)
        return self

    def scorer(self, interactions: Interactions) -> Scorer:
        parts = [(self.repeats_, self._repeats(interactions)), (self.discoveries_, self._discoveries(interactions))]
        user = np.concatenate([asked.user for _, asked in parts])
        item = np.concatenate([asked.item for _, asked in parts])
        chance = np.concatenate([asked.chance(model, self.n_jobs) for model, asked in parts])
        chances = sparse.csr_array((chance, (user, item)), shape=interactions.shape)
        popularity = popularity_of(interactions, 28.0)
        rest = 1e-8 * popularity / max(float(popularity.max(initial=0.0)), 1e-9)

        def score(users: Ints) -> Scores:
            return np.asarray(chances[users].toarray() + rest)

        return score

    def save(self, directory: Path) -> None:
        names = ("horizon", "lags", "repeats", "discoveries", "l2", "random_state", "n_jobs")
        write_parameters(directory, {name: getattr(self, name) for name in names})
        self.repeats_.save_model(directory / "repeats.txt")
        self.discoveries_.save_model(directory / "discoveries.txt")

    @classmethod
    def load(cls, directory: Path) -> Self:
        made = cls(**read_parameters(directory))
        made.repeats_ = lgb.Booster(model_file=directory / "repeats.txt")
        made.discoveries_ = lgb.Booster(model_file=directory / "discoveries.txt")
        return made

    def _learned(
        self,
        what: str,
        ask: Callable[[Interactions], Asked],
        bought: list[tuple[Interactions, Matrix]],
        boosting: Mapping[str, Any],
    ) -> lgb.Booster:
        asked = [(ask(past), after) for past, after in bought]
        X = np.concatenate([pairs.table for pairs, _ in asked])
        y = np.concatenate([_found(pairs.user, pairs.item, after) for pairs, after in asked])
        if not len(y):
            raise NotEnoughData(f"No pair of person and item that could have been {what}.")
        # Threads that wait for each other cost more than they bring where there is little to do.
        threads = self.n_jobs if len(y) >= _MANY_PAIRS else 1
        parameters = {**boosting, "seed": self.random_state, "num_threads": threads}
        return lgb.train(parameters, lgb.Dataset(X, y, free_raw_data=True))

    def _repeats(self, x: Interactions) -> Asked:
        """Return each person's own items that look liveliest."""
        return x.once(("repeats", self.repeats), lambda: self._own(x))

    def _discoveries(self, x: Interactions) -> Asked:
        """Return for each person the new items with the highest EASE × trend."""
        return x.once(("discoveries", self.discoveries, self.l2), lambda: self._new(x))

    def _own(self, x: Interactions) -> Asked:
        pairs = Pairs.of(x)
        features = repeat_features(x, pairs)
        kept = leading_of_group(pairs.user, features["bought_60d"], self.repeats)
        return Asked(pairs.user[kept], pairs.item[kept], _table(features)[kept], features["bought_60d"][kept])

    def _new(self, x: Interactions) -> Asked:
        ease, factor = EaseRecommender(l2=self.l2).fit(x), trend(x).astype(np.float32)
        scorer = ease.scorer(x)
        people = np.flatnonzero(~x.cold)

        def promising(users: Ints) -> Scores:
            promise = scorer(users)
            promise *= factor
            promise[promise <= 0.0] = -np.inf
            return promise

        lists = recommend(promising, x, people, self.discoveries, new_only=True)
        row, rank = np.nonzero(lists.items >= 0)
        item, promise = lists.items[row, rank], lists.scores[row, rank]
        candidates = Candidates(user=people[row], item=item, taste=promise / factor[item], promise=promise)
        return Asked(candidates.user, item, _table(discovery_features(x, candidates)), promise)


def _bought_after(past: Interactions, interactions: Interactions, lag: int, horizon: float) -> Matrix:
    """Return people × items of the past, 1 where the person bought the item in the horizon after it."""
    then = interactions.before((lag - 1) * horizon)
    late = then.age <= horizon
    user, item = then.users[then.user[late]], then.items[then.item[late]]
    there = np.isin(user, past.users) & np.isin(item, past.items)
    place = np.searchsorted(past.users, user[there]), np.searchsorted(past.items, item[there])
    return sparse.csr_array((np.ones(len(place[0])), place), shape=past.shape)


def _found(user: Ints, item: Ints, after: Matrix) -> Floats:
    """Return 1.0 for each pair that was bought after."""
    rows = np.repeat(np.arange(after.shape[0]), np.diff(after.indptr))
    return np.isin(user * after.shape[1] + item, rows * after.shape[1] + after.indices).astype(float)


def _table(features: dict[str, Floats]) -> Table:
    return np.column_stack(list(features.values())).astype(np.float32)
