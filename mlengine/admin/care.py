"""How one model is kept alive: who serves, who challenges, what drifted, when it learns again, what may be done."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm import assessments
from crm.admin.lists import person_of
from crm.charts import Chart, Series
from crm.models import JobRun
from mlengine import drifting, fairness, lineage, monitoring, retraining
from mlengine.admin import nights, private
from mlengine.admin.care_words import cause_text, drifting_title, duration
from mlengine.admin.decision_words import decision_text
from mlengine.admin.recipe_words import parameters_text
from mlengine.admin.refusals import refusal_text
from mlengine.admin.words import (
    RECOMMENDER,
    metric_title,
    spec_description,
    spec_title,
    subject_title,
)
from mlengine.models import Metric, ModelVersion, PredictionRun, Trial
from mlengine.specs import SPECS, Spec

SHOWN_INPUTS = 8
SHOWN_VERSIONS = 10
SHOWN_TRIALS = 30
SEARCH_MINUTES, USUAL_MINUTES = (1, 5, 20, 60), 20


def page(request: HttpRequest, context: dict[str, Any], spec: str) -> HttpResponse:
    """Answer with the page of one model."""
    if not request.user.has_perm("mlengine.view_modelversion"):
        raise PermissionDenied
    if spec not in SPECS:
        raise Http404(spec)
    facts = about(SPECS[spec]) | _may(request) | {"title": _("Kept alive"), "subtitle": spec_title(spec)}
    return TemplateResponse(request, "zhiyin/care/model.html", context | facts)


def nights_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Answer with one night as a graph, the latest if none is asked for, and the nights before."""
    if not request.user.has_perm("mlengine.view_modelversion"):
        raise PermissionDenied
    found, asked = nights.latest(), request.GET.get("night", "")
    chosen = next((job for job in found if str(job.pk) == asked), next(iter(found), None))
    listed = [{"job": job, "took": nights.seconds_of(job), "failed": _failures(job)} for job in found]
    facts = nights.about(chosen) | {"nights": listed, "title": _("The night's work")}
    return TemplateResponse(request, "zhiyin/care/nights.html", context | facts)


def lineage_page(request: HttpRequest, context: dict[str, Any], pk: int) -> HttpResponse:
    """Answer with the way back from the scores of a run: data, features, training, decision, answers."""
    if not request.user.has_perm("mlengine.view_predictionrun"):
        raise PermissionDenied
    runs = PredictionRun.objects.select_related("version", "version__job", "version__promoted_by")
    run = get_object_or_404(runs, pk=pk)
    chain = lineage.chain(run)
    facts = {
        "run": run,
        "version": run.version,
        "chain": chain,
        "cause": cause_text(chain["trained_because"]),
        "decision": decision_text(run.version.decision),
        "counts": run.version.card.get("data", {}) if private.sees_people(request.user) else {},
        "model_title": spec_title(run.spec),
        "title": _("Where a score comes from"),
        "subtitle": f"{spec_title(run.spec)} #{run.pk}",
    }
    return TemplateResponse(request, "zhiyin/care/lineage.html", context | facts)


def about(spec: Spec) -> dict[str, Any]:
    """Return what the page shows of one model."""
    champion = ModelVersion.objects.champion(spec.name)
    challenger = ModelVersion.objects.challenger(spec.name)
    versions = list(ModelVersion.objects.filter(spec=spec.name).order_by("-number")[:SHOWN_VERSIONS])
    return {
        "spec": spec,
        "model_title": spec_title(spec.name),
        "model_description": spec_description(spec.name),
        "metric": metric_title(spec.decided_by),
        "champion": champion,
        "champion_decision": decision_text(champion.decision) if champion else "",
        "champion_figures": figures_of(champion, spec),
        "champion_recommends_by": recommends_by(champion),
        "before": ModelVersion.objects.champion_before(spec.name) if champion else None,
        "challenger": challenger,
        "challenger_decision": decision_text(challenger.decision) if challenger else "",
        "challenger_figures": figures_of(challenger, spec),
        "challenger_recommends_by": recommends_by(challenger),
        "recommenders": [(name, subject_title(name)) for name in spec.search.get(RECOMMENDER, ())],
        "beside": beside(challenger, spec) if challenger else None,
        "live": live_chart(spec, versions),
        "drift": drift_of(champion),
        "again": again(spec),
        "steps": nights.of_spec(spec.name),
        "trials": trials_of(spec),
        "minutes": SEARCH_MINUTES,
        "minutes_usual": USUAL_MINUTES,
        "waits": spec.answers != "link" and ModelVersion.objects.unjudged_challenger(spec.name) is not None,
        "search_job": JobRun.objects.active().filter(kind="search", parameters__spec=spec.name).first(),
        "run": PredictionRun.objects.latest_finished(spec.name),
        "versions": [
            {"version": one, "why": cause_text(one.card.get("cause")), "decision": decision_text(one.decision)}
            for one in versions
        ],
    }


def recommends_by(version: ModelVersion | None) -> str:
    """Return which recommender a version is, as words; nothing where it is none."""
    name = version.card.get("recipe", {}).get("parameters", {}).get(RECOMMENDER) if version else None
    return subject_title(name) if name else ""


def figures_of(version: ModelVersion | None, spec: Spec) -> dict[str, Any]:
    """Return a version's figure on the backtest, and the latest in life."""
    if version is None:
        return {}
    rows = version.metrics.filter(name=spec.decided_by, subject="model")
    backtest = [row.value for row in rows.filter(kind=Metric.Kind.BACKTEST)]
    live = rows.filter(kind=Metric.Kind.LIVE).order_by("-cutoff").first()
    return {"backtest": sum(backtest) / len(backtest) if backtest else None, "live": live}


def beside(challenger: ModelVersion, spec: Spec) -> dict[str, Any]:
    """Return how a challenger did beside the champion, date by date, and what that amounts to."""
    rows = challenger.metrics.filter(kind=Metric.Kind.SHADOW, name=spec.decided_by).order_by("cutoff")
    champions = {row.cutoff: row for row in rows if row.subject != "difference"}
    found: list[dict[str, Any]] = []
    for row in rows:
        if row.subject == "difference" and row.cutoff in champions:
            other = champions[row.cutoff]
            verdict = "better" if (row.low or 0) > 0 else "worse" if (row.high or 0) < 0 else "same"
            found.append({"at": row.cutoff, "champion": other, "difference": row, "verdict": verdict})
    for one in found:
        one["challenger"] = one["champion"].value + one["difference"].value
    count = {verdict: sum(one["verdict"] == verdict for one in found) for verdict in ("better", "worse", "same")}
    waiting = challenger.runs.whole().filter(judged_at=None).order_by("cutoff")
    first = waiting.first()
    return {
        "rows": found,
        "count": count,
        "waiting": waiting.count(),
        "ripe_at": first.cutoff + spec.horizon if first else None,
    }


def live_chart(spec: Spec, versions: list[ModelVersion]) -> Chart | None:
    """Return the deciding metric as life judged it, a line for readers' answers and one for the shadow's."""
    rows = Metric.objects.filter(version__spec=spec.name, kind=Metric.Kind.LIVE, name=spec.decided_by)
    runs = {(run.version_id, run.cutoff): run.shadow for run in PredictionRun.objects.whole().filter(spec=spec.name)}
    challengers = {one.pk for one in versions if one.stage == ModelVersion.Stage.CHALLENGER}
    seen: dict[Any, float] = {}
    shadow: dict[Any, float] = {}
    for row in rows.order_by("cutoff", "version_id"):
        hidden = runs.get((row.version_id, row.cutoff), row.version_id in challengers)
        (shadow if hidden else seen)[row.cutoff] = row.value
    at = sorted({*seen, *shadow})[-40:]
    if not at:
        return None
    series = [Series(label=_("Champion"), values=[seen.get(cutoff) for cutoff in at], unit="decimal")]
    if shadow:
        values = [shadow.get(cutoff) for cutoff in at]
        series.append(Series(label=_("Challenger"), values=values, unit="decimal", colour="amber", dashed=True))
    return Chart(
        id=f"live-{spec.name}",
        title=_("%(metric)s, judged by what people did") % {"metric": metric_title(spec.decided_by)},
        labels=[date_format(timezone.localtime(cutoff), "DATE_FORMAT") for cutoff in at],
        label_title=_("Answers of"),
        series=series,
        from_zero=False,
        height=200,
    )


def drift_of(champion: ModelVersion | None) -> dict[str, Any]:
    """Return what moved since the champion learned: what people did, its answers, the columns that moved most."""
    rows = monitoring.latest_drifts(champion)
    if champion is None or not rows:
        return {}
    weighty = {row.pk for row in monitoring.weighty(rows, champion)}
    told = [_drift(row, weighty=row.pk in weighty) for row in rows]
    level = champion.metrics.filter(kind=Metric.Kind.DRIFT, name="mean", subject="labels").order_by("-cutoff").first()
    watched = champion.runs.filter(cutoff=rows[0].cutoff, summary__has_key=drifting.WATCHED).order_by("-pk").first()
    return {
        "at": rows[0].cutoff,
        "people": watched.summary[drifting.WATCHED] if watched else None,
        "whole": [one for one in told if one["subject"] in {"labels", "score", "cluster"}],
        "inputs": [one for one in told if one["subject"] not in {"labels", "score", "cluster"}][:SHOWN_INPUTS],
        "more": max(0, len(rows) - SHOWN_INPUTS),
        "level": level,
        "limit": monitoring.SHIFTED,
    }


def _drift(row: Metric, *, weighty: bool) -> dict[str, Any]:
    state = "bad" if weighty else "warn" if monitoring.has_shifted(row) else "good"
    return {
        "subject": row.subject,
        "title": drifting_title(row.subject),
        "value": row.value,
        "chance": row.high,
        "percent": round(min(100.0, 100 * row.value / (2 * monitoring.SHIFTED))),
        "state": state,
    }


def again(spec: Spec) -> dict[str, Any]:
    """Return when a model learns again and why."""
    run = PredictionRun.objects.latest_finished(spec.name)
    last = ModelVersion.objects.filter(spec=spec.name).order_by("-cutoff", "-number").first()
    ends = max((one.cutoff for one in (run, last) if one is not None), default=None)
    cause = retraining.cause(spec, ends) if ends else None
    return {
        "cause": cause_text(cause.told()) if cause else "",
        "due": retraining.due_at(spec),
        "last": last,
        "last_because": cause_text(last.card.get("cause")) if last else "",
        "days": retraining.RETRAIN_AFTER.days,
    }


def trials_of(spec: Spec) -> dict[str, Any]:
    """Return the latest search: a row a recipe, with the rounds it went through; the one that went furthest first."""
    found = list(Trial.objects.of_latest(spec.name).select_related("job"))
    if not found:
        return {}
    by_number: dict[int, list[Trial]] = {}
    for trial in found:
        by_number.setdefault(trial.number, []).append(trial)
    rows: list[dict[str, Any]] = [
        {
            "number": number,
            "parameters": parameters_text(rounds[-1].parameters),
            "rounds": rounds,
            "error": refusal_text(rounds[-1].error),
            "seconds": duration(sum(one.seconds for one in rounds)),
        }
        for number, rounds in sorted(by_number.items(), key=lambda pair: _furthest(pair[1]))
    ]
    job = found[0].job
    return {
        "rows": rows[:SHOWN_TRIALS],
        "outcome": _outcome(job),
        "count": len(rows),
        "job": job,
        "best": rows[0]["number"],
    }


def _outcome(job: JobRun) -> str:
    """Return what came of a search that ended well, in words."""
    if job.status != JobRun.Status.SUCCEEDED:
        return ""
    version = ModelVersion.objects.filter(pk=job.result.get("version") or 0).first()
    if version is None:
        return _("Nothing did better than the recipe in use: it stays.")
    told = {"version": version.number, "stage": version.get_stage_display()}
    return _("The best was trained: v%(version)s, now %(stage)s.") % told


def _furthest(rounds: list[Trial]) -> tuple[int, float]:
    value = rounds[-1].value
    return -len(rounds), -value if value is not None else float("inf")


def roll_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Go back to an earlier version for a stated reason, and let it answer at once."""
    from mlengine import jobs, registry

    version = get_object_or_404(ModelVersion, pk=pk)
    if reason := _reason(request):
        try:
            registry.roll_back(version, by=person_of(request), reason=reason, now=timezone.now())
            jobs.request(jobs.PREDICT, version.spec, now=timezone.now(), by=person_of(request))
        except (registry.ArtifactError, assessments.NoAssessment, fairness.Unfair) as error:
            messages.error(request, refusal_text(str(error)))
        else:
            told = _("%(version)s serves again, and is held until a person promotes another.")
            messages.success(request, told % {"version": version})
            return _logged(request, version, f"Rolled back: {reason}")
    return redirect("admin:mlengine_care", version.spec)


def challenge(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a version answer in the champion's shadow."""
    from mlengine import registry

    version = get_object_or_404(ModelVersion, pk=pk)
    if reason := _reason(request):
        try:
            registry.challenge(version, reason=reason)
        except registry.ArtifactError as error:
            messages.error(request, str(error))
        else:
            return _logged(request, version, f"Challenger: {reason}")
    return redirect("admin:mlengine_care", version.spec)


def stand_down(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a challenger out of the shadow."""
    from mlengine import registry

    version = get_object_or_404(ModelVersion, pk=pk)
    if (reason := _reason(request)) and registry.stand_down(version, reason=reason):
        return _logged(request, version, f"Stood down: {reason}")
    return redirect("admin:mlengine_care", version.spec)


def _reason(request: HttpRequest) -> str:
    if not request.user.has_perm("mlengine.change_modelversion"):
        raise PermissionDenied
    reason = request.POST.get("reason", "").strip()
    if not reason:
        messages.error(request, _("Say why: the reason is kept with the version."))
    return reason


def _logged(request: HttpRequest, version: ModelVersion, what: str) -> HttpResponse:
    from django.contrib.admin.models import CHANGE, LogEntry

    LogEntry.objects.log_actions(person_of(request).pk, [version], CHANGE, what, single_object=True)
    return redirect("admin:mlengine_care", version.spec)


def _may(request: HttpRequest) -> dict[str, bool]:
    return {
        "may_promote": request.user.has_perm("mlengine.change_modelversion"),
        "may_train": request.user.has_perm("mlengine.add_modelversion"),
        "may_search": request.user.has_perm("mlengine.add_trial"),
    }


def _failures(job: JobRun) -> int:
    return sum(step["state"] == "failed" for step in nights.steps_of(job))
