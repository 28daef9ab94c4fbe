"""An officer's order of a bundle: approved by a second person where it is in clear text, made by a worker, kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from crm import access_log, approvals
from crm.audit import bundle, pdf, stamp
from crm.audit.compose import NotInTheLedger
from crm.audit.query import BadQuery, Query
from crm.models import Approval, JobRun, PersonalDataAccess

KIND = "audit_bundle"
ACTION = "audit_clear_text"
REPORT_EVERY = timedelta(seconds=1)
ADVANCE = "UPDATE crm_jobrun SET heartbeat_at = %s, done = %s, total = %s WHERE id = %s AND status = 'running'"
KEPT = timedelta(days=7)
KEPT_IN_CLEAR_TEXT = timedelta(hours=24)


def subject(query: Query) -> str:
    return f"audit bundle of {query.size} records"


def parameters(query: Query) -> dict[str, Any]:
    """Return what is approved: exactly this question."""
    told = query.told([str(person) for person in query.people])
    return {name: value for name, value in told.items() if name != "approval"} | {"size": query.size}


def of_parameters(told: dict[str, Any]) -> Query:
    """Return the query that was approved."""
    return from_json(
        {
            **{name: told[name] for name in ("size", "purposes", "clear_text", "language", "compare")},
            "begin": told["from"] or "",
            "end": told["to"] or "",
            "approval": "",
            "people": sorted(int(person) for person in told["people"]),
        }
    )


def approved(query: Query, approval: str, *, now: datetime) -> Query:
    """Use up an approval of exactly this query, and return the query that names it.

    Raises
    ------
    BadQuery
        There is no such approval, or it is of something else, used, or not given.
    """
    try:
        found = Approval.objects.select_related("requested_by").get(pk=UUID(approval))
        with transaction.atomic():
            used = approvals.use(ACTION, subject(query), parameters(query), by=found.requested_by, now=now)
            if used.pk != found.pk:
                raise BadQuery("That approval is not of this export.")
    except (ValueError, Approval.DoesNotExist):
        raise BadQuery("Clear text needs the approval of a second person: give its number with --approval.") from None
    except approvals.NotApproved as error:
        raise BadQuery(str(error)) from error
    return replace(query, approval=approval)


def place(query: Query, *, user: User, now: datetime) -> JobRun:
    """Order a bundle; a clear-text one uses up the approval that a second person gave to this person.

    Raises
    ------
    crm.approvals.NotApproved
        Clear text, and nobody has approved exactly this.
    """
    with transaction.atomic():
        if query.clear_text:
            used = approvals.use(ACTION, subject(query), parameters(query), by=user, now=now)
            query = replace(query, approval=str(used.pk))
        log(query, now=now, user=user)
        return JobRun.objects.create(
            kind=KIND, title=_title(query), parameters=to_json(query), requested_by=user, created_at=now
        )


def log(query: Query, *, now: datetime, user: User | None = None, actor: str = "") -> None:
    """Write down who takes a bundle; before it leaves."""
    what = "audit bundle in clear text" if query.clear_text else "audit bundle, pseudonymous"
    reason = f"approval {query.approval}" if query.approval else ""
    count = len(query.people)  # 0: everybody
    access_log.note(PersonalDataAccess.Action.EXPORT, what, user=user, actor=actor, count=count, reason=reason, now=now)


def run(job: JobRun, *, clock: Callable[[], datetime]) -> bool:
    """Make the bundle of a job that waits; False if it does not wait any more, was stopped, or failed."""
    if not job.start(clock()):
        return False
    path = file_of(job)
    try:
        with _reporter(job, clock) as report:
            manifest = bundle.export(path, from_json(job.parameters), progress=report)
        beside = {"pdf": _pdf(path), "stamp": _stamp(path)}
    except _Stopped:
        return False
    except (BadQuery, NotInTheLedger, OSError) as error:
        job.fail(clock(), str(error))
        return False
    counts = manifest["counts"]
    facts = {"records": sum(counts["kinds"].values()), "sends": counts["sends"], "violations": counts["violations"]}
    return job.succeed(clock(), **facts, size=path.stat().st_size, **beside)


class _Stopped(RuntimeError):
    """A person paused or cancelled the job."""


@contextmanager
def _reporter(job: JobRun, clock: Callable[[], datetime]) -> Iterator[Callable[[int, int], None]]:
    """Give what reports how far a job is, once a second, on a connection of its own.

    The export reads in one long transaction. What was written in there nobody would see before its end: no progress, no
    sign of life, and whoever stops the job would wait for it.
    """
    own = connection if connection.in_atomic_block else connection.copy()
    last: list[datetime] = []

    def report(done: int, total: int) -> None:
        now = clock()
        if done < total and last and now - last[0] < REPORT_EVERY:
            return
        last[:] = [now]
        with own.cursor() as cursor:
            cursor.execute(ADVANCE, [now, done, total, job.pk])
            if not cursor.rowcount:
                raise _Stopped

    try:
        yield report
    finally:
        if own is not connection:
            own.close()


def _pdf(path: Path) -> bool:
    """Write the PDF where that is possible; the bundle is whole without it."""
    try:
        pdf.write(path)
    except pdf.NoPdf:
        return False
    return True


def _stamp(path: Path) -> str:
    """Have the manifest time-stamped where an authority is configured; the bundle is whole without that too."""
    try:
        return "yes" if stamp.write(path) else ""
    except stamp.NoStamp as error:
        return str(error)


def file_of(job: JobRun) -> Path:
    """Return where the bundle of a job lies, or will lie."""
    return Path(settings.AUDIT_DIR) / f"audit-bundle-{job.pk}.zip"


def expires_at(job: JobRun) -> datetime | None:
    """Return when the file goes away: it can be made again, and lying around helps nobody."""
    kept = KEPT_IN_CLEAR_TEXT if job.parameters.get("clear_text") else KEPT
    return job.finished_at + kept if job.finished_at else None


def remove_expired(now: datetime) -> int:
    """Remove the files of bundles that were kept long enough."""
    removed = 0
    for job in JobRun.objects.filter(kind=KIND, finished_at__isnull=False):
        ends = expires_at(job)
        if ends is not None and ends <= now:
            removed += _remove(job)
    return removed


def _remove(job: JobRun) -> int:
    path = file_of(job)
    existed = path.exists()
    for file in (path, path.with_suffix(".pdf"), path.with_suffix(".tsr")):
        file.unlink(missing_ok=True)
    return int(existed)


def _title(query: Query) -> str:
    period = f"{query.begin or '…'} – {query.end or '…'}" if query.begin or query.end else "whole ledger"
    return f"Audit bundle: {period}" + (f", {', '.join(query.purposes)}" if query.purposes else "")


def to_json(query: Query) -> dict[str, Any]:
    return {
        "size": query.size,
        "begin": str(query.begin or ""),
        "end": str(query.end or ""),
        "purposes": list(query.purposes),
        "people": list(query.people),
        "clear_text": query.clear_text,
        "approval": query.approval,
        "language": query.language,
        "compare": list(query.compare),
    }


def from_json(told: dict[str, Any]) -> Query:
    return Query(
        size=told["size"],
        begin=date.fromisoformat(told["begin"]) if told["begin"] else None,
        end=date.fromisoformat(told["end"]) if told["end"] else None,
        purposes=tuple(told["purposes"]),
        people=tuple(told["people"]),
        clear_text=told["clear_text"],
        approval=told["approval"],
        language=told["language"],
        compare=tuple(told["compare"]),
    )
