"""Pareto/NBD: people buy at random at a rate of their own until, unseen, they leave.

Source: Schmittlein, Morrison & Colombo, Counting Your Customers (1987), as derived by Fader & Hardie, A Note on
Deriving the Pareto/NBD Model (2005): rates are Gamma(r, alpha), the hazards of leaving Gamma(s, beta).
"""

from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, gammaln

from mlengine.estimators.lifetime_value.fitting import learned_from, likeliest
from mlengine.estimators.lifetime_value.histories import Histories

Array = NDArray[Any]

NODES, WEIGHTS = np.polynomial.legendre.leggauss(48)
NEGLIGIBLE: Final = 45.0  # e to the minus this is nothing beside 1


@dataclass(frozen=True, kw_only=True)
class ParetoNbd:
    """A fitted Pareto/NBD; ``alpha`` and ``beta`` in the unit of time that it was fitted in.

    The integral that others write as two Gaussian hypergeometric functions is done by Gauss and Legendre's rule on a
    logarithmic scale: those overflow for somebody with thousands of purchases, this does not.
    """

    r: float
    alpha: float
    s: float
    beta: float

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
        return likeliest(cls, known, {"r": 0.5, "alpha": unit / 3, "s": 0.5, "beta": unit / 3}, penalty)

    def log_likelihood(self, told: Histories) -> Array:
        """Return the logarithm of how likely each history is, of shape (n,): equation (18) of the note."""
        x = told.frequency
        front = gammaln(self.r + x) - gammaln(self.r) + self.r * np.log(self.alpha) + self.s * np.log(self.beta)
        return np.asarray(front + np.logaddexp(self._alive(told), self._left(told)))

    def alive(self, told: Histories) -> Array:
        """Return the probability that each has not left at the cutoff, of shape (n,): equation (39)."""
        return np.asarray(1.0 / (1.0 + np.exp(np.clip(self._left(told) - self._alive(told), -700, 700))))

    def purchases(self, told: Histories, horizon: float) -> Array:
        """Return how many purchases are expected of each in the ``horizon`` after the cutoff: equation (41)."""
        rate = (self.r + told.frequency) / (self.alpha + told.T)
        return np.asarray(self.alive(told) * rate * self._time_left(told.T, horizon))

    def at_most(self, told: Histories, horizon: float, count: Array) -> Array:
        """Return the probability that each makes at most ``count`` purchases in the ``horizon`` after the cutoff.

        Somebody who leaves after a time u has made a negative binomial number until then, of shape r + x and with
        (alpha + T) / (alpha + T + u) for its probability; u is integrated over as in the likelihood.
        """
        shape, rate, age = self.r + told.frequency, self.alpha + told.T, self.beta + told.T
        stretch = np.log1p(horizon / age)
        log_time = stretch[:, None] * (NODES + 1) / 2
        until_then = _at_most(shape[:, None], rate[:, None], age[:, None] * np.expm1(log_time), count[:, None])
        leaves = (self.s * np.exp(-self.s * log_time) * until_then) @ WEIGHTS * stretch / 2
        stays = np.exp(-self.s * stretch) * _at_most(shape, rate, np.full(len(told), float(horizon)), count)
        return np.asarray(1.0 - self.alive(told) * (1.0 - leaves - stays))

    def _time_left(self, T: Array, horizon: float) -> Array:
        """Return the expected time until leaving or the end of the horizon, of somebody alive at ``T``."""
        stretch = np.log1p(horizon / (self.beta + T))
        power = (1.0 - self.s) * stretch
        # (exp(power) - 1) / power is 1 where s is 1: no division by s - 1, which may be 0.
        growth = np.where(np.abs(power) < 1e-8, 1.0, np.expm1(power) / np.where(power == 0, 1.0, power))
        return np.asarray((self.beta + T) * stretch * growth)

    def _alive(self, told: Histories) -> Array:
        return np.asarray(
            -(self.r + told.frequency) * np.log(self.alpha + told.T) - self.s * np.log(self.beta + told.T)
        )

    def _left(self, told: Histories) -> Array:
        """Return the logarithm of s times the integral of (alpha+y)^-(r+x) (beta+y)^-(s+1) from recency to T."""
        x, begin, end = told.frequency, told.recency, told.T
        low = min(self.alpha, self.beta)  # on the scale log(low + y) the other factor is smooth, however small low is
        length = np.log((low + end) / (low + begin))
        decay = (self.r + x) * (low + begin) / (self.alpha + begin) + (self.s + 1) * (low + begin) / (self.beta + begin)
        # The integrand falls at least so fast; beyond this there is nothing left of it.
        length = np.minimum(length, NEGLIGIBLE / np.maximum(decay - 1.0, 1e-12))
        u = length[:, None] * (NODES + 1) / 2
        y = (low + begin)[:, None] * np.exp(u) - low
        logs = u - (self.r + x)[:, None] * np.log(self.alpha + y) - (self.s + 1) * np.log(self.beta + y)
        highest = logs.max(axis=1)
        area = (np.exp(logs - highest[:, None]) @ WEIGHTS) * length / 2 * (low + begin)
        with np.errstate(divide="ignore"):  # nobody can have left within no time: log 0
            return np.asarray(np.log(self.s) + highest + np.log(area))

    def facts(self) -> dict[str, float]:
        return asdict(self)


def _at_most(shape: Array, rate: Array, time: Array, count: Array) -> Array:
    """Return the probability that Poisson purchases of Gamma rates are no more than ``count`` in ``time``."""
    return np.asarray(betainc(shape, count + 1.0, rate / (rate + time)))
