"""Who was erased, in a file outside the database, so that a restored backup forgets them again.

A backup brings back everybody who was erased since it was made. The journal names them by keyed hashes of their
profile's number and birth (a number alone may be given anew after a restore), and holds the keyed hashes of their
suppressed addresses: no personal data, and worthless without the key ring. It is only ever added to; each line carries
a code over itself and the line before, so a line that was changed, moved or taken out of the middle shows.

``manage.py replay_shreds`` goes through it after every restore, before anybody else may work on the database.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from hmac import digest as hmac_digest
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from crm.canonical import canonical, utc
from crm.keyring import ring

SCHEMA = "zhiyin/shred/1"
FIRST = "0" * 64  # what the first line continues


class BadJournal(RuntimeError):
    """The journal is not what was written; the message names the line."""


@dataclass(frozen=True, kw_only=True)
class Shred:
    """One line: the request that asked for it, the people, and the addresses that stay suppressed (hexadecimal)."""

    request: str
    people: tuple[str, ...]
    suppressed: tuple[str, ...]
    at: str


def person_digest(profile: int, created_at: datetime) -> str:
    """Return how the journal names a profile."""
    return hmac_digest(_key(), f"{profile}|{utc(created_at)}".encode(), "sha256")[:16].hex()


def append(request: str, people: Iterable[str], suppressed: Iterable[bytes], *, now: datetime) -> bool:
    """Write a line and wait until the disk has it; False if this request has one already.

    Two writers wait for each other. What a killed writer left of a line is cut off: it was never acknowledged, and the
    step that wanted it is repeated.
    """
    line: dict[str, Any] = {
        "schema": SCHEMA,
        "request": request,
        "people": sorted(people),
        "suppressed": sorted(key.hex() for key in suppressed),
        "at": utc(now),
    }
    with _held() as file:
        file.seek(0)
        kept = file.read()
        whole = kept[: kept.rfind(b"\n") + 1]
        if any(f'"{request}"'.encode() in one for one in whole.splitlines()):
            return False
        last = json.loads(whole.splitlines()[-1])["mac"] if whole else FIRST
        file.truncate(len(whole))
        file.seek(len(whole))
        file.write(json.dumps(line | {"mac": _mac(last, line)}, separators=(",", ":")).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def read() -> list[Shred]:
    """Return all lines, the oldest first; nothing where nobody was erased yet.

    Raises
    ------
    BadJournal
        A line was changed, moved or removed, or was written with another key ring. Lines that were cut off at the end
        do not show here: compare the number with the ledger's notes of erasures.
    """
    try:
        whole = _path().read_bytes()
    except FileNotFoundError:
        return []
    found, last = [], FIRST
    for number, text in enumerate(whole[: whole.rfind(b"\n") + 1].splitlines(), start=1):
        line, mac = _checked(text, last, number)
        found.append(
            Shred(
                request=line["request"],
                people=tuple(line["people"]),
                suppressed=tuple(line["suppressed"]),
                at=line["at"],
            )
        )
        last = mac
    return found


def matching(profiles: Iterable[tuple[int, datetime]], shreds: Sequence[Shred]) -> Iterator[tuple[int, Shred]]:
    """Yield the profiles, given with their birth, that the journal says were erased."""
    by_digest = {digest: shred for shred in shreds for digest in shred.people}
    for profile, created_at in profiles:
        if shred := by_digest.get(person_digest(profile, created_at)):
            yield profile, shred


def _checked(text: bytes, last: str, number: int) -> tuple[dict[str, Any], str]:
    try:
        line = json.loads(text)
        mac = line.pop("mac")
        good = compare_digest(mac, _mac(last, line))
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise BadJournal(
            f"Line {number} of {_path()} is not what was written there, or the key ring is another. Nothing was done."
        )
    return line, mac


def _mac(last: str, line: dict[str, Any]) -> str:
    return hmac_digest(_key(), last.encode() + canonical(line), "sha256").hex()


def _key() -> bytes:
    return hmac_digest(ring().pseudonym, b"zhiyin/shred-journal/1", "sha256")


def _path() -> Path:
    return Path(settings.SHRED_JOURNAL)


@contextmanager
def _held() -> Iterator[IO[bytes]]:
    path = _path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = not path.exists()
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if fresh:
            _sync(path.parent)
        yield file


def _sync(directory: Path) -> None:
    """Make a new file's name last: its bytes alone are not enough after a power cut."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
