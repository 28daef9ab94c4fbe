"""What became of predictions: once their labels are ripe, live answers are judged as backtests are."""

import logging
from datetime import datetime
from typing import Any

import narwhals as nw
from django.db import transaction
from django.utils import timezone

from mlengine import datasets, shadow
from mlengine.backtest import MODEL, finite
from mlengine.columns import CLUSTER, ITEM, KIND, RANK, SCORE, USER, Log
from mlengine.models import Metric, PredictionRun
from mlengine.specs import Matches, NotEnoughData, Spec

logger = logging.getLogger(__name__)

ROWS = {
    "score": "SELECT profile_id, value{facts} FROM mlengine_score WHERE run_id = %(run)s",
    "recommendation": "SELECT profile_id, item_id, rank, value FROM mlengine_recommendation WHERE run_id = %(run)s",
    "cluster": "SELECT profile_id, code FROM mlengine_clustermember JOIN mlengine_cluster AS c ON c.id = cluster_id"
    " WHERE run_id = %(run)s",
    "link": "SELECT item_id, kind, rank, other_id, value, people FROM mlengine_itemlink WHERE run_id = %(run)s",
    "repurchase": "SELECT profile_id, item_id, rank, probability, due_on - %(on)s::date FROM mlengine_repurchase"
    " WHERE run_id = %(run)s ORDER BY profile_id, rank",
}
COLUMNS = {"score": (USER, SCORE), "recommendation": (USER, ITEM, RANK, SCORE), "cluster": (USER, CLUSTER)} | {
    "link": (ITEM, KIND, RANK, "other", SCORE, "people"),
    "repurchase": (USER, ITEM, RANK, SCORE, "due"),
}


def evaluate(spec: Spec, *, now: datetime) -> list[PredictionRun]:
    """Judge the runs of a spec whose horizon has passed in the data, and return those judged; each is asked once."""
    end = datasets.known_until(now, *spec.reaches)
    if end is None:
        return []
    ripe = list(PredictionRun.objects.ripe(spec.name, cutoff=end - spec.horizon).select_related("version"))
    log = datasets.log(until=end) if ripe else None
    return [run for run in ripe if log is not None and _judged(run, spec, log, now)]


def _judged(run: PredictionRun, spec: Spec, log: Log, now: datetime) -> bool:
    """Judge one run; False, and never asked again, where what came after is too little to tell."""
    try:
        if run.shadow:  # first, as a run that was judged is asked no more
            beside_champion(run, spec, log)
        judge(run, spec, log, now)
    except NotEnoughData as error:  # more will not come: the horizon is over, and other runs wait
        logger.info("%s cannot be judged: %s", run, error)
        PredictionRun.objects.filter(pk=run.pk).update(judged_at=now)
        return False
    return True


def beside_champion(run: PredictionRun, spec: Spec, log: Log) -> list[Metric]:
    """Write how a challenger's run did beside what readers saw at its date; nothing where they saw nothing."""
    seen = PredictionRun.objects.finished().filter(spec=spec.name, cutoff=run.cutoff)
    champion = seen.select_related("version").order_by("-pk").first()
    if champion is None:
        return []
    wall = datasets.wall_clock(run.cutoff)
    compared = shadow.compare(spec, answers_of(run, spec), answers_of(champion, spec), log, wall)
    rows = shadow.rows(run, champion, compared, spec.decided_by) if compared else []
    Metric.objects.bulk_create(rows, ignore_conflicts=True)
    return rows


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
    """Return the stored answers of a run as the frame that ``predict`` gave, as far as they are judged by."""
    import polars as pl  # noqa: PLC0415 (web processes may load this module)

    types = {SCORE: pl.Float64(), "due": pl.Float64(), KIND: pl.String()}
    facts = spec.verbs.judged_by if isinstance(spec.verbs, Matches) else ()
    schema = {name: types.get(name, pl.Int64()) for name in COLUMNS[spec.answers]} | dict.fromkeys(facts, pl.Float64())
    values = {"run": run.pk, "on": timezone.localtime(run.cutoff).date(), **{name: name for name in facts}}
    read = "".join(f", (facts ->> %({name})s)::float8" for name in facts)
    return nw.from_native(datasets.table(ROWS[spec.answers].replace("{facts}", read), schema, values).collect())
