"""A file of people for a static list: kept sealed until a worker has read it, and then not at all.

Of its lines only numbers stay: how many, how many were added, and which ones named nobody.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns.models import Segment
from campaigns.segmenting import lists, sheets
from campaigns.segmenting.sheets import NoSheet
from crm import sealed_files, spreadsheets
from crm.imports import uploads
from crm.models import Identifier, JobRun
from mlengine import work

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KIND = "list_upload"
SUFFIXES = (".csv", ".tsv", ".txt", ".xlsx")
LARGEST = 128 * 2**20  # bytes
MOST_NUMBERS = 100_000  # of lines that named nobody; more are counted only


class NoListFile(ValueError):
    """The file cannot be taken; the message says why, in the reader's language."""


def order(
    segment: Segment,
    name: str,
    chunks: Iterable[bytes],
    *,
    type_: str,
    column: str,
    by: "AbstractBaseUser | None",
    now: datetime,
) -> JobRun:
    """Keep a file sealed and return the job that reads it: ring :func:`run` with its id.

    Raises
    ------
    NoListFile
        It is none that we read, too large, or its lines name people by something unknown.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise NoListFile(_("Known are CSV and Excel (.xlsx) files."))
    if type_ != "profile" and type_ not in Identifier.Type.values:
        raise NoListFile(_("Say by what each line names a person."))
    owner = by.pk if by else 0
    place = uploads.keep(_limited(chunks), uploads.Ticket(name=f"list{suffix}", what="list", source=0, user=owner))
    job = JobRun(kind=KIND, title=gettext_noop("Read a file of a list"), created_at=now)
    job.parameters = {"segment": segment.pk, "place": place, "type": type_, "column": column[:100]}
    job.requested_by_id = by.pk if by else None
    job.save()
    return job


def _limited(chunks: Iterable[bytes]) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > LARGEST:
            raise NoListFile(_("The file is larger than %(most)s MB.") % {"most": LARGEST // 2**20})
        yield chunk


def jobs_of(segment: Segment) -> QuerySet[JobRun]:
    """Return the jobs of a list's files, the latest first."""
    return JobRun.objects.filter(kind=KIND, parameters__segment=segment.pk).order_by("-created_at")


def run(job: JobRun, clock: work.Clock) -> bool:
    """Do the work of a job of :func:`order`; however it ends, the file is gone then. Ringing twice is harmless."""

    def done(progress: work.Progress) -> dict[str, Any]:
        with progress.step("read"):
            return _read(job, clock())

    return work.carry_out(job, clock, done)


def _read(job: JobRun, now: datetime) -> dict[str, Any]:
    told = job.parameters
    segment = Segment.objects.filter(pk=told["segment"], kind=Segment.Kind.LIST).first()
    try:
        path, _ticket = uploads.find(told["place"], now)
    except uploads.NoUpload as error:
        raise work.Refused(_("The file is not there any more. Upload it again.")) from error
    try:
        if segment is None:
            raise work.Refused(_("The list is not there any more."))
        with sealed_files.opened(path) as file:
            lines = sheets.column(file, sealed_files.kind_of(path), told["type"], told["column"])
            found = lists.upload(segment, lines, told["type"], now)
    except (NoSheet, ValueError) as error:
        raise work.Refused(str(error)) from error
    finally:
        uploads.delete(path)
    return {
        "lines": found.lines,
        "added": found.added,
        "before": found.known - found.added,
        "unknown": len(found.unknown),
        "numbers": list(found.unknown[:MOST_NUMBERS]),
    }


def unknown_lines(job: JobRun) -> Iterator[str]:
    """Yield a CSV of the numbers of the lines that named nobody."""
    yield spreadsheets.MARK + spreadsheets.line([_("line"), _("reason")])
    for number in job.result.get("numbers", ()):
        yield spreadsheets.line([number, _("names nobody whom we know")])
    if (more := job.result.get("unknown", 0) - len(job.result.get("numbers", ()))) > 0:
        yield spreadsheets.line(["…", _("and %(more)s more") % {"more": more}])
