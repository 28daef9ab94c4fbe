"""What came after a cutoff: the answers that models learn and are judged by."""

from datetime import datetime, timedelta
from typing import Any

import narwhals as nw

from mlengine.columns import KIND, LABEL, OCCURRED_AT, PURCHASE, USER, Log


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
