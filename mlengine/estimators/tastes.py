"""Tastes: three ways to look at the same purchases, added up."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mlengine.estimators.ease import Ease
from mlengine.estimators.ials import ImplicitALS
from mlengine.estimators.infinite import InfiniteAutoencoder

Array = npt.NDArray[np.floating]


class Tastes:
    """EASE (items with items), ∞-AE (people with people) and iALS (few dimensions): the sum of their standard scores.

    Their mistakes differ, so that the sum is better than the best of them. Parameters are those of the three; their
    shares say how much each counts, and one of share 0 is not even learned.

    Parameters
    ----------
    shares : tuple of three floats
        Of EASE, ∞-AE and iALS.
    ease, infinite, ials : mapping
        Their parameters.
    """

    def __init__(
        self,
        *,
        shares: tuple[float, float, float] = (1.0, 1.0, 1.0),
        ease: Mapping[str, Any] | None = None,
        infinite: Mapping[str, Any] | None = None,
        ials: Mapping[str, Any] | None = None,
    ) -> None:
        self.shares = shares
        self.ease = ease or {}
        self.infinite = infinite or {}
        self.ials = ials or {}

    @cached_property
    def parts_(self) -> list[tuple[float, Any]]:
        """The estimators that count, each with its share."""
        made = (Ease(**self.ease), InfiniteAutoencoder(**self.infinite), ImplicitALS(**self.ials))
        return [(share, each) for share, each in zip(self.shares, made, strict=True) if share]

    def fit(self, X: sparse.csr_array) -> Self:
        """Learn from people × items, (n_people, n_items)."""
        for _, each in self.parts_:
            each.fit(X)
        return self

    def score(self, X: sparse.csr_array) -> Array:
        """Return the sum of standard scores, (n, n_items)."""
        return np.asarray(sum(share * standard(each.score(X)) for share, each in self.parts_))


def standard(scores: Array) -> Array:
    """Return each row less its mean, in units of its standard deviation: so that what different models say adds up.

    Examples
    --------
    >>> standard(np.array([[1.0, 3.0], [5.0, 5.0]])).tolist()
    [[-1.0, 1.0], [0.0, 0.0]]
    """
    found = scores - scores.mean(axis=1, keepdims=True)
    found /= np.maximum(found.std(axis=1, keepdims=True), 1e-12)
    return np.asarray(found)
