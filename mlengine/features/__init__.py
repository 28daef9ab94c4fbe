"""What is known of a person at a cutoff, as families of numbers; each is one function that runs on Polars and Spark.

A family takes ``(log, cutoff)`` and returns a lazy frame with one row a person (``user``) and float or integer columns.
It cuts the log itself, so that nothing at or after the cutoff can change it. To add one, write
``features/<name>.py``, add a line here, and name it in the specs that use it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import reduce
from typing import Any, Final

import narwhals as nw

from mlengine.columns import USER, Log
from mlengine.features.categories import category_mix
from mlengine.features.clock import clock
from mlengine.features.discounts import discounts
from mlengine.features.engagement import engagement
from mlengine.features.money import recency_frequency_money
from mlengine.features.rhythm import rhythm
from mlengine.features.trend import trend

Family = Callable[[Log, datetime], nw.LazyFrame[Any]]

FAMILIES: Final[dict[str, Family]] = {
    "money": recency_frequency_money,
    "rhythm": rhythm,
    "trend": trend,
    "categories": category_mix,
    "discounts": discounts,
    "engagement": engagement,
    "clock": clock,
}


def build(log: Log, cutoff: datetime, families: Iterable[str]) -> nw.LazyFrame[Any]:
    """Return the columns of the named families side by side, for everybody who purchased before ``cutoff``.

    Parameters
    ----------
    log : Log
        May reach past the cutoff; only what is before it is used.
    cutoff : datetime
        Naive wall clock time.
    families : iterable of str
        Keys of ``FAMILIES``; an unknown one raises ``KeyError``.

    Returns
    -------
    LazyFrame
        ``user`` and the families' columns; null where a number has no meaning (the usual gap of one visit).
    """
    people = FAMILIES["money"](log, cutoff).select(USER)
    frames = [FAMILIES[name](log, cutoff) for name in families]
    return reduce(lambda left, right: left.join(right, on=USER, how="left"), frames, people)
