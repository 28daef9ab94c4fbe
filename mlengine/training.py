"""From the log to a champion: backtest against the rivals, decide, learn from everything, keep."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from crm import assessments
from crm.locks import only_one
from crm.models import JobRun
from mlengine import backtest, datasets, jobs, registry
from mlengine.backtest import MODEL, Backtest, finite
from mlengine.cards import model_card, parameters_of, recipe
from mlengine.models import Metric, ModelVersion
from mlengine.specs import Follows, Model, Spec, Task
from mlengine.work import Clock, Progress

RETRAIN_AFTER = timedelta(days=7)


def request(spec: str, *, now: datetime, by: User | None = None, cutoff: datetime | None = None) -> JobRun:
    """Ask a worker to train a spec until the cutoff, or the end of the data."""
    return jobs.request(jobs.TRAIN, spec, now=now, by=by, cutoff=cutoff)


def run(job: JobRun, clock: Clock) -> bool:
    """Do a training job; whatever goes wrong becomes its error, and the champion goes on serving."""

    def verb(spec: Spec, cutoff: datetime, now: datetime, progress: Progress) -> dict[str, Any]:
        version = train(spec, cutoff=cutoff, now=now, progress=progress)
        return {"version": version.pk, "stage": version.stage, "decision": version.decision}

    return jobs.carry_out_for_spec(job, clock, verb)


def train(spec: Spec, *, cutoff: datetime, now: datetime, progress: Progress) -> ModelVersion:
    """Train a spec on what was known at the cutoff, and promote it if it beats every rival on the backtest.

    Raises
    ------
    NotEnoughData
        With what is missing.
    crm.assessments.NoAssessment
        Nobody has assessed what the spec does to people; nothing is read.
    crm.locks.Busy
        The spec is being trained by another process.
    mlengine.work.Cancelled
        A person asked to stop; nothing is kept.
    """
    assessments.require(spec.subject, now)
    with only_one(f"the training of {spec.name}"):
        champion = ModelVersion.objects.champion(spec.name)
        wall = datasets.wall_clock(cutoff)
        with progress.step("read the log"):
            log = datasets.log(until=cutoff)
            extent = backtest.extent(log, wall, spec.activity_window)
        extent.refuse_unless_enough(spec, wall)
        tasks: dict[str, Task] = {MODEL: spec.verbs, **spec.verbs.baselines(), **_earlier_recipe(spec, champion)}
        at = backtest.cutoffs(spec, extent.begins, wall)
        progress.expect(len(tasks) * len(at) + 4)
        judged = backtest.run(tasks, log, at, progress)
        with progress.step("learn from everything"):
            model = _following(spec.verbs.fit(log, wall), spec, champion)
        with progress.step("keep and decide"):
            card = model_card(spec, extent=extent, until=wall, judged=judged, model=model, seconds=progress.seconds)
            return _keep(spec, model, judged, card, cutoff=cutoff, now=now, job=progress.job)


def due(spec: Spec, end: datetime) -> bool:
    """Return whether a spec should be trained again: never yet, or with a week less data than there is now."""
    last = ModelVersion.objects.filter(spec=spec.name).order_by("-cutoff").first()
    return last is None or last.cutoff + RETRAIN_AFTER <= end


def _earlier_recipe(spec: Spec, champion: ModelVersion | None) -> dict[str, Task]:
    """Return the present champion as a rival if it was made otherwise.

    Its bytes have seen the labels that the backtest judges by, so its recipe is trained anew at each cutoff. Made the
    same way it would earn the same figures, and the newer data decide.
    """
    if champion is None or champion.card.get("recipe") == recipe(spec):
        return {}
    made = champion.card["recipe"]
    former = replace(spec, task=made["task"], parameters=parameters_of(made))
    try:
        return {f"champion v{champion.number}": former.verbs}
    except (ImportError, AttributeError, TypeError):  # code that this release no longer has cannot compete
        return {}


def _following(model: Model, spec: Spec, champion: ModelVersion | None) -> Model:
    """Return the model with the codes of the champion's groups, so that a segment goes on meaning the same people."""
    if champion is None or not isinstance(model, Follows):
        return model
    try:
        followed: Model = model.following(registry.load(champion, spec))
    except registry.ArtifactError:  # a champion whose files are lost cannot be followed, but must be replaceable
        return model
    return followed


def _keep(
    spec: Spec,
    model: Model,
    judged: Backtest,
    card: dict[str, Any],
    *,
    cutoff: datetime,
    now: datetime,
    job: JobRun | None,
) -> ModelVersion:
    wins, decision = decide(spec, judged)
    with transaction.atomic():
        version = registry.save(model, spec, card=card, job=job, decision=decision, cutoff=cutoff, trained_at=now)
        Metric.objects.bulk_create(metric_rows(version, judged))
        if wins:
            registry.promote(version, by=job.requested_by if job else None, reason=decision, now=now)
    return version


def decide(spec: Spec, judged: Backtest) -> tuple[bool, str]:
    """Return whether the model beats every rival in the mean over the cutoffs, and the sentence that says so.

    It must be above every baseline, and not below the present champion.
    """
    metric = spec.decided_by
    mine = judged.mean(MODEL, metric)
    rivals = {subject: judged.mean(subject, metric) for subject in judged.measures if subject != MODEL}
    lost = [
        name for name, value in rivals.items() if not (mine >= value if name.startswith("champion ") else mine > value)
    ]
    at = sorted(judged.measures[MODEL])
    figures = ", ".join(f"{name} {value:.4f}" for name, value in rivals.items()) or "no rival"
    verdict = f"Not promoted, it does not beat {' and '.join(lost)}" if lost else "Promoted"
    if math.isnan(mine):
        verdict = f"Not promoted, {metric} could not be measured"
    sentence = (
        f"{verdict}: {metric} {mine:.4f} against {figures}; mean over {len(at)} cutoffs, {at[0]:%Y-%m-%d}"
        f" to {at[-1]:%Y-%m-%d}."
    )
    return not lost and not math.isnan(mine), sentence[:500]


def metric_rows(version: ModelVersion, judged: Backtest) -> list[Metric]:
    """Return the measures of a backtest as rows; what could not be measured has none."""
    return [
        Metric(
            version=version,
            kind=Metric.Kind.BACKTEST,
            subject=subject,
            name=name,
            value=measure.value,
            low=finite(measure.low),
            high=finite(measure.high),
            cutoff=datasets.moment(cutoff),
        )
        for subject, cutoff, name, measure in judged.rows()
        if finite(measure.value) is not None
    ]
