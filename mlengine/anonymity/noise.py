"""Counts, histograms and sums with integer noise, so that one person's presence cannot be told from an answer.

The noise is OpenDP's: exact integer arithmetic on random bits of the operating system, none of the floating-point
artefacts by which textbook samplers can be undone (Mironov 2012). What a mechanism promises is asked of OpenDP too
(its ``map``), and audited in tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from math import ceil, exp, log, sqrt
from typing import Any, Literal, Self

LARGEST = 2**53  # beyond it an answer could not be JSON; no count or sum of cents comes near


@dataclass(frozen=True, kw_only=True)
class Bound:
    """How far one person can move an answer: at most ``cells`` of its numbers, each by at most ``most``.

    The bound is a promise about the *data*: whoever counts must cut what a person contributes down to it first.
    """

    cells: int = 1
    most: int = 1

    def __post_init__(self) -> None:
        if self.cells < 1 or self.most < 1:
            raise ValueError(f"A bound is at least one cell and one unit, not {self.cells} and {self.most}.")

    @property
    def l1(self) -> int:
        return self.cells * self.most

    @property
    def l2(self) -> float:
        return sqrt(self.cells) * self.most


@dataclass(frozen=True, kw_only=True)
class Mechanism:
    """Integer noise of one kind and scale, and what it promises about data within a bound.

    ``laplace`` is for few numbers, ``gaussian`` for many at once (its noise grows with the root of how many of them a
    person is in). A ``threshold`` is for keys that are not known beforehand (cities as people wrote them): whatever
    stays below it after the noise is not told at all, for that a key exists may already be somebody's secret.
    """

    kind: Literal["laplace", "gaussian"]
    scale: float
    bound: Bound
    threshold: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.scale < LARGEST:
            raise ValueError(f"The noise has a scale above 0, not {self.scale}.")
        if self.threshold and self.kind != "laplace":
            raise ValueError("Unknown keys are counted with Laplace noise.")

    @classmethod
    def laplace(cls, epsilon: float, bound: Bound) -> Self:
        """Return the mechanism that keeps ``epsilon`` by itself."""
        _positive(epsilon)
        return cls(kind="laplace", scale=bound.l1 / epsilon, bound=bound)

    @classmethod
    def gaussian(cls, rho: float, bound: Bound) -> Self:
        """Return the mechanism that keeps ``rho`` of zero-concentrated differential privacy (Bun and Steinke 2016)."""
        _positive(rho)
        return cls(kind="gaussian", scale=bound.l2 / sqrt(2 * rho), bound=bound)

    @classmethod
    def unknown_keys(cls, epsilon: float, delta: float, bound: Bound) -> Self:
        """Return Laplace noise with the lowest threshold at which a key of one person shows with ``delta`` at most."""
        _positive(epsilon)
        if not 0 < delta < 1:
            raise ValueError(f"delta lies between 0 and 1, not at {delta}.")
        made = cls(kind="laplace", scale=bound.l1 / epsilon, bound=bound, threshold=bound.most + 1)
        while made._reached > delta:  # by the formula: a web process that only lists figures need not load OpenDP
            made = replace(made, threshold=made.threshold + 1)
        return made

    @property
    def delta(self) -> float:
        """The probability with which a threshold may fail; zero for known keys.

        That a key which one person alone has reaches it: P(noise >= threshold - most) = a^(threshold - most) / (1 + a)
        with a = exp(-1 / scale), for each of their cells. OpenDP 0.16 states the probability of *passing* a threshold
        that is told already when it is reached, and so less than is measured: the larger of both counts.
        """
        if not self.threshold:
            return 0.0
        return max(self._reached, float(self._measurement.map(self._change)[1]))

    @property
    def _reached(self) -> float:
        a = exp(-1 / self.scale)
        return self.bound.cells * a ** (self.threshold - self.bound.most) / (1 + a)

    def epsilon(self, delta: float = 0.0) -> float:
        """Return what one answer costs, taken alone; a Gaussian costs only at a ``delta`` above zero."""
        if self.threshold:
            return float(self._measurement.map(self._change)[0])
        if self.kind == "laplace":
            return float(self._measurement.map(self.bound.l1))
        if delta <= 0:
            return float("inf")
        profile = _opendp().c.make_zCDP_to_approxDP(self._measurement).map(self.bound.l2)
        return float(profile.epsilon(delta))

    def margin(self, share: float = 0.95) -> int:
        """Return the half-width around an answer in which the truth lies with probability ``share``.

        For integer Laplace noise P(|n| > m) = 2 a^(m+1) / (1 + a) with a = exp(-1/scale); for the Gaussian the
        continuous quantile, rounded up.
        """
        if self.kind == "gaussian":
            from scipy.special import ndtri  # noqa: PLC0415 (a web process draws Laplace noise only)

            return ceil(self.scale * float(ndtri(0.5 + share / 2)))
        a = exp(-1 / self.scale)
        return max(0, ceil(log((1 - share) * (1 + a) / 2) / log(a) - 1))

    def noisy(self, counts: Sequence[int]) -> list[int]:
        """Return the numbers with noise; they may be negative (see :mod:`~mlengine.anonymity.tidying`)."""
        if self.threshold:
            raise ValueError("With a threshold ask for keyed counts.")
        _whole(counts)
        return [int(value) for value in self._measurement(list(counts))]

    def noisy_keys(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Return those unknown keys whose noisy count reaches the threshold, with that count."""
        if not self.threshold:
            raise ValueError("Without a threshold a key that one person has would show that they exist.")
        _whole(list(counts.values()))
        return {str(key): int(value) for key, value in self._measurement(dict(counts)).items()} if counts else {}

    @property
    def _change(self) -> tuple[int, int, int]:
        return self.bound.cells, self.bound.l1, self.bound.most

    @cached_property
    def _measurement(self) -> Any:
        dp = _opendp()
        if self.threshold:
            keyed = dp.map_domain(dp.atom_domain(T=str), dp.atom_domain(T=int))
            metric = dp.l01inf_distance(dp.absolute_distance(T=int))
            return dp.m.make_laplace_threshold(keyed, metric, self.scale, self.threshold)
        numbers = dp.vector_domain(dp.atom_domain(T=int))
        if self.kind == "laplace":
            return dp.m.make_laplace(numbers, dp.l1_distance(T=int), self.scale)
        return dp.m.make_gaussian(numbers, dp.l2_distance(T=float), self.scale)


@cache
def _opendp() -> Any:
    """Return OpenDP, loaded when noise is drawn for the first time: a second, and more than a web process should be."""
    import opendp.prelude as dp  # noqa: PLC0415

    dp.enable_features("contrib")
    return dp


def _positive(value: float) -> None:
    if not 0 < value < LARGEST:
        raise ValueError(f"The privacy of an answer is a number above 0, not {value}.")


def _whole(counts: Sequence[object]) -> None:
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or abs(count) > LARGEST:
            raise ValueError(f"Noise is added to whole numbers up to 2^53, not to {count!r}.")
