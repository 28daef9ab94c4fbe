"""What workers do for this package: each task takes a job's id, may run twice, and imports the science itself."""

from celery import shared_task
from django.utils import timezone

from crm.models import JobRun


@shared_task(name="mlengine.tasks.train")
def train(job: int) -> None:
    from mlengine import training

    training.run(JobRun.objects.get(pk=job), timezone.now)


@shared_task(name="mlengine.tasks.predict")
def predict(job: int) -> None:
    from mlengine import prediction

    prediction.run(JobRun.objects.get(pk=job), timezone.now)


@shared_task(name="mlengine.tasks.search")
def search(job: int) -> None:
    from mlengine import search as searching

    searching.run(JobRun.objects.get(pk=job), timezone.now)


@shared_task(name="mlengine.tasks.nightly")
def nightly(job: int) -> None:
    from mlengine import nightly as night

    night.run(JobRun.objects.get(pk=job), timezone.now)


@shared_task(name="mlengine.tasks.explain")
def explain(run: int, profile: int) -> None:
    """Work out and keep the reasons for one person's score, because somebody is looking at it."""
    from mlengine import prediction
    from mlengine.models import PredictionRun

    found = PredictionRun.objects.finished().select_related("version").filter(pk=run).first()
    if found:
        prediction.explain(found, [profile])


@shared_task(name="mlengine.tasks.tick")
def tick() -> None:
    """See what is due: jobs whose worker fell silent, and the night's work."""
    from mlengine import jobs

    now = timezone.now()
    jobs.revive(now)
    jobs.tonight(now)
