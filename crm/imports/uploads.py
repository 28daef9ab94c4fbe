"""Uploaded files: copies of people's data, which lie under ``MEDIA_ROOT/imports`` while an import needs them."""

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from crm.models import JobRun

NEEDED = (JobRun.Status.QUEUED, JobRun.Status.RUNNING, JobRun.Status.PAUSED, JobRun.Status.FAILED)
KEPT_FOR = timedelta(days=1)  # an upload whose import was not started, as long as its ticket is good


def directory() -> Path:
    return Path(settings.MEDIA_ROOT) / "imports"


def forget_upload(job: JobRun) -> bool:
    """Delete the upload of an import that has ended; a file that somebody named on the server is not ours to delete."""
    path = Path(job.parameters.get("path", ""))
    if not path.is_relative_to(directory().resolve()):
        return False
    return _delete(path)


def forget_uploads(now: datetime) -> int:
    """Delete the uploads that no import needs (any more): of ended ones, and those that nobody started in time."""
    rows = JobRun.objects.filter(kind="import", status__in=NEEDED).values_list("parameters__path", flat=True)
    needed = {Path(path) for path in rows if path}
    late = (now - KEPT_FOR).timestamp()
    found = [path for path in directory().resolve().rglob("*") if path.is_file() and path not in needed]
    return sum(_delete(path) for path in found if path.stat().st_mtime < late)


def _delete(path: Path) -> bool:
    if not path.exists():
        return False
    path.unlink()
    if path.parent != directory().resolve() and not any(path.parent.iterdir()):
        path.parent.rmdir()
    return True
