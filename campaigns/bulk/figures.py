"""What the platforms counted of a campaign's messages to many, all together: shown beside what is known of each."""

from collections import defaultdict
from dataclasses import dataclass

from campaigns.models import BulkJob, Campaign, StaffTask

# Whom a platform reached, by what it calls it: a mass send tells "sent", a task of staff "reached".
REACHED = ("sent", "reached")


@dataclass(frozen=True, kw_only=True)
class ToMany:
    """Jobs of one kind through one account that stand alike; ``reached`` is nothing where no platform has counted."""

    account: str
    kind: str
    status: str
    jobs: int
    people: int
    reached: int | None
    errors: int


def of(campaign: Campaign) -> list[ToMany]:
    """Return a campaign's jobs, summed; a job whose people all went with another one is left out."""
    rows = BulkJob.objects.filter(run__campaign=campaign).exclude(status=BulkJob.Status.CANCELLED, reason="nobody")
    alike: dict[tuple[str, str, str], list[BulkJob]] = defaultdict(list)
    for job in rows.select_related("account").order_by("called_at"):
        alike[job.account.name, job.get_kind_display(), _standing(job)].append(job)
    return [_summed(*key, jobs) for key, jobs in alike.items()]


def _standing(job: BulkJob) -> str:
    """Return how a job stands: a task that the platform has taken is with the staff, and nobody has the message yet."""
    if job.kind == BulkJob.Kind.STAFF_TASK and job.status == BulkJob.Status.ACCEPTED:
        return str(StaffTask.Status.WAITING.label)
    return job.get_status_display()


def _summed(account: str, kind: str, status: str, jobs: list[BulkJob]) -> ToMany:
    counted = [job.counts[name] for job in jobs for name in REACHED if name in job.counts]
    return ToMany(
        account=account,
        kind=kind,
        status=status,
        jobs=len(jobs),
        people=sum(job.people for job in jobs),
        reached=sum(counted) if counted else None,
        errors=sum(job.counts.get("errors", 0) for job in jobs),
    )
