"""Files of rows, read piece by piece: each piece says where the next one begins. Loads Polars."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import orjson
import polars as pl

from crm import sealed_files
from crm.imports import csvtext

BLOCK = 12 * 2**20
LONGEST_ROW = 64 * 2**20
PARQUET_ROWS = 100_000
SAMPLE = 2**20


class UnreadableFile(ValueError):
    """The file as a whole cannot be read; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Some rows of a file as texts, the line of each, those that could not be read, and where the next piece begins."""

    rows: pl.DataFrame
    lines: pl.Series
    unreadable: list[tuple[int, str, str]] = field(default_factory=list)  # line, reason, text
    then: dict[str, int]


class RowFile(Protocol):
    """A file that can be read from any place that one of its pieces named."""

    columns: list[str]

    def pieces(self, start: dict[str, int]) -> Iterator[Piece]: ...

    def count(self) -> int:
        """Return about how many rows it has."""
        ...


def open_rows(path: Path, *, encoding: str = "") -> RowFile:
    """Return the file by its name's ending: ``.csv``, ``.tsv``, ``.txt``, ``.jsonl``, ``.ndjson``, ``.parquet``.

    Raises
    ------
    UnreadableFile
        It is empty, of another kind, or not what its name says.
    """
    kinds: dict[str, type[CsvFile | JsonlFile]] = {
        ".csv": CsvFile,
        ".tsv": CsvFile,
        ".txt": CsvFile,
        ".jsonl": JsonlFile,
        ".ndjson": JsonlFile,
    }
    suffix = sealed_files.kind_of(path)
    if not path.exists() or sealed_files.size(path) == 0:
        raise UnreadableFile(f"{path.name} is empty or not there.")
    if suffix == ".parquet":
        return ParquetFile(path)
    if suffix not in kinds:
        raise UnreadableFile(f"{path.name}: send CSV, JSONL or Parquet.")
    return kinds[suffix](path, encoding or encoding_of(path))


def encoding_of(path: Path) -> str:
    """Return UTF-8 (with or without mark), or GB18030 where the file's beginning is not UTF-8."""
    with sealed_files.opened(path) as file:
        sample = file.read(SAMPLE)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UnreadableFile(f"{path.name} is UTF-16; save it as UTF-8.")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


class _LineFile:
    def __init__(self, path: Path, encoding: str) -> None:
        self.path, self.encoding = path, encoding
        with sealed_files.opened(path) as file:
            mark = file.read(3) == codecs.BOM_UTF8
        self.begin = 3 if mark else 0

    def count(self) -> int:
        with sealed_files.opened(self.path) as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(BLOCK), b""))

    def blocks(self, start: dict[str, int], quoted: bool) -> Iterator[tuple[bytes, int, dict[str, int]]]:
        """Yield whole lines, the first one's number, and where the next block begins."""
        offset, line = start["byte"], start["line"]
        with sealed_files.opened(self.path) as file:
            file.seek(offset)
            rest = b""
            while fresh := file.read(BLOCK):
                rest += fresh
                cut = csvtext.last_row_end(rest, quoted=quoted)
                if cut == 0 and len(rest) > LONGEST_ROW:  # a quote that is never closed: then it is no quote
                    cut = csvtext.last_row_end(rest, quoted=False) or len(rest)
                block, rest = rest[:cut], rest[cut:]
                if block:
                    offset, line, first = offset + cut, line + block.count(b"\n"), line
                    yield block, first, {"byte": offset, "line": line}
            if rest:
                yield rest, line, {"byte": offset + len(rest), "line": line + 1}


class CsvFile(_LineFile):
    """Comma, semicolon or tab separated texts, the names of the columns in the first line."""

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__(path, encoding)
        with sealed_files.opened(path) as file:
            file.seek(self.begin)
            head = file.readline(SAMPLE)
        self.after_head = self.begin + len(head)
        try:
            text = head.decode(encoding)
        except (UnicodeDecodeError, LookupError) as error:
            raise UnreadableFile(f"{path.name}: its first line is not {encoding}.") from error
        self.delimiter = max(",;\t|", key=text.count)
        self.columns = csvtext.header(text, self.delimiter)
        if len(set(self.columns)) < len(self.columns) or not all(self.columns):
            raise UnreadableFile(f"{path.name}: each column needs a name of its own in the first line.")

    def pieces(self, start: dict[str, int]) -> Iterator[Piece]:
        for block, first, then in self.blocks(start or {"byte": self.after_head, "line": 2}, quoted=True):
            text, unreadable = csvtext.decoded(block, self.encoding, first)
            rows, lines, more = csvtext.parsed(text, self.columns, self.delimiter, first)
            yield Piece(rows=rows, lines=lines, unreadable=unreadable + more, then=then)


class JsonlFile(_LineFile):
    """One JSON object a line."""

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__(path, encoding)
        with sealed_files.opened(path) as file:
            file.seek(self.begin)
            sample = file.read(SAMPLE).split(b"\n")[:1000]
        self.columns = list(dict.fromkeys(name for line in sample for name in _keys(line, encoding)))
        if not self.columns:
            raise UnreadableFile(f"{path.name}: its first lines are no JSON objects.")

    def pieces(self, start: dict[str, int]) -> Iterator[Piece]:
        for block, first, then in self.blocks(start or {"byte": self.begin, "line": 1}, quoted=False):
            text, unreadable = csvtext.decoded(block, self.encoding, first)
            objects, lines = [], []
            for number, line in enumerate(text.split("\n"), start=first):
                if not line.strip():
                    continue
                try:
                    objects.append(_object(line))
                    lines.append(number)
                except ValueError as error:
                    unreadable.append((number, f"is not a JSON object: {error}"[:300], line))
            # Keys that come up later in the file are kept with the others: nothing of a row gets lost.
            names = list(dict.fromkeys([*self.columns, *(name for found in objects for name in found)]))
            data = {name: [_text(found.get(name)) for found in objects] for name in names}
            rows = pl.DataFrame(data, dict.fromkeys(names, pl.String))
            yield Piece(rows=rows, lines=pl.Series(lines, dtype=pl.Int64), unreadable=unreadable, then=then)


class ParquetFile:
    """A table of typed columns; its values are read as texts, its rows counted from 1."""

    def __init__(self, path: Path) -> None:
        try:
            # A sealed one is opened in memory: its reader goes to and fro, and nothing may lie on the disk in the open.
            self.scan = pl.scan_parquet(_in_memory(path) if sealed_files.is_sealed(path) else path)
            self.columns = self.scan.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise UnreadableFile(f"{path.name} is not Parquet: {error}"[:300]) from error

    def count(self) -> int:
        return int(self.scan.select(pl.len()).collect().item())

    def pieces(self, start: dict[str, int]) -> Iterator[Piece]:
        place, whole = start.get("row", 0), self.count()
        while place < whole:
            rows = self.scan.slice(place, PARQUET_ROWS).collect()
            lines = pl.int_range(place + 1, place + 1 + len(rows), eager=True)
            place += len(rows)
            texts = rows.select(_as_text(name, dtype) for name, dtype in rows.schema.items())
            yield Piece(rows=texts, lines=lines, then={"row": place})


def _in_memory(path: Path) -> BytesIO:
    with sealed_files.opened(path) as file:
        return BytesIO(file.read())


def _as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        wall = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
        return wall.dt.strftime("%Y-%m-%dT%H:%M:%S%.6f" + ("+00:00" if dtype.time_zone else ""))
    if isinstance(dtype, pl.List | pl.Struct | pl.Array):
        return pl.struct(column).struct.json_encode().str.slice(len(name) + 4).str.head(-1).alias(name)
    if isinstance(dtype, pl.Binary):
        return column.bin.encode("hex")
    return column.cast(pl.String)


def _keys(line: bytes, encoding: str) -> list[str]:
    try:
        return list(_object(line.decode(encoding)))
    except ValueError:
        return []


def _object(line: str) -> dict[str, Any]:
    found = orjson.loads(line)
    if not isinstance(found, dict):
        raise ValueError("it is another value")  # noqa: TRY004 (one kind of error for all that a line can be)
    return found


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
