"""Gamma-Gamma: what somebody spends a purchase varies around a mean of the person's own.

Source: Fader & Hardie, The Gamma-Gamma Model of Monetary Value (2013): spends are Gamma(p, v), v is Gamma(q, gamma).
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from mlengine.estimators.lifetime_value.fitting import learned_from, likeliest
from mlengine.estimators.lifetime_value.histories import Histories

Array = NDArray[Any]


LEAST: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class GammaGamma:
    """A fitted Gamma-Gamma; ``gamma`` in the unit of money."""

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, told: Histories, *, penalty: float = 0.0) -> Self:
        """Return the parameters of highest likelihood, from those who spent anything.

        Raises
        ------
        NotEnoughData
            Fewer than ten such people.
        """
        paid = told.rows(told.monetary_value > 0)
        known = paid.rows(learned_from(len(paid), "paid anything"))
        scale = float(np.median(known.monetary_value))
        return likeliest(cls, known, {"p": 4.0, "q": 3.0, "gamma": scale}, penalty)

    def log_likelihood(self, told: Histories) -> Array:
        """Return the logarithm of how likely each mean spend is, of shape (n,): equation (1a)."""
        x, z = told.spends, told.monetary_value
        px = self.p * x
        return np.asarray(
            gammaln(px + self.q) - gammaln(px) - gammaln(self.q)
            + self.q * np.log(self.gamma) + (px - 1) * np.log(z) + px * np.log(x)
            - (px + self.q) * np.log(self.gamma + x * z)
        )  # fmt: skip

    @property
    def average(self) -> float:
        """What a purchase is expected to be of whom nothing was seen; where q is not above 1 there is no such mean."""
        return self.p * self.gamma / max(self.q - 1.0, LEAST)

    def spend(self, told: Histories) -> Array:
        """Return what a purchase of each is expected to be, between own mean and average, of shape (n,): (5)."""
        px = self.p * told.spends
        shape = np.maximum(px + self.q - 1.0, LEAST)
        seen = self.p * (self.gamma + told.spends * told.monetary_value) / shape
        return np.where(told.spends > 0, seen, self.average)

    def facts(self) -> dict[str, float]:
        return asdict(self)
