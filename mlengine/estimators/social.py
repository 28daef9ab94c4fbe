"""Social: what people have a taste for, and what their friends have."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mlengine.estimators.collaborative import TastesRecommender
from mlengine.estimators.recommender import Scorer, Scores
from mlengine.estimators.tastes import standard
from mlengine.interactions import Interactions, Ints, Matrix

Array = npt.NDArray[np.floating]
# People may know 100,000 others: their scores all at once would be as many rows as wide as the catalogue.
_FRIENDS_AT_ONCE: Final = 256


def friends_share(friends: Matrix) -> Matrix:
    """Return people × people whose rows sum up to 1, or to 0 for whoever knows nobody."""
    known = np.asarray(friends.sum(axis=1), dtype=float)
    return sparse.csr_array(friends.multiply((1.0 / np.maximum(known, 1e-12))[:, None]))


class SocialRecommender(TastesRecommender):
    """Tastes, and to them a part of what the tastes of a person's friends are on average.

    No model keeps who knows whom: friends are those of the moment asked about, so that a relation that ended, or a
    friend who wants no personalisation any more, is gone from the next answer without learning anew. Who knows nobody
    is answered by their own taste. It is one step of the graph convolution that social recommenders learn (SocialLGN,
    Liao et al. 2022), over scores.

    Parameters
    ----------
    strength : float
        The friends' part; one's own is 1.
    """

    def __init__(self, *, strength: float = 0.2, min_buyers: int = 5, **parameters: Any) -> None:
        super().__init__(min_buyers=min_buyers, **parameters)
        self.strength = strength

    def scorer(self, interactions: Interactions) -> Scorer:
        own = super().scorer(interactions)
        if interactions.friends is None:
            return own
        share = friends_share(interactions.friends)

        def score(users: Ints) -> Scores:
            return np.asarray(own(users) + self.strength * of_friends(share[users], own))

        return score

    def _made_with(self) -> dict[str, Any]:
        return {**super()._made_with(), "strength": self.strength}


def of_friends(theirs: Matrix, own: Scorer) -> Scores:
    """Return the sum of friends' own scores, weighted, (n, n_items); 0 for whoever knows nobody.

    Parameters
    ----------
    theirs : csr_array, (n, n_people)
        How much each friend counts.
    """
    known = np.unique(theirs.indices).astype(np.int64)
    found: Any = 0.0
    for start in range(0, len(known), _FRIENDS_AT_ONCE):
        some = known[start : start + _FRIENDS_AT_ONCE]
        part: Any = theirs[:, some]
        found = found + part @ own(some)
    return np.asarray(found)


def with_friends(own: Array, share: Matrix, strength: float) -> Array:
    """Return everybody's standard scores, (n, n_items), and to them a part of their friends' mean."""
    found = standard(own)
    return np.asarray(found + strength * np.asarray(share @ found))
