"""The charts of what was learned: distributions, sizes, figures by cutoff, calibration, importances."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import floor, log10
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.charts import Chart, Series, rounded, written
from mlengine.admin import amounts
from mlengine.admin.words import column_title, in_language, metric_title, spec_title, subject_title, theme_title
from mlengine.models import Cluster, Metric, ModelVersion, PredictionRun
from mlengine.reasons import code_of

SHOWN_FEATURES = 15
RIVALS = ("grey", "amber", "blue", "red")


def histogram(run: PredictionRun, *, title: str = "", height: int = 240) -> Chart | None:
    """Return how many people have which score; ``None`` where the run has no histogram."""
    found = run.summary.get("histogram")
    if not found:
        return None
    edges, counts = found["edges"], found["counts"]
    is_share = edges[-1] <= 1 and amounts.unit_of(run.spec) == "probability"
    scale = 100 if amounts.unit_of(run.spec) == "effect" else 1
    labels = [f"{written(low, 'percent')[:-4]}–{written(high, 'percent')[:-4]} %" for low, high in _pairs(edges)]
    return Chart(
        id=f"scores-{run.pk}",
        title=title or _("How many people have which score"),
        labels=labels if is_share else _amounts([scale * edge for edge in edges], is_open=found.get("open", False)),
        label_title=_("Score"),
        series=[Series(label=_("People"), values=counts, kind="bar")],
        colours=[_risk_colour(high) for _low, high in _pairs(edges)]
        if is_share and not amounts.is_welcome(run.spec)
        else [],
        x_title=_measured(run),
        y_title=_("People"),
        height=height,
    )


def _measured(run: PredictionRun) -> str:
    """Return what a score is counted in, under what it is called."""
    unit = {"days": _("days"), "effect": "%"}.get(amounts.unit_of(run.spec)) or amounts.currency_of(run)
    return f"{spec_title(run.spec)} ({unit})" if unit else spec_title(run.spec)


def _amounts(edges: Sequence[float], *, is_open: bool) -> list[str]:
    """Return what the piles of a histogram of amounts are called, the last one without an end if it has none."""
    digits = 0 if edges[-1] - edges[0] >= 2 * len(edges) else 2
    labels = [f"{rounded(low, digits)}–{rounded(high, digits)}" for low, high in _pairs(edges)]
    return [*labels[:-1], f"≥ {rounded(edges[-2], digits)}"] if is_open else labels


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
        labels=[date_format(timezone.localtime(cutoff), "DATE_FORMAT") for cutoff in cutoffs],
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


def importances(weights: Mapping[str, float], spec: str = "") -> Chart:
    """Return the features that weigh most, as shares of all weight."""
    whole = sum(abs(weight) for weight in weights.values()) or 1.0
    largest = sorted(weights.items(), key=lambda pair: -abs(pair[1]))[:SHOWN_FEATURES]
    return Chart(
        id="importances",
        title=_("What weighs most"),
        labels=[column_title(name, spec) for name, _weight in largest],
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


def themes(weights: Mapping[str, float]) -> Chart:
    """Return how much each theme weighs: what its columns weigh together."""
    summed: dict[str, float] = {}
    for name, weight in weights.items():
        summed[code_of(name)] = summed.get(code_of(name), 0.0) + abs(weight)
    whole = sum(summed.values()) or 1.0
    largest = sorted(summed.items(), key=lambda pair: -pair[1])
    return Chart(
        id="themes",
        title=_("What the score goes by"),
        labels=[theme_title(code) for code, _weight in largest],
        label_title=_("Theme"),
        series=[
            Series(
                label=_("Share of all weight"),
                values=[weight / whole for _code, weight in largest],
                kind="bar",
                unit="percent",
            )
        ],
        horizontal=True,
        height=50 + 26 * len(largest),
    )


def _three_digits(value: float) -> str:
    """Return a column's value as it stands at an axis: three digits that count, never an exponent.

    >>> _three_digits(1234.5), _three_digits(-5.333), _three_digits(0.00728), _three_digits(0.0)
    ('1,234', '-5.33', '0.00728', '0.00')
    """
    return rounded(value, max(0, 2 - floor(log10(abs(value)))) if value else 2)


def dependence(found: Mapping[str, Any], *, unit: str) -> Chart:
    """Return what the mean score would be if everybody had each value of a column, and how many people are near it."""
    points = found["points"]
    lines = (
        (_("Mean score"), "mean", "primary", False),
        (_("Least of the seeds"), "low", "grey", True),
        (_("Most of the seeds"), "high", "grey", True),
    )
    note = _("Not known of %(share)s of the people.") % {"share": written(found["missing"], "percent")}
    return Chart(
        id=f"dependence-{found['column']}",
        title=column_title(found["column"]),
        labels=[_three_digits(point["value"]) for point in points],
        label_title=column_title(found["column"]),
        series=[
            *(
                Series(label=label, values=[point[key] for point in points], unit=unit, colour=colour, dashed=dashed)
                for label, key, colour, dashed in lines
            ),
            Series(
                label=_("People near it"),
                values=[point["people"] for point in points],
                unit="percent",
                kind="bar",
                colour="soft",
                axis="y2",
            ),
        ],
        x_title=column_title(found["column"]),
        y_title=_("Mean score"),
        note=note if found["missing"] else "",
        height=220,
    )
