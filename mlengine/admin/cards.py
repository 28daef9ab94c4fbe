"""A model card: what a version learned from, how it was judged beside its baselines, what weighs in it, who decided."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm.charts import Chart, written
from mlengine import exposure as exposures
from mlengine import fairness as reports
from mlengine import monitoring
from mlengine.admin import care, drawings, exposure, fairness, hours
from mlengine.admin.decision_words import decision_text
from mlengine.admin.words import metric_title, spec_description, spec_title, subject_title
from mlengine.models import Metric, ModelVersion
from mlengine.specs import SPECS

PLAIN = ("from", "until", "currency")  # of the data: what tells of no number of people
UNITS = {"probability": "percent", "money": "money"}
LOWER_IS_BETTER = frozenset(
    {
        "brier",
        "calibration_error",
        "days_error",
        "days_off",
        "log_loss",
        "mean_absolute_error",
        "root_mean_squared_error",
    }
)
BEST_ELSEWHERE = frozenset({"coverage_95", "expected_ratio", "total_ratio"})  # at what was meant, not at an end


def about(version: ModelVersion, *, counts: bool) -> dict[str, Any]:
    """Return what the page shows of a version, ``counts`` of people only to those who may see people."""
    metrics = list(version.metrics.order_by("cutoff", "subject"))
    card = version.card
    dependence = card.get("dependence") or []
    spec = SPECS.get(version.spec)
    champion = ModelVersion.objects.champion(version.spec)
    older = champion is not None and version.number < champion.number
    return {
        "version": version,
        "recommends_by": care.recommends_by(version),
        "goes_back": older and version.stage == ModelVersion.Stage.RETIRED,
        "subtitle": str(version),
        "model_title": spec_title(version.spec),
        "model_description": spec_description(version.spec),
        "card": card,
        "decision": decision_text(version.decision),
        "champion": champion,
        "figures": figures(metrics),
        "charts": charts(version, metrics, decided_by=spec.decided_by if spec else ""),
        "drifts": [row for row in metrics if row.kind == Metric.Kind.DRIFT and row.name == monitoring.PSI][-30:],
        "live": [row for row in metrics if row.kind == Metric.Kind.LIVE][-30:],
        "dependences": [
            drawings.dependence(found, unit=UNITS.get(spec.unit if spec else "", "decimal")) for found in dependence
        ],
        "dependence_people": dependence[0].get("people") if dependence and counts else None,
        "steadiness": {name: written(share, "percent") for name, share in (card.get("steadiness") or {}).items()},
        "fairness": fairness.about(reports.of(version), counts=counts),
        "exposure": exposure.about(exposures.of(version)),
        "features": list(card.get("features") or card.get("importances") or []),
    }


def without_people(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return a card without its exact counts of people, for somebody who may not see people."""
    data = {name: value for name, value in card.get("data", {}).items() if name in PLAIN}
    return {**card, "data": data, "facts": {}}


def figures(metrics: Sequence[Metric]) -> dict[str, Any]:
    """Return the backtest as a table: a row a metric, a column a subject, each the mean over the cutoffs.

    The interval is that of the last cutoff; the best of a row is marked.
    """
    rows = [row for row in metrics if row.kind == Metric.Kind.BACKTEST]
    subjects = sorted({row.subject for row in rows}, key=lambda subject: (subject != "model", subject))
    names = list(dict.fromkeys(row.name for row in rows))
    return {
        "subjects": [subject_title(subject) for subject in subjects],
        "rows": [
            {"name": metric_title(name), "cells": _cells(name, subjects, [row for row in rows if row.name == name])}
            for name in names
        ],
    }


def _cells(name: str, subjects: Sequence[str], rows: Sequence[Metric]) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = []
    for subject in subjects:
        mine = sorted((row for row in rows if row.subject == subject), key=lambda row: row.cutoff)
        mean = sum(row.value for row in mine) / len(mine) if mine else None
        last = mine[-1] if mine else None
        interval = (last.low, last.high) if last and last.low is not None and last.high is not None else None
        cells.append({"mean": mean, "text": written(mean, "decimal"), "interval": interval})
    known = [cell["mean"] for cell in cells if cell["mean"] is not None]
    best = (min if name in LOWER_IS_BETTER else max)(known, default=None)
    marked = best is not None and name not in BEST_ELSEWHERE
    return [cell | {"best": marked and cell["mean"] == best} for cell in cells]


def charts(version: ModelVersion, metrics: Sequence[Metric], *, decided_by: str) -> list[Chart]:
    card: Mapping[str, Any] = version.card
    found = [drawings.by_cutoff(version, metrics, decided_by)] if decided_by else []
    bins = _bins(card.get("details", {}).get("calibration"))
    if bins:
        found.append(drawings.calibration(bins))
    weights = card.get("importances")
    if isinstance(weights, Mapping) and weights:
        if version.card.get("dependence"):  # columns that reasons are given by
            found.append(drawings.themes(weights))
        found.append(drawings.importances(weights, version.spec))
    by_hour = hours.of(card.get("parts"))
    return [*found, by_hour] if by_hour else found


def _bins(found: Any) -> list[dict[str, float]]:
    """Return calibration bins, whether kept as rows or as columns."""
    if isinstance(found, Mapping):
        return [
            {"predicted": said, "observed": happened}
            for said, happened in zip(found.get("predicted", []), found.get("observed", []), strict=False)
        ]
    return list(found or [])
