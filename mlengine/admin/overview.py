"""What the dashboard says of the models and of the people they score."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.charts import Chart
from mlengine import monitoring
from mlengine.admin import drawings, private
from mlengine.admin.words import metric_title, spec_title, subject_title
from mlengine.models import PredictionRun
from mlengine.specs import SPECS, Spec

CONCERNS = {
    "no_assessment": gettext_lazy("no valid impact assessment: it may not run"),
    "no_champion": gettext_lazy("no champion yet"),
    "old": gettext_lazy("trained more than 30 days ago"),
    "no_answers": gettext_lazy("no predictions yet"),
    "drift": gettext_lazy("the data have drifted"),
    "challenger_ahead": gettext_lazy("a challenger does better than the champion"),
    "worse_than_backtest": gettext_lazy("worse than on the backtest"),
}


def people(user: Any, now: datetime) -> dict[str, Any]:
    """Return the distribution of each score and the sizes of segments, from the latest finished runs.

    Who may not see people is told both with noise, and nothing of who moved.
    """
    if not private.sees_people(user):
        return _private(user, now)
    found: dict[str, list[dict[str, Any]]] = {"score": [], "cluster": [], "recommendation": []}
    for spec in _shown():
        run = PredictionRun.objects.latest_finished(spec.name)
        chart = _chart(run) if run is not None else None
        if run is not None and chart is not None:
            part = {"run": run, "title": spec_title(spec.name), "chart": chart, "summary": run.summary}
            found[spec.answers].append(part | {"movement": drawings.movement(run), "bands": _bands(run)})
    return {"scored": found["score"], "segmented": found["cluster"]}


def _shown() -> list[Spec]:
    """Return the first of the scores and all groups: what a page can show; the other answers are a link away."""
    scores = [spec for spec in SPECS.values() if spec.answers == "score"]
    return [*scores[:1], *(spec for spec in SPECS.values() if spec.answers == "cluster")]


def _private(user: Any, now: datetime) -> dict[str, Any]:
    names = {spec.name: f"{'sizes' if spec.answers == 'cluster' else 'scores'}-{spec.name}" for spec in _shown()}
    told = private.all_of(list(names.values()), user, now)
    found: dict[str, list[dict[str, Any]]] = {"score": [], "cluster": [], "recommendation": []}
    for spec in _shown():
        run = PredictionRun.objects.latest_finished(spec.name)
        if run is not None and (part := told.get(names[spec.name])):
            found[spec.answers].append({"run": run, "title": spec_title(spec.name), "private": part})
    return {"scored": found["score"], "segmented": found["cluster"]}


def _chart(run: PredictionRun) -> Chart | None:
    return drawings.sizes(run) or drawings.histogram(run, height=200)


def _bands(run: PredictionRun) -> list[dict[str, Any]]:
    """Return how many people are at low, medium and high risk."""
    found = run.summary.get("bands")
    if not found:
        return []
    words = (_("low"), _("medium"), _("high"))
    whole = sum(found["counts"]) or 1
    return [
        {"name": name, "people": count, "share": count / whole, "tone": tone}
        for name, count, tone in zip(words, found["counts"], ("good", "warn", "bad"), strict=True)
    ]


def health(*, now: datetime) -> list[dict[str, Any]]:
    """Return one row a model: champion, its figure beside the best baseline's, age, drift, concerns."""
    return [_row(one, now) for one in monitoring.health(now)]


def _row(one: monitoring.Health, now: datetime) -> dict[str, Any]:
    best = max(one.baselines.items(), key=lambda pair: pair[1], default=None)
    return {
        "health": one,
        "title": spec_title(one.spec),
        "metric": metric_title(one.metric),
        "baseline": {"name": subject_title(best[0]), "value": best[1]} if best else None,
        "age": now - one.trained_at if one.trained_at else None,
        "concerns": [CONCERNS.get(code, code) for code in one.concerns],
    }
