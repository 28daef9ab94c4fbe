"""A sample of people by a hash of their numbers: the same people for every rule, so figures move only as rules do.

The hash is a permutation of all numbers below a power of two, so the sample is written down from its beginning instead
of being searched for: a thousand people of ten million cost a thousand look-ups. A longer sample begins with a shorter
one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt

import numpy as np
from django.db.models import Max
from numpy.typing import NDArray

from crm.models import Profile

Z = 1.959964  # 95 %
MULTIPLIERS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # of SplitMix64; any odd number is a permutation


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How many there are of a whole, by a sample, with the bounds between which it lies 19 times in 20."""

    value: int
    low: int
    high: int


def slices(first: int = 250, factor: int = 4) -> Iterator[NDArray[np.int64]]:
    """Yield the sample slice by slice, each about four times the one before, until everybody was yielded."""
    highest = population()
    begin, size = 0, first
    while begin < highest:
        yield sample(highest, begin, size)
        begin, size = begin + size, size * factor


def population() -> int:
    """Return the highest number of a profile: of so many numbers the sample is taken, whoever of them is left."""
    return Profile.objects.aggregate(highest=Max("pk"))["highest"] or 0


def sample(highest: int, begin: int, size: int) -> NDArray[np.int64]:
    """Return the numbers from 1 to ``highest`` that stand at some places of the order which the hash makes.

    >>> sorted([*sample(10, 0, 4).tolist(), *sample(10, 4, 100).tolist()])
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """
    bits = max(2, (highest - 1).bit_length())
    order = permuted(np.arange(min(2 * (begin + size) + 1024, 2**bits), dtype=np.uint64), bits)
    found = order[order < highest]
    while len(found) < min(begin + size, highest):
        order = permuted(np.arange(min(2 * len(order), 2**bits), dtype=np.uint64), bits)
        found = order[order < highest]
    return found[begin : begin + size].astype(np.int64) + 1


def permuted(numbers: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """Return a permutation of the numbers below 2^bits: each step (odd product, shifted exclusive or) can be undone."""
    mask, shift = np.uint64(2**bits - 1), np.uint64(bits // 2 + 1)
    z = (numbers + np.uint64(0x9E3779B9)) & mask
    with np.errstate(over="ignore"):
        for _round in range(2):
            for multiplier in MULTIPLIERS:
                z = (z * np.uint64(multiplier)) & mask
                z ^= z >> shift
    return z


def estimate(hits: int, drawn: int, whole: int) -> Estimate:
    """Return how many of the whole there are, with Wilson's interval (1927): honest for few hits, and for none.

    >>> estimate(0, 1000, 1_000_000)
    Estimate(value=0, low=0, high=3827)
    """
    if drawn >= whole:
        return Estimate(value=hits, low=hits, high=hits)
    share = hits / drawn
    middle = (share + Z * Z / (2 * drawn)) / (1 + Z * Z / drawn)
    spread = Z * sqrt(share * (1 - share) / drawn + Z * Z / (4 * drawn * drawn)) / (1 + Z * Z / drawn)
    low, high = (round(whole * min(max(bound, 0.0), 1.0)) for bound in (middle - spread, middle + spread))
    return Estimate(value=round(whole * share), low=max(low, hits), high=min(high, whole - drawn + hits))
