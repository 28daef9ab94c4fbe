"""Whether what serves is still what was promoted: drift of inputs and answers, age, and live figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import narwhals as nw
import numpy as np
from django.db.models import Avg, Max
from numpy.typing import NDArray

from crm import assessments
from mlengine import datasets
from mlengine.backtest import MODEL, finite
from mlengine.columns import CLUSTER, SCORE, USER
from mlengine.evaluation import answers_of
from mlengine.models import Metric, ModelVersion, PredictionRun
from mlengine.specs import SPECS, Spec, Watched

PSI = "psi"
SHIFTED = 0.25  # the usual reading of the index (Siddiqi 2006, ch. 9); mlengine.metrics.drift has it too
OLD = timedelta(days=30)
WORSE = 0.05  # how far below its backtest a live figure may be before somebody should look


@dataclass(frozen=True, kw_only=True)
class Health:
    """How one model is, for a line of the dashboard."""

    spec: str
    title: str
    champion: int | None  # the version's number
    trained_at: datetime | None
    cutoff: datetime | None
    answered_at: datetime | None  # the cutoff of the answers that readers see
    metric: str
    backtest: float | None
    baselines: dict[str, float]
    live: float | None
    drift: float | None  # the largest index
    drifted: str  # and whose
    concerns: tuple[str, ...]  # codes: no_assessment, no_champion, old, no_answers, drift, worse_than_backtest

    @property
    def is_well(self) -> bool:
        return not self.concerns


def measure_drift(run: PredictionRun, spec: Spec) -> list[Metric]:
    """Write how far features and scores of a run have moved from those of its version's training; none if same date."""
    if run.cutoff == run.version.cutoff:
        return []
    from mlengine.metrics.drift import drift  # noqa: PLC0415 (web processes ask for health, which needs no science)

    found: dict[str, float] = {}
    if spec.answers == "score" and isinstance(spec.verbs, Watched):
        log = datasets.log(until=run.cutoff)
        then, now = (spec.verbs.people(log, datasets.wall_clock(at)) for at in (run.version.cutoff, run.cutoff))
        found |= drift(_numbers(then), _numbers(now))
    first = run.version.runs.finished().order_by("cutoff", "pk").first()
    if first and first.pk != run.pk:
        answer = CLUSTER if spec.answers == "cluster" else SCORE
        found |= drift(_numbers(answers_of(first, spec), answer), _numbers(answers_of(run, spec), answer))
    rows = [
        Metric(version=run.version, kind=Metric.Kind.DRIFT, subject=name[:64], name=PSI, value=value, cutoff=run.cutoff)
        for name, value in found.items()
        if finite(value) is not None
    ]
    Metric.objects.bulk_create(rows, ignore_conflicts=True)
    return rows


def most_moved(spec: str) -> Metric | None:
    """Return the largest drift, when it was measured last, of the version whose answers readers see; none if no."""
    run = PredictionRun.objects.latest_finished(spec)
    return _most_moved(run.version) if run else None


def health(now: datetime) -> list[Health]:
    """Return how each model is, in the order of ``SPECS``; a handful of small queries."""
    assessed = assessments.assessed([spec.subject for spec in SPECS.values()], now)
    return [_health_of(spec, now, assessed=spec.subject in assessed) for spec in SPECS.values()]


def _health_of(spec: Spec, now: datetime, *, assessed: bool) -> Health:
    champion = ModelVersion.objects.champion(spec.name)
    run = PredictionRun.objects.latest_finished(spec.name)
    means = _backtest(champion, spec.decided_by)
    live = _latest(champion, Metric.Kind.LIVE, spec.decided_by)
    moved = _most_moved(champion)
    own = means.pop(MODEL, None)
    concerns = {
        "no_assessment": not assessed,
        "no_champion": champion is None,
        "old": champion is not None and champion.trained_at < now - OLD,
        "no_answers": run is None,
        "drift": moved is not None and moved.value > SHIFTED,
        "worse_than_backtest": own is not None and live is not None and live < own - WORSE,
    }
    return Health(
        spec=spec.name,
        title=spec.title,
        champion=champion.number if champion else None,
        trained_at=champion.trained_at if champion else None,
        cutoff=champion.cutoff if champion else None,
        answered_at=run.cutoff if run else None,
        metric=spec.decided_by,
        backtest=own,
        baselines=means,
        live=live,
        drift=moved.value if moved else None,
        drifted=moved.subject if moved else "",
        concerns=tuple(code for code, holds in concerns.items() if holds),
    )


def _backtest(version: ModelVersion | None, name: str) -> dict[str, float]:
    if version is None:
        return {}
    rows = version.metrics.filter(kind=Metric.Kind.BACKTEST, name=name)
    return dict(rows.values_list("subject").annotate(mean=Avg("value")).order_by("subject"))


def _latest(version: ModelVersion | None, kind: str, name: str) -> float | None:
    if version is None:
        return None
    return version.metrics.filter(kind=kind, name=name).order_by("-cutoff").values_list("value", flat=True).first()


def _most_moved(version: ModelVersion | None) -> Metric | None:
    if version is None:
        return None
    drifts = version.metrics.filter(kind=Metric.Kind.DRIFT, name=PSI)
    newest = drifts.aggregate(at=Max("cutoff"))["at"]
    return drifts.filter(cutoff=newest).order_by("-value").first() if newest else None


def _numbers(frame: nw.DataFrame[Any], *names: str) -> dict[str, NDArray[Any]]:
    wanted = names or [name for name in frame.columns if name != USER and frame.schema[name].is_numeric()]
    return {name: frame[name].cast(nw.Float64).to_numpy().astype(np.float64) for name in wanted}
