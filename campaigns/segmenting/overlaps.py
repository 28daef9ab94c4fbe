"""How alike two groups are, and two circles that show it."""

from dataclasses import dataclass
from math import acos, pi, sqrt

from campaigns.segmenting.counting import Overlap

LARGEST = 70.0  # the radius of the larger circle, in units of the drawing


@dataclass(frozen=True, kw_only=True)
class Alike:
    """The shares of a common part: of the one, of the other, and of both together (Jaccard, 1901); ``None`` of 0."""

    of_first: float | None
    of_second: float | None
    jaccard: float | None


@dataclass(frozen=True, kw_only=True)
class Circles:
    """Two circles whose areas, and that of what they share, are in the proportion of the groups."""

    first: float
    second: float
    apart: float  # from one middle to the other

    @property
    def middle_of_first(self) -> float:
        return round(2 + max(self.first, self.second - self.apart), 1)

    @property
    def middle_of_second(self) -> float:
        return round(self.middle_of_first + self.apart, 1)

    @property
    def width(self) -> float:
        right = max(self.middle_of_first + self.first, self.middle_of_second + self.second)
        return round(right + 2, 1)


def alike(found: Overlap) -> Alike:
    """Return how alike two groups are; by estimates where the counts are estimates.

    >>> from campaigns.segmenting.counting import exactly
    >>> alike(Overlap(first=exactly(40), second=exactly(20), both=exactly(10)))
    Alike(of_first=0.25, of_second=0.5, jaccard=0.2)
    """
    first, second = found.first.value, found.second.value
    both = min(found.both.value, first, second)  # three estimates need not agree
    return Alike(
        of_first=_share(both, first), of_second=_share(both, second), jaccard=_share(both, first + second - both)
    )


def circles(found: Overlap) -> Circles:
    """Return the circles; how far they lie apart is found by halving, since the area has no inverse in closed form."""
    most = max(found.first.value, found.second.value, 1)
    r, s = (LARGEST * sqrt(one.value / most) for one in (found.first, found.second))
    wanted = pi * LARGEST**2 * min(found.both.value, found.first.value, found.second.value) / most
    near, far = abs(r - s), r + s
    for _halving in range(40):
        middle = (near + far) / 2
        near, far = (middle, far) if _shared(r, s, middle) > wanted else (near, middle)
    return Circles(first=round(r, 1), second=round(s, 1), apart=round(far, 1))


def _shared(r: float, s: float, apart: float) -> float:
    """Return the area of the lens that two circles have in common."""
    if apart >= r + s:
        return 0.0
    if apart <= abs(r - s) or apart == 0:
        return pi * min(r, s) ** 2
    one = (apart**2 + r**2 - s**2) / (2 * apart)
    other = apart - one
    return (
        r**2 * acos(_within(one / r)) - one * sqrt(max(r**2 - one**2, 0.0))
        + s**2 * acos(_within(other / s)) - other * sqrt(max(s**2 - other**2, 0.0))
    )  # fmt: skip


def _within(cosine: float) -> float:
    return min(1.0, max(-1.0, cosine))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
