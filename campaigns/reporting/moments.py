"""Groups of people as sums, which can be added up anywhere; nothing here knows of a database."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, kw_only=True)
class Moments:
    """The sums over a group: of an outcome y, of what the same people had before (x), of squares and products."""

    n: int = 0
    y: float = 0.0
    yy: float = 0.0
    x: float = 0.0
    xx: float = 0.0
    xy: float = 0.0

    @classmethod
    def of(cls, outcome: ArrayLike, before: ArrayLike | None = None) -> "Moments":
        """Return the sums of one number a person, and of one from before."""
        y = np.asarray(outcome, np.float64)
        x = np.zeros_like(y) if before is None else np.asarray(before, np.float64)
        return cls(n=y.size, y=y.sum(), yy=(y * y).sum(), x=x.sum(), xx=(x * x).sum(), xy=(x * y).sum())

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            n=self.n + other.n,
            y=self.y + other.y,
            yy=self.yy + other.yy,
            x=self.x + other.x,
            xx=self.xx + other.xx,
            xy=self.xy + other.xy,
        )

    @property
    def mean(self) -> float:
        return self.y / self.n if self.n else 0.0

    @property
    def mean_before(self) -> float:
        return self.x / self.n if self.n else 0.0

    def variances(self) -> tuple[float, float, float]:
        """Return the variances of y and of x and their covariance, of a sample; zeros below two people."""
        if self.n < 2:
            return 0.0, 0.0, 0.0
        pairs = (self.yy, self.y, self.y), (self.xx, self.x, self.x), (self.xy, self.x, self.y)
        yy, xx, xy = ((both - one * other / self.n) / (self.n - 1) for both, one, other in pairs)
        return max(yy, 0.0), max(xx, 0.0), xy


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """One experiment: those meant to get a message, and those held out, at random, of the same people."""

    treated: Moments
    held: Moments

    @property
    def weight(self) -> float:
        """The number of pairs that tell as much of a difference: half the harmonic mean of both sizes."""
        return 1 / (1 / self.treated.n + 1 / self.held.n)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """An effect, in the unit of the outcome and for each person meant to be reached, and its squared standard error.

    ``variance_before`` is what that would be of the number from before: known when the experiment began.
    ``spared`` is the share of the variance that knowing it took away.
    """

    effect: float
    variance: float
    variance_before: float = 0.0
    spared: float = 0.0
