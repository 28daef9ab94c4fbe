"""How far inputs, answers and labels have moved since a version was trained, measured each night and kept."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from mlengine import datasets, recipes
from mlengine.backtest import finite
from mlengine.columns import CLUSTER, ITEM, KIND, OCCURRED_AT, PURCHASE, SCORE, USER, Log
from mlengine.evaluation import answers_of
from mlengine.models import Metric, PredictionRun
from mlengine.monitoring import PSI
from mlengine.specs import Judged, NotEnoughData, Spec, Watched

LABELS: Final = "labels"  # subject of what people did, beside those of columns and of the answers
LEVEL: Final = "mean"
WATCHED: Final = "watched"  # of a run's summary: how many people's columns were compared

Numbers = NDArray[Any]


def measure(run: PredictionRun, spec: Spec) -> list[Metric]:
    """Write how far a run is from the training of its version; nothing where both are of one date.

    Inputs are the columns of the features, answers those of the version's first run, labels what people did in the
    last horizon that was known: at the training, and at the run. Of very many people some are looked at, at both dates
    the same; of how many, the run's summary tells.
    """
    from mlengine.estimators import parts  # noqa: PLC0415 (web processes may load this module)

    if run.cutoff == run.version.cutoff:
        return []
    asked, wall = recipes.made_by(run.version, spec), datasets.wall_clock(run.cutoff)
    log = parts.some(datasets.log(until=run.cutoff), wall, asked.activity_window, asked.kind)
    rows = [*_inputs(asked, log, run), *_answers(asked, run), *_labels(asked, log, run)]
    found = [row for row in rows if finite(row.value) is not None]
    Metric.objects.bulk_create(found, ignore_conflicts=True)
    return found


def _inputs(spec: Spec, log: Log, run: PredictionRun) -> Iterator[Metric]:
    if spec.answers == "score" and isinstance(spec.verbs, Watched):
        then, now = (spec.verbs.people(log, datasets.wall_clock(at)) for at in (run.version.cutoff, run.cutoff))
        run.add_to_summary(**{WATCHED: len(now)})
        yield from _moved(run, _numbers(then), _numbers(now))


def _answers(spec: Spec, run: PredictionRun) -> Iterator[Metric]:
    first = run.version.runs.whole().order_by("cutoff", "pk").first()
    if first and first.pk != run.pk:
        answer = CLUSTER if spec.answers == "cluster" else SCORE
        yield from _moved(run, _numbers(answers_of(first, spec), answer), _numbers(answers_of(run, spec), answer))


def _labels(spec: Spec, log: Log, run: PredictionRun) -> Iterator[Metric]:
    from mlengine.metrics import drift  # noqa: PLC0415 (as above)

    dates = [datasets.wall_clock(at) - spec.horizon for at in (run.version.cutoff, run.cutoff)]
    if spec.answers == "recommendation":
        bought = [_bought(log, at, at + spec.horizon) for at in dates]
        if all(len(items) for items, _people in bought):
            (then, buyers), (now, buyers_now) = bought
            bound = drift.by_chance(min(20, len(np.unique(then))) + 1, buyers, buyers_now)
            yield _row(run, LABELS, drift.psi_of_items(then, now), bound)
        return
    before, after = (_outcomes(spec, log, at) for at in dates)
    if before.size and after.size:
        yield from _moved(run, {LABELS: before}, {LABELS: after})
        level = _row(run, LABELS, float(np.nanmean(after)), None)
        level.name, level.low = LEVEL, finite(float(np.nanmean(before)))
        yield level


def _outcomes(spec: Spec, log: Log, at: datetime) -> Numbers:
    """Return what those did whom the spec asks about at a date; nothing where the task cannot tell."""
    if not (isinstance(spec.verbs, Judged) and isinstance(spec.verbs, Watched)):
        return np.empty(0)
    try:
        people = spec.verbs.people(log, at).select(USER).with_columns(nw.lit(0.0).alias(SCORE))
        return np.asarray(spec.verbs.outcomes(people, log, at)[0], np.float64)
    except NotEnoughData:
        return np.empty(0)


def _bought(log: Log, begins: datetime, ends: datetime) -> tuple[Numbers, int]:
    within = (nw.col(KIND) == PURCHASE) & (nw.col(OCCURRED_AT) >= begins) & (nw.col(OCCURRED_AT) < ends)
    rows = log.events.filter(within & ~nw.col(ITEM).is_null()).select(USER, ITEM).unique().collect("polars")
    return rows[ITEM].to_numpy(), max(int(rows[USER].n_unique()), 1)


def _moved(run: PredictionRun, then: dict[str, Numbers], now: dict[str, Numbers]) -> Iterator[Metric]:
    from mlengine.metrics import drift  # noqa: PLC0415 (as above)

    known = {name: values for name, values in then.items() if values.size and now.get(name, values[:0]).size}
    for name, value in drift.drift(known, now).items():
        yield _row(run, name, value, drift.noise(then[name], now[name]))


def _row(run: PredictionRun, subject: str, value: float, bound: float | None) -> Metric:
    return Metric(
        version=run.version,
        kind=Metric.Kind.DRIFT,
        subject=subject[:64],
        name=PSI,
        value=value,
        high=finite(bound),
        cutoff=run.cutoff,
    )


def _numbers(frame: nw.DataFrame[Any], *names: str) -> dict[str, Numbers]:
    wanted = names or [name for name in frame.columns if name != USER and frame.schema[name].is_numeric()]
    return {name: frame[name].cast(nw.Float64).to_numpy().astype(np.float64) for name in wanted}
