"""A ZIP whose bytes follow from names, contents and order alone: stored, with fixed times, and written at once.

Files are collected beside the target first, because the manifest stands at the beginning and names the hash of each: so
a reader knows what to expect before it reads on. The container's bytes come from ``crm.verify``, which checks them.
"""

import os
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from tempfile import mkdtemp
from typing import Any, BinaryIO

from cryptography.hazmat.primitives.hashes import SM3, Hash

from crm.verify import directory_end, directory_entry, local_header

BLOCK = 1 << 20


@dataclass(kw_only=True)
class Part:
    """One file on its way into the archive, hashed as it is written."""

    name: str
    file: BinaryIO
    rows: int | None = None
    size: int = 0
    crc: int = 0
    sha256: Any = field(default_factory=sha256)
    sm3: Hash = field(default_factory=lambda: Hash(SM3()))

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.size += len(data)
        self.crc = zlib.crc32(data, self.crc)
        self.sha256.update(data)
        self.sm3.update(data)

    def entry(self) -> dict[str, object]:
        """Return what the manifest says of it; once, at the end."""
        hashes = {"sha256": self.sha256.hexdigest(), "sm3": self.sm3.finalize().hex()}
        return {"name": self.name, "size": self.size, "rows": self.rows, **hashes}


class Archive:
    """Collects files in a folder that nobody else may read, and writes the ZIP when all are there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.parts: dict[str, Part] = {}

    def part(self, name: str) -> Part:
        """Begin a file; files stand in the archive in the order in which they are begun."""
        if name in self.parts or not name.isascii():
            raise ValueError(f"{name!r} is in the archive already, or is no name for it.")
        made = self.parts[name] = Part(name=name, file=(self.folder / f"{len(self.parts)}").open("w+b"))
        return made

    def add(self, name: str, data: bytes, rows: int | None = None) -> None:
        part = self.part(name)
        part.write(data)
        part.rows = rows

    def entries(self) -> list[dict[str, object]]:
        return [part.entry() for part in self.parts.values()]

    def write(self, out: BinaryIO, first: dict[str, bytes]) -> None:
        """Write the ZIP: ``first`` stands before all other files, which are removed as they are copied."""
        entries, offset = bytearray(), 0
        for name, data in first.items():
            header = local_header(name, zlib.crc32(data), len(data))
            out.write(header + data)
            entries += directory_entry(name, zlib.crc32(data), len(data), offset)
            offset += len(header) + len(data)
        for number, part in enumerate(self.parts.values()):
            header = local_header(part.name, part.crc, part.size)
            out.write(header)
            part.file.seek(0)
            shutil.copyfileobj(part.file, out, BLOCK)
            part.file.close()
            (self.folder / f"{number}").unlink()
            entries += directory_entry(part.name, part.crc, part.size, offset)
            offset += len(header) + part.size
        out.write(entries + directory_end(len(first) + len(self.parts), len(entries), offset))

    def close(self) -> None:
        for part in self.parts.values():
            part.file.close()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def archive(beside: Path) -> Iterator[Archive]:
    """Open an archive whose parts lie beside the target, on the same disk, and go away whatever happens."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    made = Archive(Path(mkdtemp(prefix=f".{beside.name}.", dir=beside.parent)))
    try:
        yield made
    finally:
        made.close()


@contextmanager
def whole_or_not_at_all(path: Path) -> Iterator[BinaryIO]:
    """Open a private file that takes the place of ``path`` when the block ends well."""
    aside = path.with_name(f".{path.name}.{token_hex(4)}.part")
    descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
