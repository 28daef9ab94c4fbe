"""How far a distribution has moved since training: of features, and of scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

Array = NDArray[Any]

BINS = 10
FLOOR = 1e-4  # an empty bin would make the index infinite

STEADY, SHIFTED = 0.1, 0.25  # the usual reading: below .1 nothing moved, above .25 look at it (Siddiqi 2006, ch. 9)


def psi(reference: Array, current: Array, *, bins: int = BINS) -> float:
    """Return the population stability index between two samples of one number; missing values are a bin of their own.

    Sum over bins of (q - p) ln(q / p), the bins cut at the reference's quantiles: 0 when alike, symmetric in p and q.

    Parameters
    ----------
    reference, current : array of shape (n,), (m,)
        Floats, nan for missing; neither may be empty.

    Examples
    --------
    >>> psi(np.arange(100.0), np.arange(100.0))
    0.0
    >>> psi(np.arange(100.0), np.arange(100.0) + 50) > SHIFTED
    True
    """
    if not len(reference) or not len(current):
        raise ValueError(f"Drift needs two samples, not {len(reference)} and {len(current)} rows.")
    edges = cut_points(reference, bins=bins)
    return psi_of_shares(shares(reference, edges), shares(current, edges))


def cut_points(reference: Array, *, bins: int = BINS) -> Array:
    """Return the inner edges between bins that hold about as many of the reference each, without repeats.

    A value that fills several bins alone (0 in a count) is cut off on both sides, so that it is a bin of its own.
    """
    known = reference[~np.isnan(reference)]
    if not known.size:
        return np.array([])
    found = np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf")
    heavy = found[:-1][found[:-1] == found[1:]]
    return np.unique(np.r_[found, np.nextafter(heavy, np.inf), np.nextafter(known.min(), np.inf)])


def shares(values: Array, edges: Array) -> Array:
    """Return the share of values in each bin between ``edges``, and last the share that is missing."""
    missing = np.isnan(values)
    where = np.searchsorted(edges, values[~missing], side="right")
    counts = np.bincount(where, minlength=len(edges) + 1)
    return np.asarray(np.r_[counts, missing.sum()] / max(len(values), 1))


def psi_of_shares(reference: Array, current: Array) -> float:
    """Return the index of two distributions over the same bins."""
    p, q = np.maximum(reference, FLOOR), np.maximum(current, FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def by_chance(bins: int, reference: int, current: int) -> float:
    """Return the index that two samples of one distribution stay below 999 times in 1,000.

    Between samples of n and m, index * n * m / (n + m) is about chi-squared with bins - 1 degrees of freedom (Yurdakul,
    Statistical Properties of Population Stability Index, 2018): small groups of people differ much for no reason.

    Examples
    --------
    >>> round(by_chance(10, 100, 100), 3), round(by_chance(10, 100_000, 100_000), 5)
    (0.558, 0.00056)
    """
    return float(chi2.ppf(0.999, max(bins - 1, 1)) * (1 / reference + 1 / current))


def noise(reference: Array, current: Array, *, bins: int = BINS) -> float:
    """Return ``by_chance`` for the bins that ``psi`` cuts these two samples into."""
    missing = bool(np.isnan(reference).any() or np.isnan(current).any())
    return by_chance(len(cut_points(reference, bins=bins)) + 1 + missing, len(reference), len(current))


def psi_of_items(reference: Array, current: Array, *, most: int = 20) -> float:
    """Return the index between two samples of names: each of the reference's ``most`` frequent, and all others.

    Examples
    --------
    >>> psi_of_items(np.array([1, 1, 2]), np.array([1, 1, 2]))
    0.0
    """
    names, counts = np.unique(reference, return_counts=True)
    named = names[np.argsort(-counts, kind="stable")[:most]]
    return psi_of_shares(_shares_of(reference, named), _shares_of(current, named))


def _shares_of(values: Array, named: Array) -> Array:
    counts = np.array([np.count_nonzero(values == name) for name in named], float)
    return np.asarray(np.r_[counts, len(values) - counts.sum()] / max(len(values), 1))


def drift(reference: Mapping[str, Array], current: Mapping[str, Array]) -> dict[str, float]:
    """Return the index of every column that both have, the most moved first.

    Examples
    --------
    >>> drift({"a": np.arange(9.0), "b": np.arange(9.0)}, {"a": np.arange(9.0), "b": np.arange(9.0) + 9})["a"]
    0.0
    """
    found = {name: psi(values, current[name]) for name, values in reference.items() if name in current}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))
