"""Renewal with dropout: when somebody comes back for the same thing, from few and uneven gaps."""

from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from mlengine.interactions import Floats, Ints

Names = npt.NDArray[Any]  # ids of items, or names of categories

_LEARNED: Final = ("mean_", "ids_", "things_", "within_", "between_", "dropout_")
_SHORTEST: Final = 0.5  # days; a gap of none at all has no logarithm
_DROPOUTS: Final = np.linspace(0.01, 0.98, 98)
MOST_COUNTED: Final = 8  # purchases; who bought more often drops out as rarely as who bought so often


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """What is known of pairs of a person and a thing, one row a pair.

    Attributes
    ----------
    thing : int64 array
        Column of the thing.
    times : int64 array
        On how many days it was bought, at least 1.
    logs, squares : float64 arrays
        Sum of the logarithms of the gaps in days between them, and of their squares.
    since : float64 array
        Days since the last purchase.
    """

    thing: Ints
    times: Ints
    logs: Floats
    squares: Floats
    since: Floats

    @property
    def gaps(self) -> Ints:
        return self.times - 1


class Renewal:
    """Log-normal gaps whose means are shrunk twice (pair to thing, thing to all), ended by a dropout after a purchase.

    After purchase number n a pair ends with probability d_n; else the next gap's logarithm is normal. Means and their
    spreads are estimated by moments (random effects: Searle, Casella, McCulloch 1992, ch. 3), d_n by maximum likelihood
    over the gaps that ended and those that have not: the same mixture as in BG/NBD (Fader, Hardie, Lee 2005), with a
    rhythm in place of a rate.

    Attributes
    ----------
    mean_ : float
        Of all logarithms of gaps.
    ids_, things_ : int64 or str array, float64 array
        The things, ascending, and the shrunk mean of each.
    within_, between_ : float
        Variances of one gap around its pair, and of pairs around their thing.
    dropout_ : float64 array
        d_n for n = 1 to 8 and more.
    """

    def fit(self, rhythm: Rhythm, ids: Names) -> Self:
        self.ids_, things = ids, len(ids)
        told = rhythm.gaps > 0
        n, sums, squares = rhythm.gaps[told].astype(float), rhythm.logs[told], rhythm.squares[told]
        thing = rhythm.thing[told]
        self.mean_ = float(sums.sum() / max(n.sum(), 1.0))
        inside = float((squares - sums**2 / n).sum())
        self.within_ = max(inside / max(float((n - 1).sum()), 1.0), 0.05)
        count: Floats = np.bincount(thing, n, minlength=things).astype(float)
        total = np.bincount(thing, sums, minlength=things)
        raw = np.divide(total, count, out=np.full(things, self.mean_), where=count > 0)
        self.between_ = _between(sums / n, raw[thing], n, self.within_)
        among = _between(raw, np.full(things, self.mean_), count, self.within_ + self.between_, at_least=0.02)
        lean = (self.within_ + self.between_) / among
        self.things_ = (total + lean * self.mean_) / (count + lean)
        self.dropout_ = self._dropouts(rhythm)
        return self

    def about(self, ids: Names) -> Self:
        """Return the same for other things, ascending: one that was not there when it learned has the mean of all."""
        place = np.minimum(np.searchsorted(self.ids_, ids), len(self.ids_) - 1)
        made = copy(self)
        made.ids_, made.things_ = ids, np.where(self.ids_[place] == ids, self.things_[place], self.mean_)
        return made

    def save(self, path: Path) -> None:
        learned: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _LEARNED}
        np.savez_compressed(path, **learned)

    @classmethod
    def load(cls, path: Path) -> Self:
        made = cls()
        with np.load(path, allow_pickle=False) as kept:
            for name in _LEARNED:
                setattr(made, name, kept[name] if kept[name].ndim else float(kept[name]))
        return made

    def expected(self, rhythm: Rhythm) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of the logarithm of each pair's next gap."""
        lean = self.within_ / self.between_
        n = rhythm.gaps.astype(float)
        mean = (rhythm.logs + lean * self.things_[rhythm.thing]) / (n + lean)
        return mean, np.sqrt(self.within_ * (1.0 + 1.0 / (n + lean)))

    def probability(self, rhythm: Rhythm, days: float) -> Floats:
        """Return how probable the next purchase is within so many days from now."""
        mean, spread = self.expected(rhythm)
        waits, later = (_survives(rhythm.since + ahead, mean, spread) for ahead in (0.0, days))
        ended = self.dropout_[np.minimum(rhythm.times, MOST_COUNTED) - 1]
        alive = (1.0 - ended) * waits / np.maximum(ended + (1.0 - ended) * waits, 1e-300)
        return np.asarray(alive * (1.0 - later / np.maximum(waits, 1e-300)))

    def due(self, rhythm: Rhythm, share: float) -> Floats:
        """Return after how many days from now this share of those who come again will have."""
        mean, spread = self.expected(rhythm)
        waits = _survives(rhythm.since, mean, spread)
        gap = np.exp(mean - spread * ndtri(np.clip(waits * (1.0 - share), 1e-12, 1 - 1e-12)))
        return np.maximum(gap - rhythm.since, 0.0)

    def _dropouts(self, rhythm: Rhythm) -> Floats:
        """Return the likeliest d_n: the n-th purchase was no end where another came, but maybe where none did."""
        mean, spread = self.expected(rhythm)
        waits = _survives(rhythm.since, mean, spread)
        number = np.minimum(rhythm.times, MOST_COUNTED)
        found = []
        for n in range(1, MOST_COUNTED + 1):
            here = number == n
            # Of the last class every purchase from the eighth on went on but the last one.
            went_on = (rhythm.times > n).sum() if n < MOST_COUNTED else (rhythm.times[here] - MOST_COUNTED).sum()
            last = waits[here]
            likely = [float(went_on) * np.log1p(-d) + np.log(d + (1 - d) * last).sum() for d in _DROPOUTS]
            found.append(float(_DROPOUTS[int(np.argmax(likely))]))
        return np.array(found)


def _survives(days: Floats, mean: Floats, spread: Floats) -> Floats:
    """Return how probable it is that a gap is longer than so many days."""
    return np.asarray(ndtr((mean - np.log(np.maximum(days, _SHORTEST))) / spread))


def _between(means: Floats, centres: Floats, count: Floats, within: float, at_least: float = 0.05) -> float:
    """Return the variance of means around their centres beyond what the variance within explains."""
    told = count > 0
    if not told.any():
        return 1.0
    excess = ((means - centres) ** 2)[told] - within / count[told]
    return max(float(np.average(excess, weights=np.minimum(count[told], 20.0))), at_least)
