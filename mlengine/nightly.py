"""What happens every night: new events to the lake, training where it is due, answers, judgement, drift."""

from datetime import datetime
from typing import Any

from crm import lake
from crm.models import JobRun
from mlengine import datasets, evaluation, jobs, monitoring, prediction, training
from mlengine.models import ModelVersion, PredictionRun
from mlengine.specs import SPECS, Spec
from mlengine.work import Clock, Progress, carry_out


def run(job: JobRun, clock: Clock) -> bool:
    """Do a night's work; what fails for one model is told in its own job and does not cost the others."""

    def work(progress: Progress) -> dict[str, Any]:
        now = clock()
        progress.expect(2 * len(SPECS) + 2)
        with progress.step("export events"):
            exported = lake.export(now, patience=jobs.PATIENCE)
        end = datasets.known_until(now)
        done = {spec.name: _for_spec(spec, end, now, clock, progress) for spec in SPECS.values()} if end else {}
        with progress.step("compact the lake"):
            erased = lake.compact(now)
        return {
            "exported": exported.rows,
            "left_the_lake": erased,
            "models": done,
            "seconds": list(progress.seconds.items()),
        }

    return carry_out(job, clock, work)


def _for_spec(spec: Spec, end: datetime, now: datetime, clock: Clock, progress: Progress) -> Any:
    with progress.step(f"train and predict: {spec.name}"):
        if training.due(spec, end):
            training.run(jobs.recorded(jobs.TRAIN, spec, cutoff=end, now=now), clock)
        champion = ModelVersion.objects.champion(spec.name)
        if champion and not PredictionRun.objects.finished().filter(version=champion, cutoff=end).exists():
            prediction.run(jobs.recorded(jobs.PREDICT, spec, cutoff=end, now=now), clock)
    with progress.step(f"judge and watch: {spec.name}"):
        judging = jobs.recorded(jobs.JUDGE, spec, cutoff=end, now=now)
        carry_out(judging, clock, lambda _: _judge(spec, now))
    return judging.result


def _judge(spec: Spec, now: datetime) -> dict[str, Any]:
    judged = evaluation.evaluate(spec, now=now)
    latest = PredictionRun.objects.latest_finished(spec.name)
    drifts = monitoring.measure_drift(latest, spec) if latest else []
    return {"judged": len(judged), "drifts": len(drifts)}
