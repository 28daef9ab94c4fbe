"""Amounts of one currency: sums know no other, and nothing is converted, as rates of the day are not in the log."""

from datetime import datetime
from typing import Any

import narwhals as nw

from mlengine.columns import CURRENCY, DISCOUNT, KIND, OCCURRED_AT, PURCHASE, RECEIVED_AT, VALUE


def of_one_currency(events: nw.LazyFrame[Any], until: datetime) -> tuple[nw.LazyFrame[Any], str, int]:
    """Return events with the amounts of one currency only, which one that is, and how many events lost theirs.

    It is the one that most purchases known by ``until`` were paid in, of equals the first by its code; what names none
    is taken to be in it, as reports of campaigns take it. Events in another one stay, without their money: that
    somebody bought is true in any currency.
    """
    if CURRENCY not in events.collect_schema().names():
        return events, "", 0
    code = nw.col(CURRENCY).fill_null("")
    known = events.filter((nw.col(OCCURRED_AT) < until) & (nw.col(RECEIVED_AT) < until))
    paid = known.filter((nw.col(KIND) == PURCHASE) & (code != "")).group_by(CURRENCY).agg(nw.len().alias("n"))
    commonest = paid.collect("polars").sort("n", CURRENCY, descending=[True, False])
    if not len(commonest):
        return events.drop(CURRENCY), "", 0
    main = str(commonest[CURRENCY][0])
    foreign = (code != "") & (code != main)
    lost = known.filter(foreign & ~nw.col(VALUE).is_null()).select(n=nw.len()).collect("polars")["n"][0]
    own = events.with_columns(
        nw.when(~foreign).then(nw.col(VALUE)).alias(VALUE),
        nw.when(~foreign).then(nw.col(DISCOUNT)).otherwise(nw.lit(0.0)).alias(DISCOUNT),
    )
    return own.drop(CURRENCY), main, int(lost)
