"""What was sent to whom, on which channel and when, who answered how, and how the like had been answered just before.

A click counts within the window after the message; clicks by programs do not. An order counts for every message in
whose window it lies, as it does in the reports of campaigns: which of them brought it, if any, nobody can tell from it.
A coupon that was used counts for the message that it came with where its session says so, being that of a message; of
which message any other is cannot be told, so it counts as an order does.
What is known of a message's outcome is known when its window has passed, so no figure of a row counts what happened
after it. What happened before it counts also where it arrived later, as :mod:`mlengine.spent` says.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import narwhals as nw
import polars as pl

from mlengine.columns import (
    CHANNEL,
    CLICKED,
    KIND,
    MACHINE,
    OCCURRED_AT,
    PURCHASE,
    REDEEMED,
    SENT,
    SESSION,
    USER,
    VARIANT,
    Log,
)

PRIOR: Final = 5.0  # so many messages of everybody's rate are added to each one's own
EMPTY: Final = pl.DataFrame(
    schema={
        USER: pl.Int64, SESSION: pl.String, OCCURRED_AT: pl.Datetime("us"), CHANNEL: pl.String, VARIANT: pl.Int64,
        "did": pl.Float64,
    }
)  # fmt: skip


def sent(log: Log, until: datetime, window: timedelta) -> pl.DataFrame:
    """Return one row a message whose window had passed by ``until``, in order of time; ``did`` 1.0 where clicked."""
    return log.once(("messages", window), until, lambda: _sent(log.until(until), until - window, window))


def ordered(log: Log, until: datetime, window: timedelta) -> pl.DataFrame:
    """Return the same rows as ``sent``, ``did`` 1.0 where the person purchased in the window after the message."""
    return log.once(("orders", window), until, lambda: _ordered(log.until(until), until - window, window))


def redeemed(log: Log, until: datetime, window: timedelta) -> pl.DataFrame:
    """Return the same rows, ``did`` 1.0 where the person used a coupon of the message in the window after it.

    Messages from before anything was written down that people bought or redeemed are left out: of those nobody knows.
    """
    return log.once(("redemptions", window), until, lambda: _redeemed(log.until(until), until - window, window))


def written_to(log: Log, since: datetime, until: datetime) -> pl.DataFrame:
    """Return on which channels people were sent something (user, channel), the latest first; judged by then or not."""
    offers = log.until(until).offers
    if offers is None:
        return EMPTY.select(USER, CHANNEL)
    lately = _messages(offers, until).filter(pl.col(OCCURRED_AT) >= since)
    return lately.reverse().select(USER, CHANNEL).unique(maintain_order=True)


def rates(
    rows: pl.DataFrame, known: pl.DataFrame, keys: Sequence[str], name: str, window: timedelta, towards: str = ""
) -> pl.DataFrame:
    """Return ``rows`` with how many messages of the same keys had been judged by then, and the rate of answers.

    Parameters
    ----------
    rows : DataFrame
        With ``occurred_at`` and the keys.
    known : DataFrame
        As ``sent`` or ``ordered`` returns.
    name : str
        The columns are ``<name>_messages`` and ``<name>_rate``; the rate is drawn towards everybody's.
    towards : str
        A column of ``rows`` that it is drawn towards instead.
    """
    everybody = float(known["did"].mean() or 0.0) if len(known) else 0.0  # type: ignore[arg-type]
    expected = pl.col(towards) if towards else pl.lit(everybody)
    told = known.select(*keys, "did", at=pl.col(OCCURRED_AT) + window).sort("at")
    so_far = told.with_columns(
        messages=pl.col("did").cum_count().over(keys).cast(pl.Float64),
        answers=pl.col("did").cum_sum().over(keys),
    ).drop("did")
    found = rows.sort(OCCURRED_AT).join_asof(
        so_far, left_on=OCCURRED_AT, right_on="at", by=list(keys), strategy="backward", check_sortedness=False
    )
    messages, answers = pl.col("messages").fill_null(0.0), pl.col("answers").fill_null(0.0)
    return found.with_columns(
        messages.alias(f"{name}_messages"), ((answers + PRIOR * expected) / (messages + PRIOR)).alias(f"{name}_rate")
    ).drop("messages", "answers", "at", strict=False)


def _sent(log: Log, before: datetime, window: timedelta) -> pl.DataFrame:
    if log.offers is None:
        return EMPTY
    messages = _messages(log.offers, before)
    of_clicks = nw.col(KIND) == CLICKED
    told: pl.DataFrame = log.offers.filter(of_clicks & ~nw.col(SESSION).is_null()).collect("polars").to_native()
    by_people = told.filter(pl.col(MACHINE).fill_null(0) == 0)
    clicks = by_people.select(USER, SESSION, CHANNEL, clicked_at=pl.col(OCCURRED_AT))
    both = messages.select(USER, SESSION, CHANNEL, OCCURRED_AT).join(clicks, on=[USER, SESSION, CHANNEL], how="inner")
    since = pl.col("clicked_at") - pl.col(OCCURRED_AT)
    hit = both.filter((since >= timedelta(0)) & (since <= window)).select(USER, SESSION, CHANNEL).unique()
    rows = messages.join(hit.with_columns(did=pl.lit(1.0)), on=[USER, SESSION, CHANNEL], how="left")
    return rows.with_columns(pl.col("did").fill_null(0.0)).select(EMPTY.columns).sort(OCCURRED_AT, USER, SESSION)


def _ordered(log: Log, before: datetime, window: timedelta) -> pl.DataFrame:
    if log.offers is None:
        return EMPTY
    bought = _of_kind(log, PURCHASE).select(USER, OCCURRED_AT)
    rows = _next(_messages(log.offers, before), bought, [USER], "bought_at")
    did = (pl.col("bought_at") < pl.col(OCCURRED_AT) + window).fill_null(value=False).cast(pl.Float64)
    return rows.with_columns(did.alias("did")).select(EMPTY.columns).sort(OCCURRED_AT, USER, SESSION)


def _redeemed(log: Log, before: datetime, window: timedelta) -> pl.DataFrame:
    if log.offers is None:
        return EMPTY
    used = _of_kind(log, REDEEMED)
    everything = _messages(log.offers, log.ends or before)  # also those of late, whose coupons are of no other message
    rows = everything.filter(pl.col(OCCURRED_AT) <= before)
    begins = (
        log.events.filter(nw.col(KIND).is_in([PURCHASE, REDEEMED])).select(nw.col(OCCURRED_AT).min()).collect("polars")
    )
    rows = rows.filter(pl.col(OCCURRED_AT) >= begins.item())
    told = pl.col(SESSION).is_in(everything[SESSION].unique().implode()).fill_null(value=False)
    found = _next(rows, used.filter(told), [USER, SESSION], "own_at")
    found = _next(found, used.filter(~told).drop(SESSION), [USER], "other_at")
    ends = pl.col(OCCURRED_AT) + window
    did = (pl.col("own_at") < ends).fill_null(value=False) | (pl.col("other_at") < ends).fill_null(value=False)
    return found.with_columns(did.cast(pl.Float64).alias("did")).select(EMPTY.columns).sort(OCCURRED_AT, USER, SESSION)


def _next(rows: pl.DataFrame, done: pl.DataFrame, by: Sequence[str], name: str) -> pl.DataFrame:
    """Return ``rows``, in the order of time, with when the next thing of the same ``by`` was done; null where none."""
    later = done.rename({OCCURRED_AT: name}).unique().sort(name, *by)
    return rows.join_asof(
        later, left_on=OCCURRED_AT, right_on=name, by=list(by), strategy="forward", check_sortedness=False
    )


def _messages(offers: nw.LazyFrame[Any], before: datetime) -> pl.DataFrame:
    """Return what was sent up to ``before``, once, in the order of time."""
    of_messages = (nw.col(KIND) == SENT) & (nw.col(OCCURRED_AT) <= before) & ~nw.col(SESSION).is_null()
    told: pl.DataFrame = offers.filter(of_messages).collect("polars").to_native().sort(OCCURRED_AT, USER, SESSION)
    return told.unique([USER, SESSION, CHANNEL], keep="first", maintain_order=True)


def _of_kind(log: Log, kind: str) -> pl.DataFrame:
    of_kind = log.events.filter(nw.col(KIND) == kind).select(USER, SESSION, OCCURRED_AT)
    found: pl.DataFrame = of_kind.collect("polars").to_native()
    return found
