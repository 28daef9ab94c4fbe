"""Who was to get a message by lot, and who was held out: the log's randomised trials, and what people did after.

A run of a campaign or journey counts as a trial where the log tells with which probability each person got what she
got, somebody was held out, and the groups are as large as those probabilities say. All else may differ for reasons
nobody knows, and nothing is learned from it about causes.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import narwhals as nw
import polars as pl
from numpy.typing import NDArray

from mlengine.columns import (
    ASSIGNED,
    CAMPAIGN,
    CHANNEL,
    KIND,
    OCCURRED_AT,
    PROPENSITY,
    PURCHASE,
    SESSION,
    USER,
    VALUE,
    VARIANT,
    Log,
)

Array = NDArray[Any]

MISMATCH: Final = 4.0  # standard errors by which a group may be larger than drawn; more happens once in 16,000 runs
MOST_TOLD: Final = 30  # runs that are named on a page
EMPTY: Final = pl.DataFrame(
    schema={
        USER: pl.Int64, SESSION: pl.String, OCCURRED_AT: pl.Datetime("us"), CHANNEL: pl.String, CAMPAIGN: pl.Int64,
        "treated": pl.Float64, "chance": pl.Float64, "did": pl.Float64, "spent": pl.Float64,
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Rows of people who were drawn, and which runs were left out because they cannot tell.

    Attributes
    ----------
    rows : DataFrame
        user, session (the run), occurred_at, channel (null where several), campaign, treated (1.0 or 0.0), chance (of
        being treated), did (1.0 who purchased within the window after), spent (money, in the window).
    nobody_held_out, mismatched : int
        So many runs had no held-out people, or groups of another size than drawn.
    """

    rows: pl.DataFrame
    nobody_held_out: int = 0
    mismatched: int = 0

    def between(self, begin: datetime, end: datetime) -> pl.DataFrame:
        at = pl.col(OCCURRED_AT)
        return self.rows.filter((at >= begin) & (at < end))

    def groups(self) -> tuple[int, int]:
        """Return how many were treated, and how many held out."""
        treated = int(self.rows["treated"].sum())
        return treated, len(self.rows) - treated


def trials(log: Log, until: datetime, window: timedelta, kind: str = PURCHASE) -> Trials:
    """Return everybody drawn whose window had passed by ``until``, with what they did in it."""
    return log.once(("trials", window, kind), until, lambda: _trials(log.until(until), until, window, kind))


def told(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the runs that rows are of, the latest first: campaign, channels, when it began, how many in each group."""
    by_run = rows.group_by(SESSION).agg(
        at=pl.col(OCCURRED_AT).min(),
        campaign=pl.col(CAMPAIGN).drop_nulls().first(),
        channels=pl.col(CHANNEL).drop_nulls().unique().sort(),
        treated=pl.col("treated").sum().cast(pl.Int64),
        held_out=(1 - pl.col("treated")).sum().cast(pl.Int64),
    )
    latest = by_run.sort("at", SESSION, descending=[True, False]).head(MOST_TOLD)
    return latest.with_columns(pl.col("at").dt.strftime("%Y-%m-%d")).drop(SESSION).to_dicts()


def _trials(log: Log, until: datetime, window: timedelta, kind: str) -> Trials:
    if log.offers is None:
        return Trials(rows=EMPTY)
    drawn = _drawn(log.offers, until - window)
    runs = _runs(drawn)
    sound = runs.filter(pl.col("held_out") & ~pl.col("mismatched"))
    rows = drawn.join(sound.select(SESSION, "chance"), on=SESSION, how="inner")
    after = _after(log, rows, window, kind)
    rows = rows.join(after, on=[USER, SESSION], how="left").with_columns(
        did=pl.col("did").fill_null(0.0), spent=pl.col("spent").fill_null(0.0)
    )
    return Trials(
        rows=rows.select(EMPTY.columns).sort(OCCURRED_AT, SESSION, USER),
        nobody_held_out=int((~runs["held_out"]).sum()),
        mismatched=int((runs["held_out"] & runs["mismatched"]).sum()),
    )


def _drawn(offers: nw.LazyFrame[Any], before: datetime) -> pl.DataFrame:
    """Return one row a person and run; of a run told twice, the first."""
    told = offers.filter(
        (nw.col(KIND) == ASSIGNED) & (nw.col(OCCURRED_AT) <= before) & ~nw.col(SESSION).is_null()
        & (nw.col(PROPENSITY) > 0) & (nw.col(PROPENSITY) <= 1)
    ).select(USER, SESSION, OCCURRED_AT, CHANNEL, CAMPAIGN, VARIANT, PROPENSITY)  # fmt: skip
    frame: pl.DataFrame = told.collect("polars").to_native().sort(OCCURRED_AT, USER, VARIANT)
    once = frame.unique([USER, SESSION], keep="first", maintain_order=True)
    return once.with_columns(treated=(pl.col(VARIANT) != 0).cast(pl.Float64))


def _runs(drawn: pl.DataFrame) -> pl.DataFrame:
    """Return the runs, how likely it was to be treated in each, and whether its groups are of the size drawn."""
    held_out = pl.col("treated") == 0
    runs = drawn.group_by(SESSION).agg(
        people=pl.len(), others=held_out.sum(), chance=1 - pl.col(PROPENSITY).filter(held_out).mean()
    )
    chance, others = pl.col("chance"), pl.col("others")
    error = (pl.col("people") * chance * (1 - chance)).sqrt()
    apart = ((others - pl.col("people") * (1 - chance)).abs() / error).fill_nan(None)
    return runs.with_columns(
        held_out=(chance > 0).fill_null(value=False) & (chance < 1) & (others > 0),
        mismatched=(apart > MISMATCH).fill_null(value=False),
    )


def _after(log: Log, rows: pl.DataFrame, window: timedelta, kind: str) -> pl.DataFrame:
    """Return who did it in the window after being drawn, and for how much money."""
    if rows.is_empty():
        return pl.DataFrame(schema={USER: pl.Int64, SESSION: pl.String, "did": pl.Float64, "spent": pl.Float64})
    first: datetime = rows[OCCURRED_AT].min()  # type: ignore[assignment]
    did = log.events.filter((nw.col(KIND) == kind) & (nw.col(OCCURRED_AT) > first))
    bought: pl.DataFrame = did.select(USER, VALUE, done_at=nw.col(OCCURRED_AT)).collect("polars").to_native()
    both = rows.select(USER, SESSION, OCCURRED_AT).join(bought, on=USER, how="inner")
    since = pl.col("done_at") - pl.col(OCCURRED_AT)
    within = both.filter((since > timedelta(0)) & (since <= window))
    return within.group_by(USER, SESSION).agg(did=pl.lit(1.0).first(), spent=pl.col(VALUE).fill_null(0.0).sum())
