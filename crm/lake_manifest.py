"""What the event lake consists of: the manifest beside its files, which of them count, and that they are whole."""

import json
import os
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

GRACE = timedelta(hours=6)  # a training that began before a compaction may still read the files it replaced
NOTHING_SEEN = "1:1:"  # the snapshot of an empty database


class LakeError(RuntimeError):
    """The lake cannot be written or read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class LakeFile:
    """One Parquet file: which month (UTC) it belongs to, and what proves that it is whole."""

    path: str
    month: str
    rows: int
    latest: str  # the last wall clock time in it
    sha256: str
    latest_by_kind: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Which files make up the lake, and up to which snapshot of which database."""

    cluster: str
    zone: str
    key: str
    snapshot: str = NOTHING_SEEN
    exported_at: str = ""
    files: tuple[LakeFile, ...] = ()
    retired: dict[str, str] = field(default_factory=dict)  # path: since when

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    def continues(self, other: "Manifest") -> bool:
        """Return whether the files of ``other`` can be added to: same database, same zone, same hashes."""
        return (self.cluster, self.zone, self.key) == (other.cluster, other.zone, other.key)


def root() -> Path:
    """Return the directory of the lake; only file systems are supported (rename must be atomic)."""
    url = urlsplit(settings.EVENT_LAKE_URL)
    if url.scheme not in {"", "file"}:
        raise LakeError(f"EVENT_LAKE_URL {settings.EVENT_LAKE_URL!r} is not a path or file:// address.")
    return Path(url.path)


def manifest() -> Manifest | None:
    """Return what the lake consists of, or None where nothing was exported yet."""
    try:
        read = json.loads((root() / "manifest.json").read_text())
    except FileNotFoundError:
        return None
    files = tuple(LakeFile(**file) for file in read.pop("files"))
    return Manifest(**read, files=files)


def paths() -> list[Path]:
    """Return the files to read; a file that is gone is an error, never silently less data."""
    known = manifest()
    found = [root() / file.path for file in known.files] if known else []
    missing = [str(path) for path in found if not path.exists()]
    if missing:
        raise LakeError(f"The lake lacks {', '.join(missing)}; remove {root() / 'manifest.json'} to export anew.")
    return found


def verify() -> list[str]:
    """Return the paths of files whose bytes are not those of the manifest; empty when all is well."""
    known = manifest()
    return [file.path for file in known.files if digest(root() / file.path) != file.sha256] if known else []


def publish(made: Manifest) -> None:
    """Make these files the lake, at once."""
    part = directory() / "manifest.json.part"
    part.write_text(json.dumps(asdict(made), indent=1))
    settle(part, root() / "manifest.json")


def settle(part: Path, path: Path) -> None:
    """Give a finished file its name, so that it is there whole or not at all."""
    with part.open("rb") as written:
        os.fsync(written.fileno())
    part.rename(path)


def sweep(known: Manifest | None, now: datetime, grace: timedelta = GRACE) -> None:
    """Delete what no manifest names (left by a killed export) and what was retired long enough ago."""
    if known:
        due = {path for path, since in known.retired.items() if datetime.fromisoformat(since) + grace <= now}
        named = ({file.path for file in known.files} | set(known.retired)) - due
        for path in due:
            del known.retired[path]
    else:
        named = set()
    for found in directory().iterdir():
        if str(found.relative_to(root())) not in named:
            found.unlink()


def directory() -> Path:
    made = root() / "events"
    made.mkdir(parents=True, exist_ok=True)
    return made


def digest(path: Path) -> str:
    with path.open("rb") as read:
        return file_digest(read, "sha256").hexdigest()
