"""Who knows whom, as a sparse people × people matrix."""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from mlengine.assortment import collected
from mlengine.columns import OTHER, USER, WEIGHT, Log


def friends_of(log: Log, users: npt.NDArray[np.int64], cutoff: datetime) -> sparse.csr_array | None:
    """Return people × people: the greater weight of both directions and of all kinds; None where nobody knows anybody.

    A weight that is not above 0, or is no number, is no relation.
    """
    if log.relations is None:
        return None
    known = log.until(cutoff).relations
    assert known is not None  # noqa: S101
    ways = collected(known.select(USER, OTHER, WEIGHT)).drop_nulls()
    ways = ways.filter(pl.col(WEIGHT).is_finite() & (pl.col(WEIGHT) > 0) & (pl.col(USER) != pl.col(OTHER)))
    back = ways.select(pl.col(OTHER).alias(USER), pl.col(USER).alias(OTHER), WEIGHT)
    pairs = pl.concat([ways, back]).group_by(USER, OTHER).agg(pl.col(WEIGHT).max())
    pairs = pairs.filter(pl.col(USER).is_in(users), pl.col(OTHER).is_in(users)).sort(USER, OTHER)
    if pairs.is_empty():
        return None
    place = tuple(np.searchsorted(users, pairs[end].to_numpy()) for end in (USER, OTHER))
    return sparse.csr_array((pairs[WEIGHT].to_numpy(), place), shape=(len(users), len(users)))
