"""Uploaded files: copies of people's data, which lie sealed under ``MEDIA_ROOT/imports`` while an import needs them.

Each has a folder of its own, named by chance: in it the rows, and a ticket that says what they were called, what they
hold and whose they are. Addresses carry the folder's name, which tells nothing.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from django.conf import settings

from crm import sealed_files
from crm.encryption import open_for_house, seal_for_house
from crm.encryption.values import house_key_id
from crm.keyring import ring
from crm.models import JobRun

NEEDED = (JobRun.Status.QUEUED, JobRun.Status.RUNNING, JobRun.Status.PAUSED, JobRun.Status.FAILED)
KEPT_FOR = timedelta(days=1)  # an upload whose import was not started, as long as its ticket is good
PLACE = re.compile(r"[0-9a-f]{32}")
TICKET = "ticket"


class NoUpload(LookupError):
    """There is no such upload, or not any more."""


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What was uploaded: its name, what it holds, in whose name it comes, and who brought it."""

    name: str
    what: str
    source: int
    user: int


def keep(chunks: Iterable[bytes], ticket: Ticket) -> str:
    """Write an upload to where workers find it, sealed, and return its place."""
    place = uuid4().hex
    folder = directory() / place
    folder.mkdir(parents=True, mode=0o700)
    with sealed_files.written(folder / f"rows{Path(ticket.name).suffix.lower()}{sealed_files.SUFFIX}") as file:
        for chunk in chunks:
            file.write(chunk)
    sealed = seal_for_house(json.dumps(asdict(ticket)).encode(), _context(place))
    (folder / TICKET).write_bytes(sealed)
    return place


def find(place: str, now: datetime) -> tuple[Path, Ticket]:
    """Return the rows and the ticket of an upload.

    Raises
    ------
    NoUpload
        Its time is over, it was imported, or there never was one.
    """
    folder = directory() / place
    try:
        if not PLACE.fullmatch(place) or (folder / TICKET).stat().st_mtime < (now - KEPT_FOR).timestamp():
            raise NoUpload(place)
        told = json.loads(open_for_house((folder / TICKET).read_bytes(), _context(place)))
        (rows,) = folder.glob(f"rows.*{sealed_files.SUFFIX}")
    except (OSError, ValueError, LookupError) as error:
        raise NoUpload(place) from error
    return rows, Ticket(**told)


def usage() -> Counter[str]:
    """Return how many files need each key of the ring (see ``crm.key_rotation``)."""
    found = Counter(sealed_files.key_id(path) for path in _files(f"*{sealed_files.SUFFIX}"))
    found.update(house_key_id(path.read_bytes()) for path in _files(TICKET))
    return found


def rewrap(batch: int) -> Iterator[int]:
    """Wrap by the ring's current key what older ones wrapped; yield after each file."""
    for path in _files(f"*{sealed_files.SUFFIX}"):
        if sealed_files.rewrap(path):
            yield 1
    for path in _files(TICKET):
        sealed, context = path.read_bytes(), _context(path.parent.name)
        if house_key_id(sealed) != ring().current:
            part, times = path.with_suffix(".part"), path.stat()
            part.write_bytes(seal_for_house(open_for_house(sealed, context), context))
            os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))
            part.rename(path)
            yield 1


def _files(pattern: str) -> list[Path]:
    return sorted(directory().rglob(pattern))


def _context(place: str) -> bytes:
    return f"crm.upload|ticket|{place}".encode()


def directory() -> Path:
    return Path(settings.MEDIA_ROOT) / "imports"


def forget_upload(job: JobRun) -> bool:
    """Delete the upload of an import that has ended; a file that somebody named on the server is not ours to delete."""
    path = Path(job.parameters.get("path", ""))
    if not path.is_relative_to(directory().resolve()):
        return False
    return delete(path)


def forget_uploads(now: datetime) -> int:
    """Delete the uploads that no import needs (any more): of ended ones, and those that nobody started in time."""
    rows = JobRun.objects.filter(kind="import", status__in=NEEDED).values_list("parameters__path", flat=True)
    needed = {Path(path) for path in rows if path}
    late = (now - KEPT_FOR).timestamp()
    found = [path for path in directory().resolve().rglob("*") if path.is_file() and path not in needed]
    return sum(delete(path) for path in found if path.stat().st_mtime < late)


def older_than(cutoff: datetime) -> list[Path]:
    """Return the uploads from before the cutoff that no import reads just now."""
    rows = JobRun.objects.filter(kind="import", status=JobRun.Status.RUNNING)
    read = {Path(path) for path in rows.values_list("parameters__path", flat=True) if path}
    found = [path for path in directory().resolve().rglob("*") if path.is_file() and path not in read]
    return sorted(path for path in found if path.stat().st_mtime < cutoff.timestamp())


def delete(path: Path) -> bool:
    """Delete an upload, and its folder; False if it was gone."""
    if not path.exists():
        return False
    path.unlink()
    folder = path.parent
    if folder != directory().resolve() and sealed_files.is_sealed(path):
        (folder / TICKET).unlink(missing_ok=True)
    if folder != directory().resolve() and not any(folder.iterdir()):
        folder.rmdir()
    return True
