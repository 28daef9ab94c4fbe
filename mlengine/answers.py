"""Predictions to rows: a batch is written by COPY in one transaction, and appears at once or not at all."""

from collections.abc import Mapping
from dataclasses import asdict
from io import BytesIO
from math import isfinite
from typing import Any

import narwhals as nw
import numpy as np
import orjson
from django.db import connection, models, transaction
from numpy.typing import NDArray

from crm import profiling
from mlengine.columns import CLUSTER, HIGH, ITEM, LOW, RANK, REASON, SCORE, USER
from mlengine.models import ClusterMember, ItemLink, PredictionRun, Recommendation, Repurchase, Score
from mlengine.reasons import Reason

Frame = nw.DataFrame[Any]

HEAD, TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
ROWS_AT_ONCE = 500_000
# Whoever was erased or restricted, switched personalisation off, or turned out to be under age, while the answers were
# made gets none.
LEFT = """
DELETE FROM {table} AS answer WHERE run_id = %s
AND NOT EXISTS (SELECT 1 FROM crm_profile WHERE id = answer.profile_id AND {may_be_scored})
"""

# Who deleted a segment on her page is put into none by that model again (Net-Data Regulation 42).
OBJECTED = """
DELETE FROM {table} AS answer WHERE run_id = %s
AND answer.profile_id IN (SELECT profile_id FROM crm_tagobjection WHERE kind = 'segment' AND name = %s)
"""


def write_scores(run: PredictionRun, answers: Frame, reasons: Mapping[int, Any]) -> int:
    """Write one score a person, with what the frame has beside it and the reasons of those that have them.

    ``low``, ``high`` and the columns that are the spec's ``facts`` may be missing. Returns the rows written.
    """
    users, values = answers[USER].to_numpy().astype(np.int64), answers[SCORE].to_numpy().astype(np.float64)
    order = np.argsort(users)  # the primary key is filled from left to right, which is twice as fast
    users, values = users[order], values[order]
    plain = ~np.isin(users, np.fromiter(reasons, np.int64, len(reasons)))
    if {*answers.columns} != {USER, SCORE}:
        _copy_told(run, answers[order.tolist()], reasons)
        return without_those_who_left(Score, run)
    _copy_numbers(Score, run, profile_id=users[plain], value=values[plain])
    _copy_told(run, answers[order[~plain].tolist()], reasons)
    return without_those_who_left(Score, run)


def _copy_told(run: PredictionRun, answers: Frame, reasons: Mapping[int, Any]) -> None:
    """Write scores with bounds, facts and reasons, line by line: ten times as slow as bare numbers."""
    names = [name for name in answers.columns if name not in {USER, SCORE, LOW, HIGH}]
    for start in range(0, len(answers), ROWS_AT_ONCE):
        part = answers[start : start + ROWS_AT_ONCE]
        bounds = [part[name].to_list() if name in part.columns else [None] * len(part) for name in (LOW, HIGH)]
        facts = zip(*(part[name].to_list() for name in names), strict=True) if names else [()] * len(part)
        told = zip(part[USER].to_list(), part[SCORE].to_list(), *bounds, facts, strict=True)
        lines = [
            f"{user},{run.pk},{value!r},{_number(low)},{_number(high)},"
            f"{_quoted(dict(zip(names, map(_finite, held), strict=True)) or None)},"
            f"{_quoted(stored(reasons[user]) if user in reasons else None)}\n"
            for user, value, low, high, held in told
        ]
        copy(Score, "profile_id, run_id, value, low, high, facts, reasons", "".join(lines).encode(), "csv")


def _number(value: float | None) -> str:
    finite = _finite(value)
    return "" if finite is None else repr(finite)


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and isfinite(value) else None


def _quoted(value: Any) -> str:
    """Return JSON as a field of a CSV file; nothing, which is null, for ``None``."""
    return "" if value is None else '"' + orjson.dumps(value).decode().replace('"', '""') + '"'


def write_recommendations(run: PredictionRun, answers: Frame) -> int:
    """Write ranked items for each person; return the rows written."""
    reason = nw.col(REASON) if REASON in answers.columns else nw.lit("{}")
    rows = answers.sort(USER, RANK).select(
        nw.col(USER), nw.lit(run.pk).alias("run"), nw.col(RANK), nw.col(ITEM), nw.col(SCORE), reason.alias(REASON)
    )
    for start in range(0, len(rows), ROWS_AT_ONCE):
        text = rows[start : start + ROWS_AT_ONCE].write_csv(None)
        body = text.partition("\n")[2].encode()
        copy(Recommendation, "profile_id, run_id, rank, item_id, value, reason", body, "csv")
    return without_those_who_left(Recommendation, run)


def write_members(run: PredictionRun, answers: Frame, clusters: Mapping[int, int]) -> int:
    """Write which cluster each person belongs to; ``clusters`` gives the row's key for each number of the model."""
    users, codes = answers[USER].to_numpy().astype(np.int64), answers[CLUSTER].to_numpy().astype(np.int64)
    known, where = np.unique(codes, return_inverse=True)
    keys = np.array([clusters[int(code)] for code in known], np.int64)[where]
    order = np.argsort(users)
    _copy_numbers(ClusterMember, run, profile_id=users[order], cluster_id=keys[order])
    with connection.cursor() as cursor:
        cursor.execute(OBJECTED.format(table=ClusterMember._meta.db_table), [run.pk, run.spec])
    return without_those_who_left(ClusterMember, run)


def stored(reasons: Any) -> list[dict[str, Any]]:
    """Return reasons as a row keeps them: codes and numbers, the sentence is made when it is read."""
    return [asdict(reason) if isinstance(reason, Reason) else dict(reason) for reason in reasons]


def remove(run: PredictionRun) -> None:
    """Delete a run with all its answers."""
    with transaction.atomic():
        for model in (Score, Recommendation, ClusterMember, Repurchase, ItemLink):
            model._default_manager.filter(run=run).delete()
        PredictionRun.objects.filter(pk=run.pk).delete()


def binary(**columns: NDArray[Any]) -> bytes:
    """Return columns of numbers as PostgreSQL's binary COPY stream: bigint for integers, double for floats.

    >>> len(binary(a=np.array([1, 2]), b=np.array([0.5, 1.5]))) - len(HEAD) - len(TAIL)
    52
    """
    rows = len(next(iter(columns.values())))
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, column in columns.items():
        layout += [(f"{name} bytes", ">i4"), (name, ">f8" if column.dtype.kind == "f" else ">i8")]
    packed = np.empty(rows, np.dtype(layout))
    packed["fields"] = len(columns)
    for name, column in columns.items():
        packed[f"{name} bytes"], packed[name] = 8, column
    return HEAD + packed.tobytes() + TAIL


def _copy_numbers(model: type[models.Model], run: PredictionRun, **columns: NDArray[Any]) -> None:
    count = len(next(iter(columns.values())))
    for start in range(0, count, ROWS_AT_ONCE):
        part = {name: column[start : start + ROWS_AT_ONCE] for name, column in columns.items()}
        part["run_id"] = np.full(len(part["profile_id"]), run.pk, np.int64)
        copy(model, ", ".join(part), binary(**part), "binary")


def copy(model: type[models.Model], columns: str, body: bytes, form: str) -> None:
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY {model._meta.db_table} ({columns}) FROM STDIN (FORMAT {form})", BytesIO(body))


def without_those_who_left(model: type[models.Model], run: PredictionRun) -> int:
    with connection.cursor() as cursor:
        cursor.execute(LEFT.format(table=model._meta.db_table, may_be_scored=profiling.scored_sql()), [run.pk])
    return model._default_manager.filter(run=run).count()
