"""BG/NBD: people buy at random at a rate of their own, and leave after a purchase with a probability of their own.

Source: Fader, Hardie & Lee, "Counting Your Customers" the Easy Way (2005): rates are Gamma(r, alpha), the probabilities
of leaving Beta(a, b). Nobody leaves before the second purchase, which is what it is easier by than Pareto/NBD.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, gammaln, hyp2f1

from mlengine.estimators.lifetime_value.fitting import learned_from, likeliest
from mlengine.estimators.lifetime_value.histories import Histories

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class BgNbd:
    """A fitted BG/NBD; ``alpha`` in the unit of time that it was fitted in."""

    r: float
    alpha: float
    a: float
    b: float

    @classmethod
    def fit(cls, told: Histories, *, penalty: float = 0.0) -> Self:
        """Return the parameters of highest likelihood.

        Raises
        ------
        NotEnoughData
            Fewer than ten people.
        """
        known = told.rows(learned_from(len(told)))
        unit = max(float(known.T.mean()), 1e-6)
        return likeliest(cls, known, {"r": 0.5, "alpha": unit / 5, "a": 1.0, "b": 2.0}, penalty)

    def log_likelihood(self, told: Histories) -> Array:
        """Return the logarithm of how likely each history is, of shape (n,): equation (6)."""
        x = told.frequency
        front = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha)
        stays = betaln(self.a, self.b + x) - betaln(self.a, self.b) - (self.r + x) * np.log(self.alpha + told.T)
        return np.asarray(front + stays + np.log1p(self._left_over_alive(told)))

    def alive(self, told: Histories) -> Array:
        """Return the probability that each has not left at the cutoff, of shape (n,); 1 after a single purchase."""
        return np.asarray(1.0 / (1.0 + self._left_over_alive(told)))

    def purchases(self, told: Histories, horizon: float) -> Array:
        """Return how many purchases are expected of each in the ``horizon`` after the cutoff: equation (10).

        Its hypergeometric function is Euler-transformed (Abramowitz & Stegun 15.3.3), which takes the number of
        purchases out of the arguments that overflow.
        """
        x = told.frequency
        a = self.a if abs(self.a - 1.0) > 1e-6 else 1.0 + 1e-6
        z = horizon / (self.alpha + told.T + horizon)
        series = hyp2f1(a + self.b - 1 - self.r, a - 1, a + self.b + x - 1, z)
        gone = 1.0 - np.exp((a - 1) * np.log1p(-z)) * series
        return np.asarray((a + self.b + x - 1) / (a - 1) * gone * self.alive(told))

    def _left_over_alive(self, told: Histories) -> Array:
        x = np.maximum(told.frequency, 1.0)
        stretch = np.log1p((told.T - told.recency) / (self.alpha + told.recency))
        odds = np.exp(np.minimum(np.log(self.a) - np.log(self.b + x - 1) + (self.r + x) * stretch, 700))
        return np.where(told.frequency > 0, odds, 0.0)

    def facts(self) -> dict[str, float]:
        return asdict(self)
