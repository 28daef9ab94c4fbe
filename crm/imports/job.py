"""A file's way into the record: piece by piece, each with its checkpoint in one transaction. Loads Polars."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from django.db import DatabaseError, IntegrityError, connection, transaction

from crm import copying, partitions, sealed_files
from crm.encryption import Tampered, aad, ids_of, seal_for_house
from crm.errors import cause_of
from crm.identity import ATTEMPTS, LostRace
from crm.imports.files import Piece, RowFile, UnreadableFile, open_rows
from crm.imports.mapping import Mapping
from crm.imports.tables import TABLES, content
from crm.imports.uploads import forget_upload
from crm.imports.writing import Repeats, Writer, bisected, with_keys
from crm.ingest import Erased
from crm.keyring import UnknownKey
from crm.models import JobRun, RejectedEvent, Source

IMPORT_LOCK = 7305200
Clock = Callable[[], datetime]


class Stopped(RuntimeError):
    """A person paused or cancelled the job."""


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A piece, checked: rows to write, rows refused (line, column, reason, text), and where the next piece begins."""

    rows: pl.DataFrame
    refused: list[tuple[int, str, str, str]]
    same: int
    read: int
    then: dict[str, int]


def run(job: JobRun, *, clock: Clock) -> bool:
    """Import the job's file from where it stands; False if it is not waiting, or another worker has it.

    A job whose worker was killed is gone on with: that it runs without anybody holding its lock tells it from others.
    """
    with _alone(job) as mine:
        job.refresh_from_db()
        if not mine or not (job.status == JobRun.Status.RUNNING or job.start(clock())):
            return False
        try:
            _run(job, clock)
        except Stopped:
            job.refresh_from_db()
        except (UnreadableFile, Tampered, UnknownKey) as error:
            job.fail(clock(), str(error))
        except (DatabaseError, OSError, pl.exceptions.PolarsError) as error:
            job.fail(clock(), cause_of(error))
        except Exception as error:  # a mistake of ours: nobody must wait for a job that will not go on
            job.fail(clock(), cause_of(error))
            raise
    return True


def _run(job: JobRun, clock: Clock) -> None:
    mapping = Mapping(**job.parameters["mapping"])
    path = Path(job.parameters["path"])
    file = open_rows(path, encoding=job.parameters.get("encoding", ""))
    if sealed_files.size(path) != job.parameters["bytes"]:
        raise UnreadableFile(f"{path.name} has changed since the import was ordered.")
    if problems := mapping.problems(file.columns):
        raise UnreadableFile(" ".join(problems))
    if not job.advance(clock(), total=file.count(), step="reading"):
        raise Stopped
    now = clock()
    source = Source.objects.get(pk=job.parameters["source"])
    writer = Writer(source=source, now=now)
    with ThreadPoolExecutor(1) as ahead:  # the next piece is read and checked while PostgreSQL writes this one
        pieces = _ready(file, mapping, source.pk, dict(job.checkpoint.get("then", {})), now)
        coming = ahead.submit(next, pieces, None)
        while (ready := coming.result()) is not None:
            coming = ahead.submit(next, pieces, None)
            _write(job, writer, mapping.what, ready, clock)
    counts = {name: job.checkpoint.get(name, 0) for name in ("new", "same")}
    if job.succeed(clock(), rows=job.done, rejected=job.rejected, **counts):
        forget_upload(job)


def _ready(file: RowFile, mapping: Mapping, source_id: int, start: dict[str, int], now: datetime) -> Iterator[Ready]:
    repeats = _repeats(file, mapping)
    for piece in file.pieces(start):
        yield checked(piece, mapping, source_id, repeats, now)


def checked(piece: Piece, mapping: Mapping, source_id: int, repeats: Repeats, now: datetime) -> Ready:
    """Return a piece of a file ready to be written."""
    found = TABLES[mapping.what](piece.rows, piece.lines, mapping, now)
    refused = [(line, "", reason, text) for line, reason, text in piece.unreadable]
    if found.wrong:
        texts = piece.rows[[row for row, _, _ in found.wrong]].rows(named=True)
        refused += [
            (piece.lines[row], column, reason, orjson.dumps(text).decode())
            for (row, column, reason), text in zip(found.wrong, texts, strict=True)
        ]
    rows, same = found.rows, 0
    if mapping.what == "events":
        rows, same = with_keys(rows, source_id, repeats)
    read = len(piece.rows) + len(piece.unreadable)
    return Ready(rows=rows, refused=refused, same=same, read=read, then=piece.then)


def _repeats(file: RowFile, mapping: Mapping) -> Repeats:
    """Return which rows repeat earlier ones; it reads the file once more, where its rows have no ids of their own."""
    empty = pl.Series(dtype=pl.UInt64), pl.Series(dtype=pl.Int64)
    if mapping.what != "events" or "message_id" in mapping.columns:
        return Repeats.of(*empty)
    found = [(content(piece.rows).hash(0), piece.lines) for piece in file.pieces({})]
    return Repeats.of(*(pl.concat([empty[side], *(pair[side] for pair in found)]) for side in (0, 1)))


def _write(job: JobRun, writer: Writer, what: str, ready: Ready, clock: Clock) -> None:
    """Write one piece; who was erased between being looked up and being written about is looked up again."""
    for _ in range(ATTEMPTS):
        try:
            return _write_once(job, writer, what, ready, clock)
        except (Erased, IntegrityError):  # the latter at commit, where a key was about to be made for them
            writer.people = None
        except partitions.Dropped:
            continue  # its months are made again
    raise LostRace(f"A piece could not be written in {ATTEMPTS} attempts: people or months went each time.")


def _write_once(job: JobRun, writer: Writer, what: str, ready: Ready, clock: Clock) -> None:
    """Write one piece, what was refused of it and the checkpoint: all or nothing of it is there after a kill."""
    rows = ready.rows
    if what == "events" and len(rows):
        rows = writer.prepare_events(rows)
        months = rows["occurred_at"].dt.truncate("1mo").unique()
        partitions.ensure(month.date() for month in months)
    with transaction.atomic():
        new, failed = bisected(rows, getattr(writer, what)) if len(rows) else (0, [])
        failed = [*failed, *writer.taken_refusals()]
        refused = ready.refused + [(line, "", reason, _row_text(ready.rows, line)) for line, reason in failed]
        _keep(job, writer, refused)
        before = job.checkpoint
        same = before.get("same", 0) + ready.same + len(rows) - len(failed) - new
        facts: dict[str, Any] = {"done": job.done + ready.read, "rejected": job.rejected + len(refused)}
        checkpoint = {"then": ready.then, "new": before.get("new", 0) + new, "same": same}
        if not job.advance(clock(), step="writing", checkpoint=checkpoint, **facts):
            raise Stopped


def _row_text(rows: pl.DataFrame, line: int) -> str:
    return orjson.dumps(rows.row(by_predicate=pl.col("line") == line, named=True), default=str).decode()


def _keep(job: JobRun, writer: Writer, refused: list[tuple[int, str, str, str]]) -> None:
    if not refused:
        return
    frame = pl.DataFrame(
        refused, {"index": pl.Int64, "field": pl.String, "reason": pl.String, "payload": pl.String}, orient="row"
    )
    ids = ids_of(RejectedEvent, len(frame))
    payloads = [
        rf"\x{seal_for_house(text.encode(), aad('crm.rejectedevent', 'payload', id_)).hex()}"
        for id_, text in zip(ids, frame["payload"], strict=True)
    ]
    rows = frame.with_columns(
        pl.col("field").str.head(100),
        pl.col("reason").str.head(300),
        pl.Series("payload", payloads, pl.String),
        pl.Series("id", ids, pl.Int64),
        source_id=pl.lit(writer.source.pk),
        job_id=pl.lit(job.pk),
        received_at=pl.lit(writer.now.isoformat()),
    )
    with connection.cursor() as cursor:
        copying.copy_frame(cursor, "crm_rejectedevent", rows, never_null=("field", "reason", "payload"))


@contextmanager
def _alone(job: JobRun) -> Iterator[bool]:
    """Hold the job against other workers; the server lets go when our connection ends, even by a kill."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [IMPORT_LOCK, job.pk])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [IMPORT_LOCK, job.pk])
