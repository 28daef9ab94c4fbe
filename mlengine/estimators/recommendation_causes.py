"""Finding out, for each recommended item, which reason is true of it."""

from typing import Any

import numpy as np

from mlengine.estimators.popular import PopularInSegment
from mlengine.estimators.recommender import KnowsWhy, Lists
from mlengine.estimators.repeat_features import RECENT_DAYS, Pairs
from mlengine.interactions import Floats, Interactions, Ints, Matrix

Cause = tuple[str, dict[str, Any]]  # a code of SENTENCES and its numbers
# Of two common buyers each would learn from the reason what the other bought; from three on nobody can tell by what she
# knows of herself (the threshold rule for tables: Hundepool et al., "Statistical Disclosure Control", 2012, ch. 4).
# Exact numbers are told to nobody outside (``because.at_least``).
_COMMON_BUYERS = 3
_A_RHYTHM = 3  # purchases: two gaps between them are the fewest that can be alike


class Causes:
    """Answers why, from the same interactions that the lists were made from.

    A recommended item is either one the person had (how often, how regularly, how long ago), or one that goes with an
    item they had (the one with the highest cosine), or popular; for people without purchases, popular among their like.
    """

    def __init__(self, interactions: Interactions, segments: PopularInSegment, model: object = None) -> None:
        pairs = Pairs.of(interactions)
        self._x = interactions
        self._segments = segments
        self._model = model
        self._pairs = pairs
        self._key = pairs.user * interactions.shape[1] + pairs.item
        self._by_item: Matrix = interactions.bought.T.tocsr()
        self._recent = np.bincount(interactions.within(RECENT_DAYS).indices, minlength=interactions.shape[1])

    def of(self, lists: Lists) -> list[list[Cause]]:
        """Return a cause for each item of each list."""
        companions = self._companions(lists) | self._told_by_the_model(lists)
        return [
            [self._cause(user, item, companions) for item in items[items >= 0].tolist()]
            for user, items in zip(lists.users.tolist(), lists.items, strict=True)
        ]

    def _cause(self, user: int, item: int, companions: dict[tuple[int, int], Cause]) -> Cause:
        if self._x.cold[user]:
            return self._for_new(user, item)
        own = self._own(user, item)
        return own or companions.get((user, item)) or ("popular", {"people": int(self._recent[item])})

    def _for_new(self, user: int, item: int) -> Cause:
        segment = str(self._x.segments[user])
        if segment in self._segments.sizes:
            attribute, _, value = segment.partition("=")
            return "popular_in_segment", {"attribute": attribute, "value": value}
        return "popular_for_new", {"people": int(self._recent[item])}

    def _own(self, user: int, item: int) -> Cause | None:
        at = int(np.searchsorted(self._key, user * self._x.shape[1] + item))
        if at == len(self._key) or self._key[at] != user * self._x.shape[1] + item:
            return None
        first, last = self._x.age[self._pairs.start[at]], self._x.age[self._pairs.end[at]]
        times, days = int(self._pairs.times[at]), int(last)
        if times == 1:
            return "bought_once", {"days": days}
        gap = (first - last) / (times - 1)
        if times >= _A_RHYTHM and 0.75 * gap <= last <= 2.0 * gap and gap >= 1.0:
            return "due_again", {"times": times, "gap": round(gap), "days": days}
        return "bought_before", {"times": times, "days": days}

    def _told_by_the_model(self, lists: Lists) -> dict[tuple[int, int], Cause]:
        """Return for items of people with a history the own item that the model says speaks most for it."""
        if not isinstance(self._model, KnowsWhy):
            return {}
        own = self._model.because(self._x, lists)
        row, rank = np.nonzero(own >= 0)
        pairs = zip(lists.users[row].tolist(), lists.items[row, rank].tolist(), own[row, rank].tolist(), strict=True)
        return {(user, item): ("because", {"item": int(self._x.items[had])}) for user, item, had in pairs}

    def _companions(self, lists: Lists) -> dict[tuple[int, int], Cause]:
        """Return for new items of people with a history the own item that shares most buyers with it, by cosine."""
        row, rank = np.nonzero(lists.items >= 0)
        user, item = lists.users[row], lists.items[row, rank]
        new = ~np.isin(user * self._x.shape[1] + item, self._key) & ~self._x.cold[user]
        user, item = user[new], item[new]
        found: dict[tuple[int, int], Cause] = {}
        for column in np.unique(item).tolist():
            common = self._common_buyers(column)
            alike = common / np.sqrt(np.maximum(self._x.buyers, 1.0))
            for person in user[item == column].tolist():
                had = self._had(person)
                best = had[np.argmax(alike[had])]
                if common[best] >= _COMMON_BUYERS:
                    values = {"item": int(self._x.items[best]), "people": int(common[best])}
                    found[person, column] = ("goes_with", values)
        return found

    def _common_buyers(self, item: int) -> Floats:
        """Return of each item how many people bought it and this one."""
        start, end = self._by_item.indptr[item], self._by_item.indptr[item + 1]
        return np.asarray(self._x.bought[self._by_item.indices[start:end]].sum(axis=0), dtype=float).ravel()

    def _had(self, user: int) -> Ints:
        bought = self._x.bought
        return np.asarray(bought.indices[bought.indptr[user] : bought.indptr[user + 1]])
