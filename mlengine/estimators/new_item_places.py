"""Places at the end of each list for items that are new and that nobody has bought yet, by what they read like."""

import json
from typing import Final

import numpy as np
import polars as pl

from mlengine.columns import ITEM, RANK, REASON, SCORE, USER
from mlengine.estimators.content import Content
from mlengine.estimators.leading import leading
from mlengine.estimators.text_vectors import OWN
from mlengine.interactions import Bools, Floats, Interactions, Ints

LEAST_ALIKE: Final = 0.15  # cosine; below it two texts share little but chance
_PEOPLE_AT_ONCE: Final = 256


def with_fresh(frame: pl.DataFrame, known: Interactions, places: int, k: int, texts: str = OWN) -> pl.DataFrame:
    """Return lists whose last ``places`` of ``k`` went to fresh items, where one reads like what the person buys.

    Purchases say nothing of such an item, so without these places nobody would ever be shown it. Their scores are 0,
    or the least of the list's if that is lower: nothing is claimed of how likely they are to be bought.

    Parameters
    ----------
    frame : DataFrame
        user, item, rank, score, reason (JSON), as `Recommendations.predict` makes them.
    texts : str
        What turns texts into vectors; see `Content`.
    """
    warm = np.flatnonzero(~known.cold)
    if not places or not len(known.fresh) or not len(warm):
        return frame
    users, items, like = _found(known, warm, min(places, k), texts)
    row, place = np.nonzero(items >= 0)
    shown = np.cumsum(items >= 0, axis=1)[row, place]  # the first of a person's, the second …
    told = [json.dumps({"code": "reads_like", "values": {"item": own}}) for own in like[row, place].tolist()]
    new = pl.DataFrame(
        {USER: known.users[users[row]], ITEM: known.fresh[items[row, place]], "new": shown, REASON: told}
    ).with_columns(pl.len().over(USER).alias("taken"))
    room = new.select(USER, "taken").unique()
    kept = frame.join(room, on=USER, how="left").filter(pl.col(RANK) <= k - pl.col("taken").fill_null(0)).drop("taken")
    last = kept.group_by(USER).agg(pl.col(RANK).max().alias("last"), pl.col(SCORE).min().alias("least"))
    added = new.join(last, on=USER, how="inner").select(
        USER,
        ITEM,
        (pl.col("last") + pl.col("new")).alias(RANK),
        pl.min_horizontal(pl.lit(0.0), pl.col("least")).alias(SCORE),
        REASON,
    )
    return pl.concat([kept, added.cast(kept.schema)]).sort(USER, RANK)


def _found(known: Interactions, warm: Ints, places: int, texts: str) -> tuple[Ints, Ints, Ints]:
    """Return people, the fresh items that read most like what each buys (−1: none), and the own item of each."""
    content = Content(texts=texts).fit(known)
    scorer = content.fresh_scorer(known)
    own, fresh = content.texts_.vectors(known.texts), content.texts_.vectors(known.fresh_texts)
    items = np.full((len(warm), places), -1, np.int64)
    like = np.full((len(warm), places), -1, np.int64)
    for start in range(0, len(warm), _PEOPLE_AT_ONCE):
        people = warm[start : start + _PEOPLE_AT_ONCE]
        best, alike = leading(scorer(people), places)
        found: Bools = (best >= 0) & (np.nan_to_num(alike, nan=-1.0) >= LEAST_ALIKE)
        items[start : start + len(people)] = np.where(found, best, -1)
        for row, place in zip(*np.nonzero(found), strict=True):
            had = known.bought.indices[slice(*known.bought.indptr[people[row] : people[row] + 2])]
            cosine: Floats = own[had] @ fresh[best[row, place]]
            like[start + row, place] = known.items[had[int(np.argmax(cosine))]]
    return warm, items, like
