"""The charts of what was learned: distributions, sizes, figures by cutoff, calibration, importances."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.charts import Chart, Series, written
from mlengine.admin.words import in_language, metric_title, spec_title, subject_title
from mlengine.models import Cluster, Metric, ModelVersion, PredictionRun

SHOWN_FEATURES = 15
RIVALS = ("grey", "amber", "blue", "red")


def histogram(run: PredictionRun, *, title: str = "", height: int = 240) -> Chart | None:
    """Return how many people have which score; ``None`` where the run has no histogram."""
    found = run.summary.get("histogram")
    if not found:
        return None
    edges, counts = found["edges"], found["counts"]
    labels = [f"{written(low, 'percent')[:-4]}–{written(high, 'percent')[:-4]} %" for low, high in _pairs(edges)]
    return Chart(
        id=f"scores-{run.pk}",
        title=title or _("How many people have which score"),
        labels=labels if edges[-1] <= 1 else [f"{low:.3g}–{high:.3g}" for low, high in _pairs(edges)],
        label_title=_("Score"),
        series=[Series(label=_("People"), values=counts, kind="bar")],
        colours=[_risk_colour(high) for _low, high in _pairs(edges)] if edges[-1] <= 1 else [],
        x_title=spec_title(run.spec),
        y_title=_("People"),
        height=height,
    )


def _risk_colour(upper: float) -> str:
    return "primary" if upper <= 0.2 + 1e-9 else "amber" if upper <= 0.5 + 1e-9 else "red"


def _pairs(edges: Sequence[float]) -> list[tuple[float, float]]:
    return list(pairwise(edges))


def sizes(run: PredictionRun) -> Chart | None:
    """Return the sizes of the segments, beside those of the run before where there was one."""
    found: Mapping[str, int] = run.summary.get("sizes") or {}
    if not found:
        return None
    names = names_by_code(run.spec)
    before = sizes_before(run)
    series = [Series(label=_("People"), values=list(found.values()), kind="bar")]
    if before:
        label = str(run.summary.get("since", ""))
        series.append(Series(label=label, values=[before.get(code, 0) for code in found], kind="bar", colour="soft"))
    return Chart(
        id=f"sizes-{run.pk}",
        title=spec_title(run.spec),
        labels=[names.get(code, code) for code in found],
        label_title=_("Segment"),
        series=series,
        horizontal=True,
        height=60 + 30 * len(found),
    )


def sizes_before(run: PredictionRun) -> dict[str, int]:
    """Return the sizes in the run that this one is compared with."""
    previous = PredictionRun.objects.filter(pk=run.summary.get("previous")).first()
    return dict(previous.summary.get("sizes", {})) if previous else {}


def names_by_code(spec: str) -> dict[str, str]:
    return {str(one.code): in_language(one.name) or str(one.code) for one in Cluster.objects.filter(spec=spec)}


def movement(run: PredictionRun) -> list[dict[str, Any]]:
    """Return the ten largest moves between segments since the run before: from, to, people."""
    names = names_by_code(run.spec)
    moves = [
        {"before": names.get(str(before), str(before)), "after": names.get(str(after), str(after)), "people": people}
        for before, after, people in run.summary.get("moved", [])
        if before != after
    ]
    return sorted(moves, key=lambda move: -move["people"])[:10]


def of_run(run: PredictionRun) -> list[Chart]:
    return [chart for chart in (histogram(run), sizes(run)) if chart is not None]


def by_cutoff(version: ModelVersion, metrics: Sequence[Metric], name: str) -> Chart:
    """Return one metric at each backtest cutoff, the model against its baselines."""
    rows = [row for row in metrics if row.name == name and row.kind == Metric.Kind.BACKTEST]
    cutoffs = sorted({row.cutoff for row in rows})
    subjects = sorted({row.subject for row in rows}, key=lambda subject: (subject != "model", subject))
    found = {(row.subject, row.cutoff): row.value for row in rows}
    colours = dict(zip(subjects[1:], RIVALS * len(subjects), strict=False))
    return Chart(
        id="by-cutoff",
        title=_("%(metric)s at each cutoff of the backtest") % {"metric": metric_title(name)},
        labels=[date_format(cutoff, "DATE_FORMAT") for cutoff in cutoffs],
        label_title=_("Cutoff"),
        series=[
            Series(
                label=subject_title(subject),
                values=[found.get((subject, cutoff)) for cutoff in cutoffs],
                unit="decimal",
                colour=colours.get(subject, "primary"),
                dashed=subject != "model",
                kind="bar" if len(cutoffs) == 1 else "line",
            )
            for subject in subjects
        ],
        from_zero=len(cutoffs) == 1,
        height=230,
    )


def calibration(bins: Sequence[Mapping[str, float]]) -> Chart:
    """Return what was said against what happened; on the dashed line both are the same."""
    said = [one["predicted"] for one in bins]
    return Chart(
        id="calibration",
        title=_("Calibration"),
        labels=[written(value, "percent") for value in said],
        label_title=_("Said"),
        series=[
            Series(label=_("Happened"), values=[one["observed"] for one in bins], unit="percent"),
            Series(label=_("If every probability were right"), values=said, unit="percent", colour="grey", dashed=True),
        ],
        x_title=_("Probability that the model gave, on average in each tenth"),
        y_title=_("Share that it happened to"),
        height=230,
    )


def importances(weights: Mapping[str, float]) -> Chart:
    """Return the features that weigh most, as shares of all weight."""
    whole = sum(abs(weight) for weight in weights.values()) or 1.0
    largest = sorted(weights.items(), key=lambda pair: -abs(pair[1]))[:SHOWN_FEATURES]
    return Chart(
        id="importances",
        title=_("What weighs most"),
        labels=[name.replace("_", " ") for name, _weight in largest],
        label_title=_("Feature"),
        series=[
            Series(
                label=_("Share of all weight"),
                values=[abs(weight) / whole for _name, weight in largest],
                kind="bar",
                unit="percent",
            )
        ],
        horizontal=True,
        height=50 + 24 * len(largest),
    )
