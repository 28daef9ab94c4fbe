"""Whether what serves is still what was promoted: drift of inputs and answers, age, and live figures."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Avg, OuterRef, QuerySet, Subquery

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


@dataclass(frozen=True, kw_only=True)
class Told:
    """What metrics say of several versions: by (version, metric), and the drifts of a version, the largest first."""

    backtests: Mapping[tuple[int, str], Mapping[str, float]]
    live: Mapping[tuple[int, str], float]
    drifts: Mapping[int, list[Metric]]

    @classmethod
    def of(cls, versions: Iterable[ModelVersion]) -> "Told":
        """Read them in three queries, however many versions there are."""
        rows = Metric.objects.filter(version__in=[version.pk for version in versions])
        backtests: dict[tuple[int, str], dict[str, float]] = defaultdict(dict)
        means = rows.filter(kind=Metric.Kind.BACKTEST).values_list("version", "name", "subject")
        for version, name, subject, mean in means.annotate(mean=Avg("value")).order_by("version", "name", "subject"):
            backtests[version, name][subject] = mean
        newest = rows.filter(kind=Metric.Kind.LIVE).order_by("version", "name", "-cutoff").distinct("version", "name")
        live = {(row.version_id, row.name): row.value for row in newest}
        return cls(backtests=backtests, live=live, drifts=_newest_drifts(rows))


def latest_drifts(version: ModelVersion | None) -> list[Metric]:
    """Return what was measured last of how far answers, labels and columns have moved, the largest first."""
    return _newest_drifts(version.metrics.all()).get(version.pk, []) if version else []


def _newest_drifts(rows: QuerySet[Metric]) -> dict[int, list[Metric]]:
    moved = rows.filter(kind=Metric.Kind.DRIFT, name=PSI)
    last = Metric.objects.filter(kind=Metric.Kind.DRIFT, name=PSI, version=OuterRef("version"))
    found: dict[int, list[Metric]] = defaultdict(list)
    for row in moved.filter(cutoff=Subquery(last.order_by("-cutoff").values("cutoff")[:1])).order_by("-value"):
        found[row.version_id].append(row)
    return found


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
    told, key = Told.of([version]), (version.pk, metric)
    own, live = told.backtests.get(key, {}).get(MODEL), told.live.get(key)
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
    """Return how each model is, in the order of ``SPECS``; as many queries for forty models as for one."""
    assessed = assessments.assessed([spec.subject for spec in SPECS.values()], now)
    serving, runs = ModelVersion.objects.by_spec(ModelVersion.Stage.CHAMPION), _latest_runs()
    ahead, told = overtaking(), Told.of(serving.values())
    return [
        _health_of(
            spec,
            now,
            champion=serving.get(spec.name),
            run=runs.get(spec.name),
            told=told,
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
    told: "Told",
    assessed: bool,
    overtaken: bool,
) -> Health:
    key = (champion.pk if champion else 0, spec.decided_by)
    means, live = dict(told.backtests.get(key, {})), told.live.get(key)
    drifts = told.drifts.get(key[0], [])
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


def _most_moved(version: ModelVersion | None) -> Metric | None:
    return next(iter(latest_drifts(version)), None)
