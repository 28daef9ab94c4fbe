"""The rhythm of somebody's shopping: how long it is between visits, and how late the next one is."""

from datetime import datetime
from typing import Any, Final

import narwhals as nw

from mlengine.columns import USER, Log
from mlengine.features.days import count_where, shopping_days, sum_where, within

ABSENCES: Final = (14, 21, 28)


def rhythm(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return the usual gap between shopping days, how irregular it is, and how overdue the next visit is.

    Columns: ``gap_mean``, ``gap_std``, ``gap_median``, ``gap_p90``, ``gap_max``, ``gap_median_91`` and ``gap_max_91``
    (days; the last two over the last 91 days), ``gap_last``; ``overdue``, ``overdue_p90``, ``overdue_91``: days since
    the last purchase over the median gap, the 90 % gap and the recent median gap; ``gaps_as_long``: the share of gaps
    at least as long as the present silence; ``absent_<n>`` and ``absent_<n>_recent``: of all windows of ``n`` days
    (of those ended in the last 182 days), the share that passed without a purchase, the present silence included.
    Gaps are null for somebody with a single shopping day.
    """
    gaps = _gaps(log, cutoff)
    found = gaps.group_by(USER).agg(
        nw.col("gap").mean().alias("gap_mean"),
        nw.col("gap").std().alias("gap_std"),
        nw.col("gap").median().alias("gap_median"),
        nw.col("gap").quantile(0.9, "linear").alias("gap_p90"),
        nw.col("gap").max().alias("gap_max"),
        nw.when(within(91)).then(nw.col("gap")).median().alias("gap_median_91"),
        nw.when(within(91)).then(nw.col("gap")).max().alias("gap_max_91"),
        nw.when(nw.col("days_ago") == nw.col("silence")).then(nw.col("gap")).max().alias("gap_last"),
        nw.col("silence").max(),
        nw.col("tenure").max(),
        (count_where(nw.col("gap") >= nw.col("silence")) / nw.len()).alias("gaps_as_long"),
        *[_missed(n).alias(f"missed_{n}") for n in ABSENCES],
        *[_missed_recently(n).alias(f"missed_{n}_recent") for n in ABSENCES],
    )
    return found.with_columns(*_shares()).select(USER, *_COLUMNS)


_COLUMNS: Final = (
    "gap_mean", "gap_std", "gap_median", "gap_p90", "gap_max", "gap_median_91", "gap_max_91", "gap_last",
    "overdue", "overdue_p90", "overdue_91", "gaps_as_long",
    *[f"absent_{n}" for n in ABSENCES], *[f"absent_{n}_recent" for n in ABSENCES],
)  # fmt: skip


def _gaps(log: Log, cutoff: datetime) -> nw.LazyFrame[Any]:
    """Return one row a shopping day: the gap that it ended, in days (null for the first)."""
    days = shopping_days(log, cutoff).select(USER, "days_ago", since=-nw.col("days_ago"))
    return days.with_columns(
        gap=(nw.col("since") - nw.col("since").shift(1).over(USER, order_by="since")).cast(nw.Float64),
        silence=nw.col("days_ago").min().over(USER),
        tenure=nw.col("days_ago").max().over(USER),
    )


def _missed(days: int) -> nw.Expr:
    """Return how many windows of ``days`` days lie inside gaps: a gap of g days holds g - days of them."""
    return sum_where(nw.col("gap") > days, "gap") - days * count_where(nw.col("gap") > days)


def _missed_recently(days: int) -> nw.Expr:
    recent = (nw.col("gap") > days) & within(182)
    return sum_where(recent, "gap") - days * count_where(recent)


def _shares() -> list[nw.Expr]:
    silence, tenure = nw.col("silence"), nw.col("tenure")
    return [
        (silence / nw.col("gap_median")).alias("overdue"),
        (silence / nw.col("gap_p90")).alias("overdue_p90"),
        (silence / nw.col("gap_median_91")).alias("overdue_91"),
        *[((nw.col(f"missed_{n}") + _over(n)) / tenure).alias(f"absent_{n}") for n in ABSENCES],
        *[_absent_recently(n).alias(f"absent_{n}_recent") for n in ABSENCES],
    ]


def _absent_recently(days: int) -> nw.Expr:
    # A gap may reach back beyond the window, hence the most.
    windows = nw.min_horizontal(nw.col("tenure"), nw.lit(182))
    return nw.min_horizontal((nw.col(f"missed_{days}_recent") + _over(days)) / windows, nw.lit(1.0))


def _over(days: int) -> nw.Expr:
    return nw.max_horizontal(nw.col("silence") - days, nw.lit(0))
