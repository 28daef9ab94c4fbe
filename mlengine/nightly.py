"""What happens every night: new events to the lake, training where it is due, answers, judgement, drift."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from crm import lake
from crm.models import JobRun
from mlengine import datasets, drifting, evaluation, jobs, prediction, retraining, training
from mlengine.graph import AFTER, Graph, Outcome, plan
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import SPECS, Spec
from mlengine.work import Clock, Progress, carry_out


def run(job: JobRun, clock: Clock) -> bool:
    """Do a night's work; what fails for one model is told in its own job and does not cost the others.

    A night whose worker was killed goes on with the step it was at.
    """

    def work(progress: Progress) -> dict[str, Any]:
        now = clock()
        night, told = Graph(plan(), progress), {"exported": 0, "left_the_lake": 0}

        def export() -> Outcome:
            told["exported"] = lake.export(now, patience=jobs.PATIENCE).rows
            return Outcome()

        def compact() -> Outcome:
            told["left_the_lake"] = lake.compact(now)
            return Outcome()

        night.do("export", export)
        for spec in SPECS.values():
            end = datasets.known_until(now, *spec.reaches)
            for kind in AFTER:
                night.do(f"{kind}:{spec.name}", _step(kind, spec, end, now, clock))
        night.do("compact", compact)
        return {**told, "steps": night.told(), "seconds": list(progress.seconds.items())}

    return carry_out(job, clock, work)


def _step(kind: str, spec: Spec, end: datetime | None, now: datetime, clock: Clock) -> Callable[[], Outcome]:
    if end is None:
        return lambda: Outcome(skipped=True, why={"code": "no_events"})
    verbs: dict[str, Callable[[], Outcome]] = {
        "train": lambda: _train(spec, end, now, clock),
        "predict": lambda: _predict(spec, end, now, clock),
        "shadow": lambda: _shadow(spec, end, now, clock),
        "judge": lambda: _judge(spec, end, now, clock),
        "drift": lambda: _drift(spec, end, now, clock),
    }
    return verbs[kind]


def _train(spec: Spec, end: datetime, now: datetime, clock: Clock) -> Outcome:
    why = retraining.cause(spec, end)
    if why is None:
        due = retraining.due_at(spec)
        return Outcome(skipped=True, why={"code": "not_due", "values": {"until": f"{due:%Y-%m-%d}" if due else ""}})
    job = jobs.recorded(jobs.TRAIN, spec, cutoff=end, now=now)
    training.run(job, clock)
    return _left_out(job, spec) or Outcome(job=job, why=why.told())


def _predict(spec: Spec, end: datetime, now: datetime, clock: Clock) -> Outcome:
    champion = ModelVersion.objects.champion(spec.name)
    if champion is None:
        return Outcome(skipped=True, why={"code": "no_champion"})
    if PredictionRun.objects.finished().filter(version=champion, cutoff=end).exists():
        return Outcome(skipped=True, why={"code": "no_news"})
    job = jobs.recorded(jobs.PREDICT, spec, cutoff=end, now=now)
    prediction.run(job, clock)
    return _left_out(job, spec) or Outcome(job=job)


def _shadow(spec: Spec, end: datetime, now: datetime, clock: Clock) -> Outcome:
    challenger = ModelVersion.objects.challenger(spec.name)
    if challenger is None:
        return Outcome(skipped=True, why={"code": "no_challenger"})
    if PredictionRun.objects.whole().filter(version=challenger, cutoff=end).exists():
        return Outcome(skipped=True, why={"code": "no_news"})
    job = jobs.recorded(jobs.SHADOW, spec, cutoff=end, now=now)
    prediction.run_shadow(job, clock)
    return _left_out(job, spec) or Outcome(job=job)


def _left_out(job: JobRun, spec: Spec) -> Outcome | None:
    """Return that a step was left out where its job was refused for what is no failure of this night.

    People decide whether a model is assessed at all, and what an optional one learns from may never be there.
    """
    match job.result.get("refused"):
        case "NoAssessment":
            return Outcome(skipped=True, job=job, why={"code": "not_assessed"})
        case "NotEnoughData" if spec.is_optional:
            return Outcome(skipped=True, job=job, why={"code": "not_enough", "values": {"what": job.error[:300]}})
    return None


def _judge(spec: Spec, end: datetime, now: datetime, clock: Clock) -> Outcome:
    job = jobs.recorded(jobs.JUDGE, spec, cutoff=end, now=now)
    carry_out(job, clock, lambda _: {"judged": len(evaluation.evaluate(spec, now=now))})
    judged = int(job.result.get("judged", 0))
    return Outcome(job=job, why={"code": "judged", "values": {"count": judged}} if judged else {"code": "nothing_ripe"})


def _drift(spec: Spec, end: datetime, now: datetime, clock: Clock) -> Outcome:
    latest = PredictionRun.objects.latest_finished(spec.name)
    if latest is None:
        return Outcome(skipped=True, why={"code": "no_answers"})
    if latest.cutoff == latest.version.cutoff:
        return Outcome(skipped=True, why={"code": "same_date"})
    job = jobs.recorded(jobs.DRIFT, spec, cutoff=end, now=now)
    carry_out(job, clock, lambda _: {"measured": len(drifting.measure(latest, spec))})
    return Outcome(job=job, why={"code": "measured", "values": {"count": int(job.result.get("measured", 0))}})
