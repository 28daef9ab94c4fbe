"""Files that lie sealed: read and written as a stream, a block at a time, so that none is ever in the open on the disk.

A file begins with a head (who wrapped the key, and the file's own key, wrapped by the ring); blocks follow, each sealed
with AES-256-GCM under the file's key. A block's nonce is its number and whether it is the last one (the STREAM
construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015), so a block that was changed, moved, repeated or cut off
at the end does not open.
"""

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crm.encryption.values import Tampered
from crm.keyring import KEY_BYTES, NONCE_BYTES, ring, ring_with

SUFFIX = ".sealed"
MARK = b"zhiyin-file/1\n"
KEY_ID_BYTES, TAG_BYTES = 16, 16
WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
HEAD_BYTES = len(MARK) + KEY_ID_BYTES + WRAPPED_BYTES
BLOCK = 1 << 20
CONTEXT = b"zhiyin/file-key/1"


def is_sealed(path: Path) -> bool:
    return path.suffix == SUFFIX


def kind_of(path: Path) -> str:
    """Return the ending that says what a file holds, sealed or not.

    >>> kind_of(Path("rows.CSV.sealed")), kind_of(Path("rows.parquet"))
    ('.csv', '.parquet')
    """
    return Path(path.stem if is_sealed(path) else path.name).suffix.lower()


def opened(path: Path) -> IO[bytes]:
    """Return a file for reading, its plain bytes, whether it is sealed or not.

    Raises
    ------
    crm.encryption.Tampered
        It is not what was written, or was cut off.
    crm.keyring.UnknownKey
        The ring does not have its key (any more).
    """
    file = path.open("rb")
    if not is_sealed(path):
        return file
    try:
        return plain_reader(file, _key_of(file), HEAD_BYTES)
    except BaseException:
        file.close()
        raise


def plain_reader(file: IO[bytes], key: AESGCM, begin: int = 0) -> IO[bytes]:
    """Return the plain bytes of the blocks that a file holds from ``begin`` on; closing it closes the file."""
    return cast("IO[bytes]", io.BufferedReader(_Reader(file, key, begin), BLOCK))


def size(path: Path) -> int:
    """Return how many plain bytes a file has."""
    with opened(path) as file:
        return file.seek(0, os.SEEK_END)


@contextmanager
def written(path: Path) -> Iterator["Writer"]:
    """Write a sealed file in the block; it appears whole, when the block ends, or not at all."""
    keys, key = ring(), os.urandom(KEY_BYTES)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(MARK + keys.current.encode().ljust(KEY_ID_BYTES) + keys.wrap(key, CONTEXT))
        writer = Writer(file, AESGCM(key))
        yield writer
        writer.end()
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def key_id(path: Path) -> str:
    """Return which key of the ring wrapped the file's key."""
    with path.open("rb") as file:
        return _head(file)[0]


def rewrap(path: Path) -> bool:
    """Wrap the file's key by the current key of the ring; False if it is. Whoever reads the old file goes on."""
    keys = ring()
    with path.open("rb") as file:
        known, wrapped = _head(file)
        if known == keys.current:
            return False
        key = ring_with(known).unwrap(known, wrapped, CONTEXT)
        part = path.with_name(f"{path.name}.part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
            copy.write(MARK + keys.current.encode().ljust(KEY_ID_BYTES) + keys.wrap(key, CONTEXT))
            while block := file.read(BLOCK):
                copy.write(block)
            copy.flush()
            os.fsync(copy.fileno())
        times = os.fstat(file.fileno())
    os.utime(part, ns=(times.st_atime_ns, times.st_mtime_ns))  # its age is what retention goes by
    part.rename(path)
    return True


class Writer:
    """Seals what is written, block by block."""

    def __init__(self, file: IO[bytes], key: AESGCM) -> None:
        self._file, self._key = file, key
        self._number, self._rest = 0, bytearray()

    def write(self, data: bytes) -> int:
        self._rest += data
        while len(self._rest) > BLOCK:  # the last block is written at the end, however full it is
            self._put(bytes(self._rest[:BLOCK]), last=False)
            del self._rest[:BLOCK]
        return len(data)

    def end(self) -> None:
        self._put(bytes(self._rest), last=True)
        self._rest.clear()

    def _put(self, plain: bytes, *, last: bool) -> None:
        self._file.write(self._key.encrypt(_nonce(self._number, last=last), plain, None))
        self._number += 1


class _Reader(io.RawIOBase):
    """The plain bytes of sealed blocks, from any place."""

    def __init__(self, file: IO[bytes], key: AESGCM, begin: int) -> None:
        self._file, self._key, self._begin = file, key, begin
        sealed = file.seek(0, os.SEEK_END) - begin
        self._blocks = max(1, -(-sealed // (BLOCK + TAG_BYTES)))
        self._size = sealed - self._blocks * TAG_BYTES
        if self._size < 0:
            raise Tampered(f"{getattr(file, 'name', 'The file')} was cut off.")
        self._at, self._held, self._plain = 0, -1, b""
        self._block(self._blocks - 1)  # cut off at the end of a block, it would seem whole until then

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._size:
            return 0
        number, start = divmod(self._at, BLOCK)
        piece = memoryview(self._block(number))[start : start + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _block(self, number: int) -> bytes:
        if number != self._held:
            self._file.seek(self._begin + number * (BLOCK + TAG_BYTES))
            sealed = self._file.read(BLOCK + TAG_BYTES)
            try:
                self._plain = self._key.decrypt(_nonce(number, last=number == self._blocks - 1), sealed, None)
            except (InvalidTag, ValueError):
                raise Tampered(f"Block {number} of {getattr(self._file, 'name', 'a file')} does not open.") from None
            self._held = number
        return self._plain


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">xxxQB", number, last)


def _head(file: IO[bytes]) -> tuple[str, bytes]:
    head = file.read(HEAD_BYTES)
    if len(head) < HEAD_BYTES or not head.startswith(MARK):
        raise Tampered(f"{file.name} does not begin as a sealed file.")
    named = head[len(MARK) : len(MARK) + KEY_ID_BYTES]
    return named.decode("ascii", "replace").rstrip(), head[len(MARK) + KEY_ID_BYTES :]


def _key_of(file: IO[bytes]) -> AESGCM:
    known, wrapped = _head(file)
    try:
        return AESGCM(ring_with(known).unwrap(known, wrapped, CONTEXT))
    except InvalidTag:
        raise Tampered(f"The key of {file.name} does not open.") from None
