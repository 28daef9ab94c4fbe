"""What somebody takes next, asked of a trained network by NumPy alone: one person, in a web request.

The network is that of `SASRec`, which learned from what people bought. What she only looks at counts as taken here:
it is the newest that is known of her.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from mlengine.estimators.sasrec_numpy import ARRAYS, LightSASRec

IDS: Final = "ids.npz"
LOOKED_AT: Final = 10  # items of a history, when asked why
LOOKED_AT_NOW: Final = 5  # the same in a web request

Ints = npt.NDArray[np.int64]


class Next(NamedTuple):
    """An item, how likely it is the next one, and which item of the history speaks most for it, if one does."""

    item: int
    chance: float
    because: int | None


class NextItems:
    """A network over ids.

    Parameters
    ----------
    ids : int64 array, (n_items,)
        The items by the network's columns, ascending.
    network : LightSASRec
    repeats : bool
        Whether it tells of items that are in the history, too.
    """

    def __init__(self, *, ids: Ints, network: LightSASRec, repeats: bool) -> None:
        self.ids = ids
        self.network = network
        self.repeats = repeats

    @classmethod
    def load(cls, directory: Path, light: Mapping[str, Any]) -> Self:
        """Return it from the files of a version, as its ``light`` says; see `files_of`."""
        with np.load(directory / IDS, allow_pickle=False) as kept:
            ids = kept["ids"]
        network = LightSASRec.load(directory / light["network"], light["heads"])
        return cls(ids=ids, network=network, repeats=light["repeats"])

    def knows(self, ids: Sequence[int]) -> bool:
        """Return whether one of these is an item of the network."""
        return len(self._columns(ids)) > 0

    def after(self, history: Sequence[int], k: int, without: Collection[int] = ()) -> list[Next]:
        """Return the ``k`` likeliest items after these ids, the oldest first, but for some; none after nothing known.

        The chances are those among all items, so that they add up to less than 1.
        """
        taken = self._columns(history)
        if not len(taken):
            return []
        scores = self.network.scores(taken[None, :])[0]
        highest = scores.max()
        all_chances = np.exp(scores - highest).sum(dtype=np.float64)
        scores[self._columns([*without])] = -np.inf
        if not self.repeats:
            scores[taken] = -np.inf
        best = np.argpartition(scores, max(len(scores) - k, 0))[-k:]
        best = best[np.lexsort((best, -scores[best]))]
        chance = np.exp(scores[best].astype(np.float64) - highest) / all_chances
        best, chance = best[chance > 0.0], chance[chance > 0.0]
        told = self._because(taken, best)
        return [
            Next(int(self.ids[column]), likely, None if own < 0 else int(self.ids[own]))
            for column, likely, own in zip(best.tolist(), chance.tolist(), told.tolist(), strict=True)
        ]

    def _columns(self, ids: Sequence[int]) -> Ints:
        """Return the columns of those ids that the network knows, in their order."""
        asked = np.array(ids if len(self.ids) else [], dtype=np.int64)
        place = np.minimum(np.searchsorted(self.ids, asked), len(self.ids) - 1)
        return np.asarray(place[self.ids[place] == asked], dtype=np.int64)

    def _because(self, taken: Ints, items: Ints) -> Ints:
        """Return for each item which of the newest, taken away, lowers its score most; −1 where none does."""
        last = taken[-min(LOOKED_AT_NOW, self.network.length) :]
        added = self.network.occluded(last[None, :])[0] @ self.network.items[items].T
        best = added.argmax(axis=0)
        return np.where(added[best, np.arange(len(items))] > 0, last[best], -1)


def files_of(light: Mapping[str, Any]) -> list[str]:
    """Return which files of a version this reads."""
    return [IDS, (Path(light["network"]) / ARRAYS).as_posix()]
