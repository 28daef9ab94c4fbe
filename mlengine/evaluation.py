"""What became of predictions: once their labels are ripe, live answers are judged as backtests are."""

from datetime import datetime
from typing import Any

import narwhals as nw
from django.db import transaction

from mlengine import datasets
from mlengine.backtest import MODEL, finite
from mlengine.columns import CLUSTER, ITEM, RANK, SCORE, USER, Log
from mlengine.models import Metric, PredictionRun
from mlengine.specs import Spec

ROWS = {
    "score": "SELECT profile_id, value FROM mlengine_score WHERE run_id = %(run)s",
    "recommendation": "SELECT profile_id, item_id, rank, value FROM mlengine_recommendation WHERE run_id = %(run)s",
    "cluster": "SELECT profile_id, code FROM mlengine_clustermember JOIN mlengine_cluster AS c ON c.id = cluster_id"
    " WHERE run_id = %(run)s",
}
COLUMNS = {"score": (USER, SCORE), "recommendation": (USER, ITEM, RANK, SCORE), "cluster": (USER, CLUSTER)}


def evaluate(spec: Spec, *, now: datetime) -> list[PredictionRun]:
    """Judge the runs of a spec whose horizon has passed in the data, and return them; each is judged once."""
    end = datasets.known_until(now)
    if end is None:
        return []
    ripe = list(PredictionRun.objects.ripe(spec.name, cutoff=end - spec.horizon).select_related("version"))
    log = datasets.log(until=end) if ripe else None
    for run in ripe:
        if log is not None:
            judge(run, spec, log, now)
    return ripe


def judge(run: PredictionRun, spec: Spec, log: Log, now: datetime) -> list[Metric]:
    """Measure one run by what came after it, and keep the figures beside the backtest's."""
    measures = spec.verbs.evaluate(answers_of(run, spec), log, datasets.wall_clock(run.cutoff))
    rows = [
        Metric(
            version=run.version,
            kind=Metric.Kind.LIVE,
            subject=MODEL,
            name=name,
            value=measure.value,
            low=finite(measure.low),
            high=finite(measure.high),
            cutoff=run.cutoff,
        )
        for name, measure in measures.items()
        if finite(measure.value) is not None
    ]
    with transaction.atomic():
        # Judged twice (two workers at once) the figures are the same: the first writer's rows stay.
        Metric.objects.bulk_create(rows, ignore_conflicts=True)
        PredictionRun.objects.filter(pk=run.pk).update(judged_at=now)
    return rows


def answers_of(run: PredictionRun, spec: Spec) -> nw.DataFrame[Any]:
    """Return the stored answers of a run as the frame that ``predict`` gave."""
    import polars as pl  # noqa: PLC0415 (web processes may load this module)

    schema = {name: pl.Float64() if name == SCORE else pl.Int64() for name in COLUMNS[spec.answers]}
    return nw.from_native(datasets.table(ROWS[spec.answers], schema, {"run": run.pk}).collect())
