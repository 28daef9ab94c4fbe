"""Background work on the record."""

from celery import shared_task
from django.utils import timezone

from crm.models import JobRun


@shared_task
def import_file(job_id: int) -> bool:
    """Import the file of a job; ringing twice, or after a kill, is harmless."""
    from crm.imports.job import run

    return run(JobRun.objects.get(pk=job_id), clock=timezone.now)


@shared_task
def resume_imports() -> int:
    """Go on with imports whose worker was killed; beat rings this."""
    silent = JobRun.objects.silent(timezone.now()).filter(kind="import")
    return sum(import_file(job.pk) for job in silent[:1])


@shared_task
def sequence_ledger() -> int:
    """Number what was appended to the ledger; its bell and beat ring this."""
    from crm.sequencer import sequence

    return sequence(timezone.now())
