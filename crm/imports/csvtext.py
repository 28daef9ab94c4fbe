"""CSV as it is found: read fast where it is regular, row by row where it is not. Loads Polars."""

import csv
from io import BytesIO

import polars as pl

LONGEST_FIELD = 2**20
EXTRA = "__more__"  # a column behind the last one: what lands in it is too much for the header

csv.field_size_limit(LONGEST_FIELD)

Unreadable = list[tuple[int, str, str]]  # line, reason, text


def header(text: str, delimiter: str) -> list[str]:
    """Return the names in a file's first line.

    >>> header('id,"when, where"\\r\\n', ",")
    ['id', 'when, where']
    """
    return [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]


def last_row_end(block: bytes, *, quoted: bool) -> int:
    """Return where the last whole row ends: at a newline that no quote surrounds (0 if there is none).

    Newlines, quotes and commas are the same single bytes in UTF-8 and in GB18030.

    >>> last_row_end(b'a\\n"b\\n', quoted=True), last_row_end(b'a\\n"b\\n', quoted=False)
    (2, 5)
    """
    end = block.rfind(b"\n")
    if quoted:
        quotes = block.count(b'"', 0, end + 1)
        while end >= 0 and quotes % 2:
            before = block.rfind(b"\n", 0, end)
            quotes -= block.count(b'"', before + 1, end + 1)
            end = before
    return end + 1


def decoded(block: bytes, encoding: str, first: int) -> tuple[str, Unreadable]:
    """Return the text of a block; lines that are not of its encoding are left blank and told."""
    try:
        return block.decode(encoding), []
    except UnicodeDecodeError:
        pass
    good, bad = [], []
    for number, line in enumerate(block.split(b"\n"), start=first):
        try:
            good.append(line.decode(encoding))
        except UnicodeDecodeError:
            good.append("")
            bad.append((number, f"is not {encoding.upper()}", line.decode(encoding, "backslashreplace")))
    return "\n".join(good), bad


def parsed(text: str, columns: list[str], delimiter: str, first: int) -> tuple[pl.DataFrame, pl.Series, Unreadable]:
    """Return the rows of some whole lines, the line of each, and the lines that are no rows."""
    rows = _fast(text, columns, delimiter)
    if rows is None:
        return _careful(text, columns, delimiter, first)
    return rows, pl.int_range(first, first + len(rows), eager=True), []


def _fast(text: str, columns: list[str], delimiter: str) -> pl.DataFrame | None:
    """Return the rows, or nothing where one line is not one row with as many fields as there are columns."""
    data = text.encode()
    newlines = data.count(b"\n") + (not data.endswith(b"\n"))
    try:
        rows = pl.read_csv(
            BytesIO(data),
            has_header=False,
            separator=delimiter,
            schema=dict.fromkeys([*columns, EXTRA], pl.String),
            truncate_ragged_lines=True,
            raise_if_empty=False,
        )
    except pl.exceptions.PolarsError:
        return None
    if len(rows) != newlines or rows[EXTRA].null_count() < len(rows):
        return None
    last = rows[columns[-1]]
    if last.null_count() and data.count(delimiter.encode()) != newlines * (len(columns) - 1):
        return None  # some row is short, or some text holds the delimiter
    return rows.drop(EXTRA)


def _careful(text: str, columns: list[str], delimiter: str, first: int) -> tuple[pl.DataFrame, pl.Series, Unreadable]:
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    rows, numbers, bad = [], [], []
    place = 0
    while place < len(lines):
        row, used = _row(lines, place, delimiter)
        if len(row) == len(columns):
            rows.append([value or None for value in row])
            numbers.append(first + place)
        elif lines[place].strip():
            # Also where a quote that is never closed has swallowed lines: only its own line is lost.
            used = 1
            reason = f"has {len(row)} fields, the first line has {len(columns)}"
            bad.append((first + place, reason, lines[place]))
        place += used
    frame = pl.DataFrame(rows, dict.fromkeys(columns, pl.String), orient="row")
    return frame, pl.Series(numbers, dtype=pl.Int64), bad


def _row(lines: list[str], place: int, delimiter: str) -> tuple[list[str], int]:
    reader = csv.reader((line + "\n" for line in lines[place : place + 1000]), delimiter=delimiter)
    try:
        row = next(reader, [])
    except csv.Error:
        return [], 1
    return row, max(1, reader.line_num)
