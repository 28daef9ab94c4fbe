"""From the log to a champion: backtest against the rivals, decide, learn from everything, keep."""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from crm import assessments
from crm.locks import only_one
from crm.models import JobRun
from mlengine import backtest, datasets, exposure, fairness, jobs, lineage, recipes, registry, retraining
from mlengine.backtest import MODEL, Audit, Backtest, finite
from mlengine.cards import as_json, model_card, parameters_of, recipe
from mlengine.columns import Log
from mlengine.models import Metric, ModelVersion
from mlengine.recipes import Found, NoSuchChoice
from mlengine.specs import SPECS, Follows, Model, Shown, Spec, Task
from mlengine.work import Clock, Progress

SHADOW_FIRST = "Not promoted, it answers in the shadow first:"
SHADOW_TAKEN = "Not promoted, another one that waits to be judged is in the shadow:"


def request(
    spec: str,
    *,
    now: datetime,
    by: User | None = None,
    cutoff: datetime | None = None,
    wanted: Mapping[str, Any] | None = None,
) -> JobRun:
    """Ask a worker to train a spec until the cutoff, or the end of the data; with parameters of a person's choice.

    Raises
    ------
    mlengine.recipes.NoSuchChoice
        What is wanted is none of what a search may try.
    """
    for name, value in (wanted or {}).items():
        if value not in SPECS[spec].search.get(name, ()):
            raise NoSuchChoice(f"{SPECS[spec].title} cannot be trained with {name} {value!r}.")
    return jobs.request(jobs.TRAIN, spec, now=now, by=by, cutoff=cutoff, more={"wanted": wanted} if wanted else None)


def run(job: JobRun, clock: Clock) -> bool:
    """Do a training job; whatever goes wrong becomes its error, and the champion goes on serving."""

    def verb(spec: Spec, cutoff: datetime, now: datetime, progress: Progress) -> dict[str, Any]:
        wanted = job.parameters.get("wanted") or {}
        found = recipes.asked_for(spec, ModelVersion.objects.champion(spec.name), wanted)
        version = train(spec, cutoff=cutoff, now=now, progress=progress, found=found)
        return {"version": version.pk, "stage": version.stage, "decision": version.decision}

    return jobs.carry_out_for_spec(job, clock, verb)


def train(
    spec: Spec, *, cutoff: datetime, now: datetime, progress: Progress, found: Found | None = None
) -> ModelVersion:
    """Train a spec on what was known at the cutoff, and promote it if it beats every rival on the backtest.

    With what a search ``found`` it becomes a challenger at most: chosen among many, its figures flatter it. So does
    what a person asked for, who can look at it before it serves. A challenger that waits to be judged keeps the
    shadow; only a person takes it out.

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
        before = progress.done  # a search has tried recipes under the same job
        base, why = spec, _why(spec, cutoff, progress.job, found)
        spec = found.recipe if found else recipes.adopted(base, champion)
        wall = datasets.wall_clock(cutoff)
        with progress.step("read the log"):
            log = datasets.log(until=cutoff)
            extent = backtest.extent(log, wall, spec.activity_window)
        extent.refuse_unless_enough(spec, wall)
        tasks: dict[str, Task] = {MODEL: spec.verbs, **spec.verbs.baselines(), **_earlier_recipe(spec, champion)}
        at = backtest.cutoffs(spec, extent.begins, wall, log)
        progress.expect(before + len(tasks) * len(at) + 4)
        judged = backtest.run(tasks, log, at, progress, audits=_audits(spec))
        with progress.step("learn from everything"):
            model = _following(spec.verbs.fit(log, wall), spec, champion)
        with progress.step("keep and decide"):
            card = model_card(
                spec, extent=extent, log=log, until=wall, judged=judged, model=model, seconds=progress.seconds
            )
            card |= {"lineage": lineage.of_run(), "cause": why.told()}
            card |= explained(spec, model, log, wall)
            card |= _tuned(base, spec, champion, found)
            searched = found is not None
            return _keep(spec, model, judged, card, cutoff=cutoff, now=now, job=progress.job, searched=searched)


def _audits(spec: Spec) -> dict[str, Audit]:
    """Return what the card tells of the answers at the last cutoff besides their figures."""
    told: dict[str, Audit] = {"fairness": partial(fairness.report, spec), "exposure": partial(exposure.report, spec)}
    return told | ({"shown": spec.verbs.shown} if isinstance(spec.verbs, Shown) else {})


def _why(spec: Spec, cutoff: datetime, job: JobRun | None, found: Found | None) -> retraining.Cause:
    """Return why this training is made: what asked for it, or else what made it due."""
    if found or (job and job.requested_by_id):
        return retraining.Cause(code="search" if found and found.trial else "asked")
    return retraining.cause(spec, cutoff) or retraining.Cause(code="asked")


def explained(spec: Spec, model: Model, log: Log, wall: datetime) -> dict[str, Any]:
    """Return how the score depends on what weighs most, and how steady reasons are, for the card."""
    from mlengine.estimators.dependence import dependences, steadiness  # noqa: PLC0415

    if spec.answers != "score":
        return {}
    found = [asdict(each) for each in dependences(spec.verbs, model, log, wall)]
    return dict(as_json({"dependence": found, "steadiness": steadiness(spec.verbs, model, log, wall)}))


def _tuned(base: Spec, spec: Spec, champion: ModelVersion | None, found: Found | None) -> dict[str, Any]:
    """Return what a search changed in the recipe, for the card: trainings to come keep to it."""
    if found:
        return {recipes.TUNED: found.told()}
    kept = champion.card.get(recipes.TUNED) if champion and spec != base else None
    return {recipes.TUNED: kept} if kept else {}


def _earlier_recipe(spec: Spec, champion: ModelVersion | None) -> dict[str, Task]:
    """Return the present champion as a rival if it was made otherwise.

    Its bytes have seen the labels that the backtest judges by, so its recipe is trained anew at each cutoff. Made the
    same way it would earn the same figures, and the newer data decide. Code that this release no longer has cannot
    compete.
    """
    made = champion.card.get("recipe") if champion else None
    if champion is None or not made or made == recipe(spec):
        return {}
    former = replace(spec, task=made["task"], parameters=parameters_of(made))
    return {f"champion v{champion.number}": former.verbs} if recipes.is_known(former) else {}


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
    searched: bool,
) -> ModelVersion:
    wins, decision = decide(spec, judged)
    with transaction.atomic():
        version = registry.save(model, spec, card=card, job=job, decision=decision, cutoff=cutoff, trained_at=now)
        Metric.objects.bulk_create(metric_rows(version, judged))
        # Asked now and locked: a person may have gone back to a version, and held it, while this one learned.
        champion = registry.champion_for_update(spec.name)
        if wins and (champion is None or not (champion.held or searched)):
            registry.promote(version, by=job.requested_by if job else None, reason=decision, now=now)
        elif (searched or wins or _loses_to_champion_only(spec, judged)) and _shadow_is_free(spec):
            registry.challenge(version, reason=decision.replace("Promoted:", SHADOW_FIRST, 1))
        elif wins:
            _turn_away(version, decision.replace("Promoted:", SHADOW_TAKEN, 1))
    return version


def _turn_away(version: ModelVersion, decision: str) -> None:
    version.decision = decision[:500]
    version.save(update_fields=["decision"])


def _loses_to_champion_only(spec: Spec, judged: Backtest) -> bool:
    mine = judged.mean(MODEL, spec.decided_by)
    baselines = [name for name in judged.measures if name != MODEL and not name.startswith("champion ")]
    beaten = all(mine > judged.mean(name, spec.decided_by) for name in baselines)
    return beaten and len(baselines) + 1 < len(judged.measures)


def _shadow_is_free(spec: Spec) -> bool:
    """Return whether a challenger may be replaced unasked: there is none, it had its say, or it can never have one."""
    # Of items alone nobody can tell two answers apart: waiting would never end.
    return spec.answers == "link" or ModelVersion.objects.unjudged_challenger(spec.name) is None


def decide(spec: Spec, judged: Backtest) -> tuple[bool, str]:
    """Return whether the model beats every rival in the mean over the cutoffs, and the sentence that says so.

    It must be above every baseline, not below the present champion, and unfair to no group of people; where that cannot
    be told, it is not promoted.
    """
    metric = spec.decided_by
    mine = judged.mean(MODEL, metric)
    rivals = {subject: judged.mean(subject, metric) for subject in judged.measures if subject != MODEL}
    lost = [
        name for name, value in rivals.items() if not (mine >= value if name.startswith("champion ") else mine > value)
    ]
    refused = fairness.refusal(judged.details.get("fairness", {}))
    at = sorted(judged.measures[MODEL])
    figures = ", ".join(f"{name} {value:.4f}" for name, value in rivals.items()) or "no rival"
    verdict = f"Not promoted, it does not beat {' and '.join(lost)}" if lost else "Promoted"
    if math.isnan(mine):
        verdict = f"Not promoted, {metric} could not be measured"
    if refused and not lost:
        verdict = f"Not promoted, {refused}"
    sentence = (
        f"{verdict}: {metric} {mine:.4f} against {figures}; mean over {len(at)} cutoffs, {at[0]:%Y-%m-%d}"
        f" to {at[-1]:%Y-%m-%d}."
    )
    return not lost and not math.isnan(mine) and not refused, sentence[:500]


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
