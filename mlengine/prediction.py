"""From a champion to rows: what it says of everybody at one date, with reasons for those most at risk."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import narwhals as nw
import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

from crm import assessments
from crm.locks import only_one
from crm.models import JobRun
from mlengine import (
    answers,
    cluster_rows,
    datasets,
    jobs,
    lineage,
    network,
    online,
    recipes,
    registry,
    shop_rows,
    summaries,
)
from mlengine.columns import SCORE, USER, Log
from mlengine.models import ModelVersion, PredictionRun, PredictionRunQuerySet, Score
from mlengine.specs import Explains, Groups, Model, Spec
from mlengine.work import Clock, Progress, Refused

EXPLAINED = 10_000  # reasons of all others are worked out when somebody looks: exact ones cost milliseconds each
WAITING_EVERY = timedelta(days=7)


def request(spec: str, *, now: datetime, by: User | None = None, cutoff: datetime | None = None) -> JobRun:
    """Ask a worker for a spec's predictions at the cutoff, or at the end of the data."""
    return jobs.request(jobs.PREDICT, spec, now=now, by=by, cutoff=cutoff)


def run(job: JobRun, clock: Clock) -> bool:
    """Do a prediction job; whatever goes wrong becomes its error, and readers keep the former answers."""

    def verb(spec: Spec, cutoff: datetime, now: datetime, progress: Progress) -> dict[str, Any]:
        made = predict(spec, cutoff=cutoff, now=now, progress=progress)
        return {"run": made.pk, "rows": made.rows}

    return jobs.carry_out_for_spec(job, clock, verb)


def run_shadow(job: JobRun, clock: Clock) -> bool:
    """Do the same for the challenger; what goes wrong with it touches no reader."""

    def verb(spec: Spec, cutoff: datetime, now: datetime, progress: Progress) -> dict[str, Any]:
        made = predict_in_shadow(spec, cutoff=cutoff, now=now, progress=progress)
        return {"run": made.pk, "rows": made.rows}

    return jobs.carry_out_for_spec(job, clock, verb)


def predict(spec: Spec, *, cutoff: datetime, now: datetime, progress: Progress) -> PredictionRun:
    """Write what the champion of a spec answers at the cutoff; done before, it changes nothing.

    Raises
    ------
    mlengine.work.Refused
        The spec has no champion.
    crm.assessments.NoAssessment
        Nobody has assessed what the spec does to people, or no longer.
    mlengine.registry.ArtifactError
        The champion's files are not what was saved.
    crm.locks.Busy
        Another process predicts for this spec.
    """
    assessments.require(spec.subject, now)
    with only_one(f"the predictions of {spec.name}"):
        version = ModelVersion.objects.champion(spec.name)
        if version is None:
            raise Refused(f"{spec.title} has no champion yet: train it first.")
        made = _answered(spec, version, cutoff=cutoff, now=now, progress=progress)
        prune(spec, keep=settings.PREDICTION_RUNS_KEPT)
        return made


def predict_in_shadow(spec: Spec, *, cutoff: datetime, now: datetime, progress: Progress) -> PredictionRun:
    """Write what the challenger of a spec answers at the cutoff, where no reader finds it; errors as ``predict``."""
    assessments.require(spec.subject, now)
    with only_one(f"the predictions of {spec.name}"):
        version = ModelVersion.objects.challenger(spec.name)
        if version is None:
            raise Refused(f"{spec.title} has no challenger.")
        return _answered(spec, version, cutoff=cutoff, now=now, progress=progress)


def _answered(
    spec: Spec, version: ModelVersion, *, cutoff: datetime, now: datetime, progress: Progress
) -> PredictionRun:
    done = PredictionRun.objects.whole().filter(version=version, cutoff=cutoff).first()
    if done:
        if done.shadow and version.stage == ModelVersion.Stage.CHAMPION:  # of when it was a challenger
            done.shadow = False
            done.save(update_fields=["shadow"])
        return done
    for left in PredictionRun.objects.filter(spec=spec.name, finished_at__isnull=True):
        answers.remove(left)  # of a worker that was killed; we hold the lock, so nobody is at it
    return _predict(recipes.made_by(version, spec), version, cutoff=cutoff, now=now, progress=progress)


def _predict(
    spec: Spec, version: ModelVersion, *, cutoff: datetime, now: datetime, progress: Progress
) -> PredictionRun:
    wall, shadow = datasets.wall_clock(cutoff), version.stage == ModelVersion.Stage.CHALLENGER
    progress.expect(4)
    with progress.step("read the log"):
        model, log = registry.load(version, spec), datasets.log(until=cutoff)
    made = PredictionRun.objects.create(
        spec=spec.name,
        version=version,
        job=progress.job,
        shadow=shadow,
        lineage=lineage.of_run(),
        cutoff=cutoff,
        started_at=now,
    )
    with progress.step("predict"):
        found = spec.verbs.predict(model, log, wall)
    with progress.step("explain"):
        explained = spec.answers == "score" and not shadow  # nobody reads reasons there
        why = _reasons(spec, model, log, wall, found) if explained else {}
    with progress.step("write"), transaction.atomic():
        # It may have been promoted meanwhile; whoever promotes it locks the same row. One that was stood down, or
        # displaced, stays in the shadow it began in.
        stage = ModelVersion.objects.select_for_update().get(pk=version.pk).stage
        made.shadow = shadow and stage != ModelVersion.Stage.CHAMPION
        _write(spec, made, found, model=model, reasons=why, now=now)
        made.finished_at = now
        made.save(update_fields=["rows", "summary", "shadow", "finished_at"])
    return made


def _write(
    spec: Spec, made: PredictionRun, found: nw.DataFrame[Any], *, model: Model, reasons: dict[int, Any], now: datetime
) -> None:
    previous = PredictionRun.objects.latest_before(made)
    match spec.answers:
        case "score":
            made.rows = answers.write_scores(made, found, reasons)
            made.summary = summaries.of_scores(found, made, previous)
        case "recommendation":
            made.rows = answers.write_recommendations(made, found)
            made.summary = summaries.of_recommendations(found)
            # By its card, which is what the network is found by: one trained by an earlier release has no word of it.
            made.summary |= {network.LIGHT: True} if made.version.card.get(network.LIGHT) else {}
        case "cluster" if isinstance(model, Groups):
            keys = cluster_rows.rows_for(spec, model, now, rename=not made.shadow)
            made.rows = answers.write_members(made, found, keys)
            made.summary = summaries.of_members(made, previous)
        case "link":
            made.rows = shop_rows.write_links(made, found)
            made.summary = {"count": made.rows}
        case "repurchase":
            made.rows = shop_rows.write_repurchases(made, found)
            due = online.due_by_category(made)
            made.summary = {"count": made.rows, "people": int(found[USER].n_unique()), "due": due}
        case unknown:
            raise Refused(f"{spec.name} answers with {unknown!r}, or its model does not name its groups.")


def _reasons(spec: Spec, model: Model, log: Log, wall: datetime, found: nw.DataFrame[Any]) -> dict[int, Any]:
    """Return the reasons of those with the highest scores."""
    task = spec.verbs
    if not isinstance(task, Explains) or not len(found):
        return {}
    highest = np.argsort(-found[SCORE].to_numpy(), kind="stable")[:EXPLAINED]
    return dict(task.explain(model, log, wall, found[USER].to_numpy()[highest].tolist()))


def explain(run: PredictionRun, profiles: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """Return, and keep, the reasons for the scores of a few people in a finished run; those kept are not redone."""
    scores = {score.profile_id: score for score in Score.objects.filter(run=run, profile__in=profiles)}
    missing = [profile for profile, score in scores.items() if score.reasons is None]
    task = recipes.made_by(run.version).verbs
    if missing and isinstance(task, Explains):
        log = datasets.log(until=run.cutoff)
        made = task.explain(_loaded(run.version.pk), log, datasets.wall_clock(run.cutoff), missing)
        for profile in missing:
            scores[profile].reasons = answers.stored(made.get(profile, []))
            Score.objects.filter(run=run, profile=profile).update(reasons=scores[profile].reasons)
    return {profile: score.reasons or [] for profile, score in scores.items()}


@lru_cache(maxsize=4)
def _loaded(version: int) -> Model:
    return registry.load(ModelVersion.objects.get(pk=version))


def prune(spec: Spec, *, keep: int) -> int:
    """Delete old runs but the newest ``keep``, and of those that wait to be judged one a week; return how many."""
    challengers = PredictionRun.objects.whole().filter(spec=spec.name, shadow=True)
    removed = _prune(challengers, keep=keep, beside=set())
    # The champion is judged beside its challenger, on the same dates.
    beside = set(challengers.filter(judged_at=None).values_list("cutoff", flat=True))
    return removed + _prune(PredictionRun.objects.finished().filter(spec=spec.name), keep=keep, beside=beside)


def _prune(runs: PredictionRunQuerySet, *, keep: int, beside: set[datetime]) -> int:
    removed, waiting = 0, None
    # From the oldest on: counted from the newest, each night would keep another one, and none would ever ripen.
    for old in reversed(runs.order_by("-cutoff", "-pk")[keep:]):
        due = waiting is None or old.cutoff >= waiting + WAITING_EVERY
        if old.judged_at is None and (due or old.cutoff in beside):
            waiting = old.cutoff if due else waiting
            continue
        answers.remove(old)
        removed += 1
    return removed
