"""Files of events, profiles and items into the record: look at one, order its import, see what was refused.

Polars is loaded by the functions that need it: web processes import this package.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from crm import sealed_files
from crm.imports.mapping import Mapping, guess
from crm.models import JobRun, RejectedEvent, Source

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

KIND = "import"
SHOWN, TRIED = 20, 1000


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a person sees before an import: the columns, some rows, what they seem to mean, and what is wrong."""

    columns: list[str]
    rows: list[dict[str, str | None]]
    mapping: Mapping
    problems: list[str]
    total: int


def preview(path: Path, what: str, mapping: Mapping | None = None, *, now: datetime, encoding: str = "") -> Preview:
    """Return a look at a file of ``events``, ``profiles`` or ``items``; the mapping is guessed where none is given.

    Raises
    ------
    crm.imports.files.UnreadableFile
        The file as a whole cannot be read.
    """
    from crm.imports.files import open_rows  # noqa: PLC0415
    from crm.imports.tables import TABLES  # noqa: PLC0415

    file = open_rows(path, encoding=encoding)
    mapping = mapping or Mapping(what=what, columns=guess(what, file.columns))
    piece = next(iter(file.pieces({})), None)
    problems = mapping.problems(file.columns)
    if piece is not None:
        problems += [f"Line {line}: {reason}" for line, reason, _ in piece.unreadable[:SHOWN]]
        if not mapping.problems(file.columns):
            wrong = TABLES[mapping.what](piece.rows.head(TRIED), piece.lines.head(TRIED), mapping, now).wrong
            problems += [f"Line {piece.lines[row]}: {column} {reason}" for row, column, reason in wrong[:SHOWN]]
    rows = piece.rows.head(SHOWN).rows(named=True) if piece else []
    return Preview(columns=file.columns, rows=rows, mapping=mapping, problems=problems, total=file.count())


def order(
    path: Path,
    mapping: Mapping,
    *,
    source: Source,
    now: datetime,
    user: "AbstractBaseUser | None" = None,
    encoding: str = "",
    name: str = "",
) -> JobRun:
    """Return a new job that will import the file; queue ``crm.tasks.import_file`` with its id, or :func:`run` it.

    ``name`` is what people call the file, where it lies under another one.
    """
    parameters = {"path": str(path.resolve()), "bytes": sealed_files.size(path), "mapping": mapping.to_json()}
    return JobRun.objects.create(
        kind=KIND,
        title=f"{mapping.what}: {name or path.name}"[:200],
        parameters=parameters | {"source": source.pk, "encoding": encoding},
        requested_by_id=user.pk if user else None,
        created_at=now,
    )


def replay(rejected: RejectedEvent, job: JobRun, *, now: datetime) -> bool:
    """Import one row that was refused again; False if it is refused again, or was imported meanwhile."""
    from crm.imports.again import replay_row  # noqa: PLC0415

    return replay_row(rejected, job, now=now)


def error_file(job: JobRun) -> Iterator[str]:
    """Yield the lines of a CSV of the rows that were refused: line, column, reason, row."""
    yield "\ufeff" + _line(["line", "column", "reason", "row"])  # the mark tells spreadsheets that it is UTF-8
    rows = RejectedEvent.objects.filter(job=job).order_by("index", "pk")
    for row in rows.iterator(chunk_size=5000):
        yield _line([row.index, row.field, row.reason, row.payload])


def _line(values: Sequence[int | str]) -> str:
    buffer = StringIO()
    csv.writer(buffer).writerow([_harmless(str(value)) for value in values])
    return buffer.getvalue()


def _harmless(text: str) -> str:
    """Return a text that a spreadsheet will not run as a formula.

    >>> _harmless("=1+1"), _harmless("7")
    ("'=1+1", '7')
    """
    return f"'{text}" if text.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")) else text
