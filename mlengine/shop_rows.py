"""Item links and repurchases to rows, by COPY, in the transaction that finishes their run."""

from datetime import timedelta
from typing import Any

import narwhals as nw
from django.utils import timezone

from mlengine import answers
from mlengine.models import ItemLink, PredictionRun, Repurchase

Frame = nw.DataFrame[Any]
LINKS = "run_id, item_id, kind, rank, other_id, value, people"
REPURCHASES = (
    "profile_id, run_id, rank, item_id, category, probability, times, every_days, last_on, due_on, due_from, due_until"
)
FARTHEST = 3650  # days; what lies beyond is no date that anybody plans by


def write_links(run: PredictionRun, found: Frame) -> int:
    """Write which items lead to which; return the rows written."""
    rows = found.select(
        nw.lit(run.pk).alias("run"), *(nw.col(name) for name in ("item", "kind", "rank", "other", "score", "people"))
    )
    _copy_rows(ItemLink, LINKS, rows)
    return len(rows)


def write_repurchases(run: PredictionRun, found: Frame) -> int:
    """Write when people will want things again, dates for days after the cutoff; return the rows written."""
    on = timezone.localtime(run.cutoff).date()

    def day(name: str, sign: int = 1) -> nw.Expr:
        days = (nw.col(name).clip(0.0, float(FARTHEST)) * sign).round().cast(nw.Int64)
        return (nw.lit(on) + days * timedelta(days=1)).alias(name)

    rows = found.sort("user", "rank").select(
        nw.col("user"),
        nw.lit(run.pk).alias("run"),
        nw.col("rank"),
        nw.col("item"),
        nw.col("category").str.slice(0, 100),
        nw.col("score"),
        nw.col("times"),
        nw.col("every_days"),
        day("last_days", -1),
        day("due"),
        day("due_from"),
        day("due_until"),
    )
    _copy_rows(Repurchase, REPURCHASES, rows)
    return answers.without_those_who_left(Repurchase, run)


def _copy_rows(model: Any, columns: str, rows: Frame) -> None:
    for start in range(0, len(rows), answers.ROWS_AT_ONCE):
        text = rows[start : start + answers.ROWS_AT_ONCE].write_csv(None)
        answers.copy(model, columns, text.partition("\n")[2].encode(), "csv")
