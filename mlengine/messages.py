"""What was sent to whom, on which channel and when, who clicked, and what was known of the like just before.

A click counts within the window after the message; clicks by programs do not. What is known of a message's outcome is
known when its window has passed, so that no figure of a row looks ahead.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import narwhals as nw
import polars as pl

from mlengine.columns import CHANNEL, CLICKED, KIND, MACHINE, OCCURRED_AT, SENT, SESSION, USER, VARIANT, Log

PRIOR: Final = 5.0  # so many messages of everybody's rate are added to each one's own
EMPTY: Final = pl.DataFrame(
    schema={
        USER: pl.Int64, SESSION: pl.String, OCCURRED_AT: pl.Datetime("us"), CHANNEL: pl.String, VARIANT: pl.Int64,
        "clicked": pl.Float64,
    }
)  # fmt: skip


def sent(log: Log, until: datetime, window: timedelta) -> pl.DataFrame:
    """Return one row a message whose window had passed by ``until``, ``clicked`` 1.0 or 0.0, in the order of time."""
    return log.once(("messages", window), until, lambda: _sent(log.until(until), until - window, window))


def rates(rows: pl.DataFrame, known: pl.DataFrame, keys: Sequence[str], name: str, window: timedelta) -> pl.DataFrame:
    """Return ``rows`` with how many messages of the same keys had been judged by then, and the rate of clicks.

    Parameters
    ----------
    rows : DataFrame
        With ``occurred_at`` and the keys.
    known : DataFrame
        As ``sent`` returns.
    name : str
        The columns are ``<name>_messages`` and ``<name>_rate``; the rate is drawn towards everybody's.
    """
    everybody = float(known["clicked"].mean() or 0.0) if len(known) else 0.0  # type: ignore[arg-type]
    told = known.select(*keys, "clicked", at=pl.col(OCCURRED_AT) + window).sort("at")
    so_far = told.with_columns(
        messages=pl.col("clicked").cum_count().over(keys).cast(pl.Float64),
        clicks=pl.col("clicked").cum_sum().over(keys),
    ).drop("clicked")
    found = rows.sort(OCCURRED_AT).join_asof(
        so_far, left_on=OCCURRED_AT, right_on="at", by=list(keys), strategy="backward", check_sortedness=False
    )
    messages, clicks = pl.col("messages").fill_null(0.0), pl.col("clicks").fill_null(0.0)
    return found.with_columns(
        messages.alias(f"{name}_messages"), ((clicks + PRIOR * everybody) / (messages + PRIOR)).alias(f"{name}_rate")
    ).drop("messages", "clicks", "at", strict=False)


def _sent(log: Log, before: datetime, window: timedelta) -> pl.DataFrame:
    if log.offers is None:
        return EMPTY
    found = log.offers.filter(nw.col(KIND).is_in([SENT, CLICKED]) & ~nw.col(SESSION).is_null())
    told: pl.DataFrame = found.collect("polars").to_native()
    messages = told.filter((pl.col(KIND) == SENT) & (pl.col(OCCURRED_AT) <= before)).sort(OCCURRED_AT, USER, SESSION)
    messages = messages.unique([USER, SESSION, CHANNEL], keep="first", maintain_order=True)
    by_people = told.filter((pl.col(KIND) == CLICKED) & (pl.col(MACHINE).fill_null(0) == 0))
    clicks = by_people.select(USER, SESSION, CHANNEL, clicked_at=pl.col(OCCURRED_AT))
    both = messages.select(USER, SESSION, CHANNEL, OCCURRED_AT).join(clicks, on=[USER, SESSION, CHANNEL], how="inner")
    since = pl.col("clicked_at") - pl.col(OCCURRED_AT)
    hit = both.filter((since >= timedelta(0)) & (since <= window)).select(USER, SESSION, CHANNEL).unique()
    rows = messages.join(hit.with_columns(clicked=pl.lit(1.0)), on=[USER, SESSION, CHANNEL], how="left")
    return rows.with_columns(pl.col("clicked").fill_null(0.0)).select(EMPTY.columns).sort(OCCURRED_AT, USER, SESSION)
