"""The check of the whole ledger as a job: what it found is kept, and shown on the compliance page."""

from collections.abc import Callable
from datetime import datetime

from crm import fsck
from crm.models import JobRun
from crm.publishing import held_in_directory

TOLD = 20


def run(job: JobRun, *, clock: Callable[[], datetime]) -> bool:
    """Check the ledger, also against the copies that are held in directories; False if the job does not wait."""
    if not job.start(clock()):
        return False
    report = fsck.check(held_in_directory(), most=TOLD)
    told = {name.replace(" ", "_"): count for name, count in report.counts.items()}
    if report.sound:
        return job.succeed(clock(), **told)
    problems = "\n".join(str(problem) for problem in report.problems)
    return job.fail(clock(), f"{report.counts['problems']} problems\n{problems}")
