"""Files that hold copies of people's data: uploads waiting to be imported, reply packs, bundles and exports.

An upload is a copy of rows that the record has by now, so those of ended imports go, whoever is in them. Anything else
below ``MEDIA_ROOT`` is searched for the person's identifiers, and goes when it names her.
"""

import gzip
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, cast

from django.conf import settings

from crm import packs, sealed_files
from crm.carrying_out import NotYet
from crm.encryption import Tampered
from crm.erasers.subject import SHORT, Subject
from crm.keyring import UnknownKey
from crm.models import JobRun, ReplyPack

BLOCK = 1 << 20
GOING_ON = (JobRun.Status.QUEUED, JobRun.Status.RUNNING)


def forget_uploads(subject: Subject) -> Mapping[str, int]:
    """Delete uploads whose import has ended, and those of paused or failed ones that name the person.

    Raises
    ------
    crm.carrying_out.NotYet
        An import is running: what it has read already will be found in the record, the rest would come after us.
    """
    folder = Path(settings.MEDIA_ROOT) / "imports"
    jobs = {Path(job.parameters.get("path", "")): job for job in JobRun.objects.filter(kind="import")}
    gone = 0
    for path in _files(folder):
        job = jobs.get(path.resolve())
        if job is not None and job.status in GOING_ON:
            raise NotYet(f"import {job.pk} is running")
        waits = job is not None and job.status in {JobRun.Status.PAUSED, JobRun.Status.FAILED}
        if not waits or names(path, subject):
            path.unlink(missing_ok=True)
            gone += 1
    return {"deleted": gone}


def forget_packs(subject: Subject, now: datetime) -> Mapping[str, int]:
    """Delete the reply packs of the person's earlier requests."""
    mine = ReplyPack.objects.filter(request__profile__in=subject.profiles, deleted_at=None)
    return {"deleted": sum(packs.delete(pack, now) for pack in mine)}


def forget_exports(subject: Subject) -> Mapping[str, int]:
    """Delete every other file that names the person: clear-text bundles, row exports."""
    root = Path(settings.MEDIA_ROOT)
    apart = (root / "imports", root / packs.FOLDER)
    found = [path for path in _files(root) if not any(path.is_relative_to(folder) for folder in apart)]
    found += _files(Path(settings.AUDIT_DIR))
    named = [path for path in found if names(path, subject)]
    for path in named:
        path.unlink(missing_ok=True)
    return {"searched": len(found), "deleted": len(named)}


def names(path: Path, subject: Subject) -> bool:
    """Tell whether a file names the person, in UTF-8, GB18030 or as Parquet; what cannot be read counts as naming."""
    if sealed_files.kind_of(path) == ".parquet":
        return _in_parquet(path, subject)
    wanted = [text for type_, name in subject.names for text in _spellings(type_, name)]
    needles = {text.encode(encoding) for text in wanted for encoding in ("utf-8", "gb18030")}
    try:
        with gzip.open(path) if path.suffix == ".gz" else sealed_files.opened(path) as file:
            return _contains(cast("IO[bytes]", file), needles)
    except (OSError, EOFError, Tampered, UnknownKey):
        return True


def _spellings(type_: str, name: str) -> Iterator[str]:
    """Yield how a file may write an identifier; short ones within a field of their own."""
    if type_ == "phone":
        national = name[-11:]
        for text in (national, "".join(chr(0xFEE0 + ord(sign)) if sign.isdigit() else sign for sign in national)):
            yield text
            yield f"{text[:3]} {text[3:7]} {text[7:]}"
            yield f"{text[:3]}-{text[3:7]}-{text[7:]}"
    elif len(name) >= SHORT:
        yield name.lower()
    else:
        yield from (f"{before}{name.lower()}{after}" for before in ',"\t\n' for after in ',"\t\n\r')


def _contains(file: IO[bytes], needles: set[bytes]) -> bool:
    longest = max((len(needle) for needle in needles), default=1)
    tail = b""
    while block := file.read(BLOCK):
        text = (tail + block).lower()
        if any(needle in text for needle in needles):
            return True
        tail = text[-longest:]
    return False


def _in_parquet(path: Path, subject: Subject) -> bool:
    import polars as pl  # noqa: PLC0415 (web processes may load this module, not the science)

    try:
        with sealed_files.opened(path) as file:
            frame = pl.read_parquet(BytesIO(file.read()))
    except (OSError, Tampered, UnknownKey, pl.exceptions.PolarsError):
        return True
    values = {str(value) for column in frame for value in column.cast(pl.String, strict=False).unique() if value}
    return any(subject.mentioned_in(unicodedata.normalize("NFC", value)) for value in values)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
