"""Noisy counts made fit to be read: none negative, parts that add up to their whole, no cell of a handful of people.

This is post-processing: it sees only what was released, so it costs nothing (Dwork and Roth 2014, proposition 2.1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FLOOR = 10  # a cell below it is told as "fewer than 10": its noise is larger than itself


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Counts by key with their total: ``told`` and ``rest`` add up to ``total`` exactly.

    ``rest`` is everybody in cells below the floor; ``small`` names those cells.
    """

    told: Mapping[str, int]
    small: Sequence[str]
    rest: int
    total: int


def consistent(noisy: Sequence[int], total: int | None = None) -> list[int]:
    """Return the nearest whole numbers that are not negative and add up to the total.

    The total is the sum of the parts unless it was released itself; without noise that adds up to less than nothing
    everything is zero. Nearest in the Euclidean sense: the projection onto a simplex (Held, Wolfe and Crowder 1974),
    then whole numbers by largest remainders.

    >>> consistent([50, -3, 10]), consistent([50, -3, 10], total=60)
    ([49, 0, 8], [50, 0, 10])
    """
    whole = max(0, sum(noisy) if total is None else total)
    if not whole:
        return [0] * len(noisy)
    if not noisy:
        raise ValueError(f"A total of {whole} has no parts to lie in.")
    shift = _shift(sorted(noisy, reverse=True), whole)
    exact = [max(0.0, value - shift) for value in noisy]
    found = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: (found[place] - exact[place], place))
    for place in by_remainder[: max(0, whole - sum(found))]:
        found[place] += 1
    return found


def _shift(descending: Sequence[int], whole: int) -> float:
    """Return what to take off every part so that those left above zero add up to the whole."""
    shift, sum_so_far = 0.0, 0
    for count, value in enumerate(descending, start=1):
        sum_so_far += value
        proposed = (sum_so_far - whole) / count
        if value - proposed <= 0:
            break
        shift = proposed
    return shift


def tidied(noisy: Mapping[str, int], *, total: int | None = None, floor: int = FLOOR) -> Cells:
    """Return noisy cells as they may be shown, consistent and floored.

    >>> tidied({"a": 50, "b": -3, "c": 4, "d": 60})
    Cells(told={'a': 49, 'd': 59}, small=['b', 'c'], rest=3, total=111)
    """
    counts = dict(zip(noisy, consistent(list(noisy.values()), total), strict=True))
    told = {key: count for key, count in counts.items() if count >= floor}
    whole = sum(counts.values())
    return Cells(
        told=told,
        small=[key for key in counts if key not in told],
        rest=whole - sum(told.values()),
        total=whole,
    )
