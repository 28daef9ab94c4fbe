"""What came after a cutoff: the answers that models learn and are judged by."""

from datetime import datetime, timedelta
from typing import Any, Final

import narwhals as nw

from mlengine.columns import KIND, LABEL, OCCURRED_AT, PURCHASE, USER, VALUE, Log
from mlengine.features.days import day_number

DAYS: Final = "days"
SPEND: Final = "spend"


def active(log: Log, cutoff: datetime, activity_window: timedelta, kind: str = PURCHASE) -> nw.LazyFrame[Any]:
    """Return the people (``user``) with an event of ``kind`` in the window just before ``cutoff``, as known then."""
    events = log.until(cutoff).events.filter(nw.col(KIND) == kind)
    return events.filter(nw.col(OCCURRED_AT) >= cutoff - activity_window).select(USER).unique()


def churn(
    log: Log, cutoff: datetime, horizon: timedelta, activity_window: timedelta, kind: str = PURCHASE
) -> nw.LazyFrame[Any]:
    """Return who left: 1 for people active before ``cutoff`` without an event of ``kind`` in the horizon after it.

    The horizon is [cutoff, cutoff + horizon). The log must reach to its end: silence and a log that stops early look
    the same here.

    Returns
    -------
    LazyFrame
        ``user`` and ``label`` (int64, 1 left, 0 stayed), one row a person active.
    """
    after = (nw.col(KIND) == kind) & (nw.col(OCCURRED_AT) >= cutoff) & (nw.col(OCCURRED_AT) < cutoff + horizon)
    stayed = log.events.filter(after).select(USER).unique().with_columns(stayed=nw.lit(1))
    people = active(log, cutoff, activity_window, kind).join(stayed, on=USER, how="left")
    label = nw.when(nw.col("stayed").is_null()).then(1).otherwise(0).cast(nw.Int64)
    return people.select(USER, label.alias(LABEL))


def spending(
    log: Log, cutoff: datetime, horizon: timedelta, activity_window: timedelta, kind: str = PURCHASE
) -> nw.LazyFrame[Any]:
    """Return what people active before ``cutoff`` bought in the horizon after it.

    Refunds count against what was bought on any day; whoever brought back more than was bought spent nothing, and an
    amount that is not finite is none.

    Returns
    -------
    LazyFrame
        ``user``, ``days`` (int64, days with a purchase) and ``spend`` (float64, at least 0), one row a person active.
    """
    after = (nw.col(KIND) == kind) & (nw.col(OCCURRED_AT) >= cutoff) & (nw.col(OCCURRED_AT) < cutoff + horizon)
    amount = nw.when(nw.col(VALUE).is_finite()).then(nw.col(VALUE)).otherwise(0.0)
    bought = log.events.filter(after).select(USER, amount.alias(SPEND), day_number(nw.col(OCCURRED_AT)).alias(DAYS))
    found = bought.group_by(USER).agg(nw.col(DAYS).n_unique().cast(nw.Int64), nw.col(SPEND).sum())
    people = active(log, cutoff, activity_window, kind).join(found, on=USER, how="left")
    spent = nw.max_horizontal(nw.col(SPEND).fill_null(0.0), nw.lit(0.0))
    return people.select(USER, nw.col(DAYS).fill_null(0), spent.alias(SPEND))


def weeks_until_next(log: Log, cutoff: datetime, horizon: timedelta, kind: str = PURCHASE) -> nw.LazyFrame[Any]:
    """Return in which week after ``cutoff`` people next had an event of ``kind``: 0 is [cutoff, cutoff + 7 days).

    Returns
    -------
    LazyFrame
        ``user`` and ``week`` (int64) of those who had one within the horizon; nobody else is in it.
    """
    after = (nw.col(KIND) == kind) & (nw.col(OCCURRED_AT) >= cutoff) & (nw.col(OCCURRED_AT) < cutoff + horizon)
    first = log.events.filter(after).group_by(USER).agg(nw.col(OCCURRED_AT).min().alias("first"))
    # Weeks that had passed are counted, since lengths of time have no common spelling over the engines.
    passed = [cutoff + timedelta(days=7 * week) for week in range(1, horizon // timedelta(days=7) + 1)]
    ones = [nw.when(nw.col("first") >= moment).then(1).otherwise(0) for moment in passed]
    return first.select(USER, nw.sum_horizontal(nw.lit(0), *ones).cast(nw.Int64).alias("week"))
