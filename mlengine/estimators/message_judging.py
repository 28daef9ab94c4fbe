"""The first messages that people were sent after a cutoff: what had been said of each, and what became of it.

A score is that of somebody's best channel and hour, but people are sent things on other channels and at other hours,
and often several: whoever lays "answers her best message" beside "answered any of them" compares two things. So a
message is judged by what was said of its own channel and time of day, and only the first on each channel: of those
that follow, the cutoff did not know what had come before.
"""

from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mlengine.clicks import LETTERS, TIMES_OF_DAY, time_of_day
from mlengine.columns import CHANNEL, OCCURRED_AT, SCORE, USER

Array = NDArray[Any]

TIME_OF_DAY: Final = "time_of_day"
HOUR: Final = pl.col(OCCURRED_AT).dt.hour()
OF_DAY: Final = HOUR.replace_strict(range(24), [time_of_day(hour) for hour in range(24)]).alias(TIME_OF_DAY)


def first_of_each(later: pl.DataFrame) -> pl.DataFrame:
    """Return each person's first message on each channel, with its ``time_of_day``; by user, in the order of time."""
    in_time = later.sort(USER, OCCURRED_AT, CHANNEL)
    return in_time.unique([USER, CHANNEL], keep="first", maintain_order=True).with_columns(OF_DAY)


def said_of(first: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """Return ``first`` with the column ``said``, of those that the predictions tell of, in the same order.

    Parameters
    ----------
    predictions : DataFrame
        ``user``, ``score``, ``by_<channel>`` and ``in_<time of day>``. What they lack moves nothing, and a column in
        which nobody has a number is lacked: a score alone is taken as it is, as in a run of a release before. No time
        of the day moves a letter, of which no hour is known.
    """
    nobodys = [column.name for column in predictions if 0 < len(column) == column.null_count()]
    rows = first.join(predictions.drop(nobodys), on=USER, how="inner", maintain_order="left")
    by_channel = _chosen(rows, CHANNEL, "by_")
    if by_channel is None:
        return rows.with_columns(said=pl.col(SCORE))
    moved = _chosen(rows, TIME_OF_DAY, "in_")
    odds = log_odds(by_channel)
    if moved is not None:
        at_that_time = log_odds(moved) - log_odds(rows[SCORE].to_numpy())
        is_moved = np.isfinite(at_that_time) & rows[CHANNEL].ne_missing(LETTERS).to_numpy()
        odds = odds + np.where(is_moved, at_that_time, 0.0)
    return rows.with_columns(pl.Series("said", 1 / (1 + np.exp(-odds)))).filter(pl.Series(np.isfinite(odds)))


def judged_by(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the numbers beside a score that ``said_of`` reads."""
    return (*(f"by_{channel}" for channel in channels), *(f"in_{name}" for name in TIMES_OF_DAY))


def log_odds(chance: Array) -> Array:
    """Return the log-odds of probabilities; those of 0 and 1 are finite."""
    kept = np.clip(chance, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(kept / (1 - kept)))


def _chosen(rows: pl.DataFrame, by: str, prefix: str) -> Array | None:
    """Return of each row the column that is named for what it has in ``by``; None where there are no such columns."""
    there = [name for name in rows.columns if name.startswith(prefix) and not name.endswith(("_low", "_high"))]
    if not there:
        return None
    told = pl.coalesce(
        *[pl.when(pl.col(by) == name.removeprefix(prefix)).then(pl.col(name).cast(pl.Float64)) for name in there],
        pl.lit(None, pl.Float64),
    )
    return rows.select(told.fill_null(float("nan"))).to_series().to_numpy()
