"""SASRec as it answers: the trained network's arrays and NumPy, nothing heavier, so that web processes can ask it.

The network is that of `mlengine.estimators.sasrec_network`, and a test holds both to the same numbers. Of the last
block only the newest place is worked out, which is all that is asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

Array = npt.NDArray[np.floating[Any]]
Columns = npt.NDArray[np.int64]

ARRAYS: Final = "network.safetensors"
_EPSILON: Final = 1e-5  # of torch's LayerNorm
_PLACES_AT_ONCE: Final = 12_800
_LATER: Final = np.float32(-1e9)


@dataclass(frozen=True, kw_only=True)
class LightSASRec:
    """A trained network.

    Attributes
    ----------
    arrays : mapping of str to float32 array
        The network's parameters by their names in torch.
    heads : int
        Of its attention.
    """

    arrays: Mapping[str, Array]
    heads: int

    @property
    def items(self) -> Array:
        """One vector an item: (n_items, width)."""
        return self.arrays["items.weight"]

    @property
    def length(self) -> int:
        """How many items of a history it looks at."""
        return len(self.arrays["positions.weight"])

    @cached_property
    def blocks(self) -> int:
        return 1 + max(int(name.split(".")[1]) for name in self.arrays if name.startswith("blocks."))

    def save(self, directory: Path) -> None:
        save_file({name: np.ascontiguousarray(a) for name, a in self.arrays.items()}, directory / ARRAYS)

    @classmethod
    def load(cls, directory: Path, heads: int) -> Self:
        return cls(arrays=load_file(directory / ARRAYS), heads=heads)

    def scores(self, last: Columns) -> Array:
        """Return (n, n_items) scores of what is next; −inf for histories without an item. See `vectors`."""
        scores = self.vectors(last) @ self.items.T
        scores[(last < 0).all(axis=1)] = -np.inf
        return scores

    def vectors(self, last: Columns) -> Array:
        """Return one vector a history, (n, width), from (n, length) columns with the newest last, −1 before the first.

        More columns than the network looks at are cut off; vectors of empty histories are 0.
        """
        last = last[:, -self.length :]
        taken = (last >= 0).sum(axis=1)
        made = np.zeros((len(last), self.items.shape[1]), np.float32)
        order = np.argsort(taken, kind="stable")
        order = order[taken[order] > 0]
        start = 0
        while start < len(order):
            # Sorted by length: the next rows are at least as long as this one, so count with the longest of the part.
            some = order[start : start + max(1, _PLACES_AT_ONCE // int(taken[order[start]]))]
            some = some[: max(1, _PLACES_AT_ONCE // int(taken[some[-1]]))]
            made[some] = self._forward(last[some, -int(taken[some[-1]]) :])
            start += len(some)
        return made

    def _forward(self, last: Columns) -> Array:
        """Histories end in the last column: places before the first are looked at by none."""
        length = last.shape[1]
        hidden: Array = self.items[np.maximum(last, 0)] + self.arrays["positions.weight"][:length][::-1]
        hidden_from = np.where(last < 0, _LATER, np.float32(0.0))[:, None, None, :]
        causal = np.triu(np.full((length, length), _LATER), 1) + hidden_from
        blocks = self.blocks
        for number in range(blocks):
            newest = number == blocks - 1
            hidden = self._block(number, hidden, causal[:, :, -1:] if newest else causal, newest=newest)
        return self._normed("norm", hidden[:, -1])

    def _block(self, number: int, hidden: Array, mask: Array, *, newest: bool) -> Array:
        """Return the block's output at every place, or at the newest only."""
        at = f"blocks.{number}"
        n, length, width = hidden.shape
        normed = self._normed(f"{at}.before_attention", hidden)
        asked = self._linear(f"{at}.asked", normed).reshape(n, length, 3, self.heads, width // self.heads)
        query, key, value = asked.transpose(2, 0, 3, 1, 4)
        if newest:
            query, hidden = query[:, :, -1:], hidden[:, -1:]
        weight = query @ key.transpose(0, 1, 3, 2) * np.float32(key.shape[-1] ** -0.5) + mask
        weight -= weight.max(axis=-1, keepdims=True)
        np.exp(weight, out=weight)
        weight /= weight.sum(axis=-1, keepdims=True)
        seen = (weight @ value).transpose(0, 2, 1, 3).reshape(n, -1, width)
        hidden = hidden + self._linear(f"{at}.told", seen)
        wide = np.maximum(self._linear(f"{at}.wide", self._normed(f"{at}.before_forward", hidden)), 0.0)
        return np.asarray(hidden + self._linear(f"{at}.narrow", wide))

    def _linear(self, name: str, x: Array) -> Array:
        return np.asarray(x @ self.arrays[f"{name}.weight"].T + self.arrays[f"{name}.bias"])

    def _normed(self, name: str, x: Array) -> Array:
        width = np.float32(x.shape[-1])  # by hand: of one history, ``mean`` takes longer to begin than to count
        x = x - np.add.reduce(x, axis=-1, keepdims=True) / width
        x /= np.sqrt(np.add.reduce(x * x, axis=-1, keepdims=True) / width + np.float32(_EPSILON))
        return np.asarray(x * self.arrays[f"{name}.weight"] + self.arrays[f"{name}.bias"])

    def occluded(self, last: Columns) -> Array:
        """Return what each place of each history adds to its vector: (n, length, width), 0 where there is no item.

        Occlusion: the vector less that of the history without the item. Its product with an item's vector is what the
        place adds to that item's score.
        """
        n, length = last.shape
        # Taking a place out moves what is before it one to the right.
        moved = np.arange(length)[None, :] - (np.arange(length)[None, :] <= np.arange(length)[:, None])
        without = np.where(moved >= 0, last[:, np.maximum(moved, 0)], -1)
        made = self.vectors(np.concatenate([last, without.reshape(n * length, length)]))
        whole, rest = made[:n, None, :], made[n:].reshape(n, length, -1)
        return np.where((last >= 0)[:, :, None], whole - rest, np.float32(0.0))
