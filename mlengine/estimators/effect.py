"""What being chosen for a campaign does to each person, as a model that can be kept: with its doubt, and by channel."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlengine.estimators.prepared import Prepared
from mlengine.estimators.uplift import Part, Uplift, part_of

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Lever:
    """What one channel does: to everybody on average, and to each person where her facts tell more than that.

    ``average_error`` and ``again`` tell the doubt, as of an :class:`Effect`.
    """

    average: float
    average_error: float
    uplift: Uplift | None
    again: tuple[Uplift, ...] = ()

    def __call__(self, Z: Array) -> tuple[Array, Array, Array]:
        """Return the effect on each person's probability and the ends of its 95 % interval, each of shape (n,)."""
        if self.uplift is None:
            middle, error = np.full(len(Z), self.average), np.full(len(Z), self.average_error)
        else:
            middle, error = self.uplift.uplift(Z), _spread(self.again, Z)
        return middle, middle - 1.96 * error, middle + 1.96 * error

    def kept(self) -> dict[str, Any]:
        return {
            "average": self.average,
            "error": None if np.isnan(self.average_error) else self.average_error,
            "uplift": self.uplift.kept() if self.uplift else None,
            "again": [one.kept() for one in self.again],
        }

    @staticmethod
    def of(kept: Mapping[str, Any]) -> "Lever":
        """Return what ``kept`` gave; of a release before, without its doubt."""
        error = kept.get("error")
        return Lever(
            average=kept["average"],
            average_error=np.nan if error is None else error,
            uplift=_uplift(kept["uplift"]),
            again=tuple(Uplift.of(one) for one in kept.get("again", ())),
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Effect:
    """The effect on a person, of columns that ``prepared`` makes comparable.

    Attributes
    ----------
    uplift : Uplift or None
        None where effects do not differ beyond chance: everybody gets ``average``, which orders nobody.
    again : tuple of Uplift
        The same learned from people drawn again with replacement, for the doubt.
    untreated : Part
        The probability without a message.
    levers : mapping
        By channel.
    """

    names: tuple[str, ...]
    prepared: Prepared
    average: float
    average_error: float
    uplift: Uplift | None
    again: tuple[Uplift, ...]
    untreated: Part
    levers: Mapping[str, Lever] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def effect(self, X: Array) -> tuple[Array, Array, Array]:
        """Return the effect on each person's probability, and the ends of its 95 % interval, each of shape (n,)."""
        whole = Lever(average=self.average, average_error=self.average_error, uplift=self.uplift, again=self.again)
        return whole(self.prepared(X))

    def alone(self, X: Array) -> Array:
        """Return the probability without a message."""
        return self.untreated(self.prepared(X))

    def by_channel(self, X: Array) -> dict[str, tuple[Array, Array, Array]]:
        """Return the same of each channel alone, where enough people were drawn for it."""
        Z = self.prepared(X)
        return {channel: lever(Z) for channel, lever in self.levers.items()}

    def contributions(self, X: Array) -> Array:
        """Return how the effect changes if each column were as it is on average, of shape (n, len(names))."""
        Z = self.prepared(X)
        found = np.zeros_like(Z)
        if self.uplift is None:
            return found
        here = self.uplift.uplift(Z)
        for n in range(Z.shape[1]):
            usual = Z.copy()
            usual[:, n] = 0.0
            found[:, n] = here - self.uplift.uplift(usual)
        return found

    def importances(self) -> dict[str, float]:
        """Return how far one spread of each column moves the effect, as shares, the largest first."""
        if self.uplift is None:
            return {}
        k = len(self.names)
        steps = self.uplift.uplift(np.vstack([np.eye(k), -np.eye(k)]))
        moved = np.abs(steps[:k] - steps[k:])
        share = moved / max(float(moved.sum()), 1e-12)
        return {self.names[n]: float(share[n]) for n in np.argsort(-share, kind="stable")}

    def save(self, directory: Path) -> None:
        kept = {
            "names": self.names,
            "prepared": self.prepared.kept(),
            "average": [self.average, self.average_error],
            "uplift": self.uplift.kept() if self.uplift else None,
            "again": [one.kept() for one in self.again],
            "untreated": self.untreated.kept(),
            "levers": {name: lever.kept() for name, lever in self.levers.items()},
            "facts": self.facts,
        }
        (directory / "model.json").write_text(json.dumps(kept), encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        kept = json.loads((directory / "model.json").read_text(encoding="utf-8"))
        return cls(
            names=tuple(kept["names"]),
            prepared=Prepared.of(kept["prepared"]),
            average=kept["average"][0],
            average_error=kept["average"][1],
            uplift=_uplift(kept["uplift"]),
            again=tuple(Uplift.of(one) for one in kept["again"]),
            untreated=part_of(kept["untreated"]),
            levers={name: Lever.of(lever) for name, lever in kept["levers"].items()},
            facts=kept["facts"],
        )


def _spread(again: tuple[Uplift, ...], Z: Array) -> Array:
    """Return how far the models of people drawn again are apart; nan where there are none."""
    if len(again) < 2:
        return np.full(len(Z), np.nan)
    return np.asarray(np.std([one.uplift(Z) for one in again], axis=0, ddof=1))


def _uplift(kept: Mapping[str, Any] | None) -> Uplift | None:
    return Uplift.of(kept) if kept else None
