"""Which items get the places of everybody's lists: by group against what is sold, and how unevenly over all items.

A shop that shows a few things only makes its own best-sellers; a brand that sells and is not shown will ask why
(Singh and Joachims 2018 call it fairness of exposure). Told, and limited by nothing: what a group ought to be shown is
the shop's to say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mlengine.metrics.fairness import MOST_GROUPS

Array = NDArray[Any]

LEAST_SOLD: Final = 10  # purchases of a group: of fewer, its share is chance, and tells of single people


@dataclass(frozen=True, kw_only=True)
class Exposed:
    """A group of items: how many there are, and its shares, from 0 to 1, of all places and of all that was sold.

    ``ratio`` is the one over the other: above 1 it is shown more than it is sold; None where nothing was sold.
    """

    group: str
    items: int
    places: float
    sold: float
    ratio: float | None


def exposure(groups: Mapping[str, Sequence[str | None]], places: Array, sold: Array) -> dict[str, Any]:
    """Return how the places are shared out, as JSON has it; empty where nothing is shown.

    Parameters
    ----------
    groups : mapping
        By attribute (category, brand) what each item of the catalogue is; None or empty where that is not known.
    places, sold : arrays, shape (n_items,)
        In how many lists each item stands, and how often it was bought.

    Returns
    -------
    dict
        ``items`` of the catalogue; ``shown``, the share of them in any list; ``gini`` of the places and ``gini_sold``;
        ``attributes``, each with its largest ``groups``, how many are ``hidden``, and the shares of items of which the
        attribute is not known.

    Examples
    --------
    >>> found = exposure({"brand": ["a", "a", "b"]}, np.array([6, 2, 2]), np.array([20, 20, 60]))
    >>> [(one["group"], one["places"], one["sold"]) for one in found["attributes"][0]["groups"]]
    [('a', 0.8, 0.4), ('b', 0.2, 0.6)]
    """
    if not places.sum():
        return {}
    return {
        "items": len(places),
        "shown": float((places > 0).mean()),
        "gini": gini(places),
        "gini_sold": gini(sold) if sold.sum() else None,
        "attributes": [_attribute(name, each, places, sold) for name, each in groups.items() if any(each)],
    }


def gini(counts: Array) -> float:
    """Return how uneven counts are: 0 where all are alike, towards 1 where one has everything.

    Examples
    --------
    >>> gini(np.array([1, 1, 1, 1])), gini(np.array([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    ordered = np.sort(np.asarray(counts, dtype=float))
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * ordered.sum()))


def _attribute(name: str, of: Sequence[str | None], places: Array, sold: Array) -> dict[str, Any]:
    told = np.array([each or "" for each in of], dtype=np.str_)
    names, which = np.unique(told, return_inverse=True)
    counts = {
        "items": np.bincount(which),
        "places": np.bincount(which, places) / places.sum(),
        "sold": np.bincount(which, sold) / max(float(sold.sum()), 1.0),
    }
    found = list(_groups(names, counts, np.bincount(which, sold)))
    largest = sorted((one for one in found if one.group), key=lambda one: (-max(one.places, one.sold), one.group))
    unknown = next((one for one in found if not one.group), None)
    return {
        "name": name,
        "hidden": len(names[names != ""]) - len(largest[:MOST_GROUPS]),
        "unknown": asdict(unknown) if unknown else None,
        "groups": [asdict(one) for one in largest[:MOST_GROUPS]],
    }


def _groups(names: Array, counts: Mapping[str, Array], sold: Array) -> Iterator[Exposed]:
    for n, name in enumerate(names.tolist()):
        share = {what: each[n].item() for what, each in counts.items()}
        if not 0 < sold[n] < LEAST_SOLD:
            yield Exposed(group=name, **share, ratio=share["places"] / share["sold"] if share["sold"] else None)
