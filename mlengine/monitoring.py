"""Whether what serves is still what was promoted: drift of inputs and answers, age, and live figures."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, Max

from crm import assessments
from mlengine.backtest import MODEL
from mlengine.models import Metric, ModelVersion, PredictionRun
from mlengine.specs import SPECS, Spec

PSI = "psi"
SHIFTED = 0.25  # the usual reading of the index (Siddiqi 2006, ch. 9); mlengine.metrics.drift has it too
OLD = timedelta(days=30)
WHOLE = frozenset({"labels", "score", "cluster"})  # what people did, and what the model said
WEIGHTY = 0.05  # the share of all weight from which on the drift of a column matters
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
    concerns: tuple[str, ...]  # codes, as in the dictionary below

    @property
    def is_well(self) -> bool:
        return not self.concerns


def latest_drifts(version: ModelVersion | None) -> list[Metric]:
    """Return what was measured last of how far answers, labels and columns have moved, the largest first."""
    if version is None:
        return []
    drifts = version.metrics.filter(kind=Metric.Kind.DRIFT, name=PSI)
    newest = drifts.aggregate(at=Max("cutoff"))["at"]
    return list(drifts.filter(cutoff=newest).order_by("-value")) if newest else []


def has_shifted(row: Metric) -> bool:
    """Return whether a drift is large, and larger than two samples of the same people would show by chance."""
    return row.value > SHIFTED and row.value > (row.high or 0.0)


def weighty(drifts: list[Metric], version: ModelVersion) -> list[Metric]:
    """Return those drifts, largest first, that chance does not explain and that weigh.

    Those of answers and of labels do, and of columns those with a share of all weight; columns that count the days
    since somebody's first purchase drift for everybody, as time passes.
    """
    weights = {name: abs(weight) for name, weight in (version.card.get("importances") or {}).items()}
    least = WEIGHTY * sum(weights.values())
    found = [
        row
        for row in drifts
        if has_shifted(row) and (row.subject in WHOLE or (row.subject in weights and weights[row.subject] >= least))
    ]
    return sorted(found, key=lambda row: -row.value)


def fall(version: ModelVersion, metric: str) -> float | None:
    """Return how far the latest live figure is below the backtest's mean; None where one of them is missing."""
    own, live = _backtest(version, metric).get(MODEL), _latest(version, Metric.Kind.LIVE, metric)
    return own - live if own is not None and live is not None else None


def overtaking() -> set[str]:
    """Return the specs whose challenger did better than the champion when both were judged last, and not by chance."""
    judged = Metric.objects.filter(version__stage=ModelVersion.Stage.CHALLENGER, kind=Metric.Kind.SHADOW)
    rows = judged.filter(subject="difference").order_by("version__spec", "-cutoff").distinct("version__spec")
    return {row.version.spec for row in rows.select_related("version") if (row.low or 0.0) > 0}


def most_moved(spec: str) -> Metric | None:
    """Return the largest drift, when it was measured last, of the version whose answers readers see; none if no."""
    run = PredictionRun.objects.latest_finished(spec)
    return _most_moved(run.version) if run else None


def health(now: datetime) -> list[Health]:
    """Return how each model is, in the order of ``SPECS``; a handful of small queries."""
    assessed = assessments.assessed([spec.subject for spec in SPECS.values()], now)
    serving, runs = ModelVersion.objects.by_spec(ModelVersion.Stage.CHAMPION), _latest_runs()
    ahead = overtaking()
    return [
        _health_of(
            spec,
            now,
            champion=serving.get(spec.name),
            run=runs.get(spec.name),
            assessed=spec.subject in assessed,
            overtaken=spec.name in ahead,
        )
        for spec in SPECS.values()
    ]


def _latest_runs() -> dict[str, PredictionRun]:
    return {run.spec: run for run in PredictionRun.objects.latest_of(list(SPECS))}


def _health_of(
    spec: Spec,
    now: datetime,
    *,
    champion: ModelVersion | None,
    run: PredictionRun | None,
    assessed: bool,
    overtaken: bool,
) -> Health:
    means = _backtest(champion, spec.decided_by)
    live = _latest(champion, Metric.Kind.LIVE, spec.decided_by)
    drifts = latest_drifts(champion)
    moved = next(iter(drifts), None)
    own = means.pop(MODEL, None)
    concerns = {
        "no_assessment": not assessed,
        "no_champion": champion is None,
        "old": champion is not None and champion.trained_at < now - OLD,
        "no_answers": run is None,
        "drift": champion is not None and bool(weighty(drifts, champion)),
        "challenger_ahead": champion is not None and overtaken,
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
    return next(iter(latest_drifts(version)), None)
