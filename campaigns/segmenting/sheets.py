"""One column of a CSV or Excel file, line by line: text only, whatever else the file holds.

Nothing in it is worked out: of a formula's cell the value counts that was saved with it. An Excel file is unpacked a
piece at a time, and only so far.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO
from xml.parsers import expat  # no entity of a document is ever read: a document type is refused

from django.utils.translation import gettext as _

LONGEST_FIELD = 10_000
MOST_COLUMNS = 200
LARGEST_PART = 512 * 2**20  # bytes of one unpacked part
PIECE = 2**18
UNICODE_16 = (b"\xff\xfe", b"\xfe\xff")
NAMES: Mapping[str, Sequence[str]] = {
    "profile": ("profile", "#", "编号"),
    "external_id": ("external_id", "externalid", "external id", "user_id", "userid", "id", "会员号", "客户编号"),
    "phone": ("phone", "mobile", "tel", "telephone", "phone number", "手机", "手机号", "手机号码", "电话"),
    "email": ("email", "e-mail", "mail", "email address", "邮箱", "电子邮箱", "电子邮件", "邮件"),
    "openid": ("openid", "open_id"),
    "unionid": ("unionid", "union_id"),
    "external_userid": ("external_userid", "externaluserid"),
}


class NoSheet(ValueError):
    """The file cannot be read as a table; the message says why."""


def column(file: IO[bytes], suffix: str, type_: str, name: str = "") -> Iterator[str]:
    """Yield the fields of one column, one for each line of the file (``""`` where there is none).

    The column is the named one, else the one whose head means what lines are named by, else the only one.

    Raises
    ------
    NoSheet
        The file is none, or which column is meant cannot be told.
    """
    rows = _excel(file) if suffix == ".xlsx" else _csv(file)
    first = next(rows, None)
    if first is None:
        raise NoSheet(_("The file is empty."))
    place, is_head = _place(first, type_, name)
    yield "" if is_head else first[place]
    for row in rows:
        yield row[place] if place < len(row) else ""


def _place(first: Sequence[str], type_: str, name: str) -> tuple[int, bool]:
    heads = [head.strip().lower() for head in first]
    wanted = [name.strip().lower()] if name else NAMES.get(type_, (type_,))
    for place, head in enumerate(heads):
        if head in wanted:
            return place, True
    if name or len([head for head in heads if head]) > 1:
        shown = ", ".join(head[:40] for head in first[:10])
        raise NoSheet(_("Which column is meant? The first line says: %(heads)s") % {"heads": shown if name else "…"})
    return next((place for place, head in enumerate(heads) if head), 0), False


def _csv(file: IO[bytes]) -> Iterator[list[str]]:
    start = file.read(2**20)
    if start.startswith(UNICODE_16):
        raise NoSheet(_("The file is UTF-16; save it as UTF-8."))
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=_encoding(start), errors="replace", newline="")
    head = start.partition(b"\n")[0].decode("latin-1")
    reader = csv.reader((line.replace("\0", "") for line in text), delimiter=max(",;\t|", key=head.count))
    told = 0
    try:
        for row in reader:
            for _before in range(reader.line_num - told - 1):  # of a field over several lines, the last one counts
                yield []
            if max(map(len, row), default=0) > LONGEST_FIELD:  # a quote that is never closed
                raise _unreadable(told + 1, _("a field is too long"))
            yield row[:MOST_COLUMNS]
            told = reader.line_num
    except csv.Error as error:
        raise _unreadable(reader.line_num, str(error)) from error


def _unreadable(line: int, why: str) -> NoSheet:
    return NoSheet(_("Line %(line)s cannot be read: %(why)s") % {"line": line, "why": why})


def _encoding(start: bytes) -> str:
    """Return UTF-8 or, for what is none, GB18030: what spreadsheets save in China."""
    try:
        start[: start.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8-sig"


# -- Excel: a zip of XML; texts stand in a table of their own, and cells name them by number --


def _excel(file: IO[bytes]) -> Iterator[list[str]]:
    try:
        with zipfile.ZipFile(file) as parts:
            shared = list(_texts(parts)) if "xl/sharedStrings.xml" in parts.namelist() else []
            sheets = sorted(name for name in parts.namelist() if re.fullmatch(r"xl/worksheets/sheet\d+\.xml", name))
            if not sheets:
                raise NoSheet(_("The file has no sheet."))
            first = min(sheets, key=lambda name: (len(name), name))
            yield from _rows(parts, first, shared)
    except (zipfile.BadZipFile, expat.ExpatError, NotImplementedError, RuntimeError, EOFError) as error:
        raise NoSheet(_("This is no Excel file that can be read.")) from error


def _texts(parts: zipfile.ZipFile) -> Iterator[str]:
    reader = _Texts()
    for _piece in reader.over(parts, "xl/sharedStrings.xml"):
        yield from reader.taken()


def _rows(parts: zipfile.ZipFile, name: str, shared: Sequence[str]) -> Iterator[list[str]]:
    reader, line = _Cells(shared), 1
    for _piece in reader.over(parts, name):
        for number, row in reader.taken():
            for _blank in range(min(number - line, 10_000)):  # lines that are empty are not in the file
                yield []
            yield row
            line = number + 1


class _Reader:
    """Reads a part of the file a piece at a time; what was found waits in ``found``."""

    def __init__(self) -> None:
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler, self.parser.EndElementHandler = self.start, self.end
        self.parser.CharacterDataHandler, self.parser.StartDoctypeDeclHandler = self.said, self.refuse
        self.text: list[str] = []
        self.is_text = False

    def over(self, parts: zipfile.ZipFile, name: str) -> Iterator[None]:
        read = 0
        with parts.open(name) as part:
            while piece := part.read(PIECE):
                read += len(piece)
                if read > LARGEST_PART:
                    raise NoSheet(_("The file unpacks to too much."))
                self.parser.Parse(piece, False)
                yield
            self.parser.Parse(b"", True)
            yield

    def refuse(self, *_told: object) -> None:
        raise NoSheet(_("This is no Excel file that can be read."))

    def said(self, text: str) -> None:
        if self.is_text and sum(map(len, self.text[-1:])) < LONGEST_FIELD and len(self.text) < LONGEST_FIELD:
            self.text.append(text)

    def start(self, tag: str, facts: dict[str, str]) -> None: ...

    def end(self, tag: str) -> None: ...


class _Texts(_Reader):
    """The table of texts: one for each ``si``, in as many ``t`` as it has formats."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def taken(self) -> Iterable[str]:
        found, self.found = self.found, []
        return found

    def start(self, tag: str, facts: dict[str, str]) -> None:
        self.is_text = tag == "t"

    def end(self, tag: str) -> None:
        self.is_text = False
        if tag == "si":
            self.found.append("".join(self.text)[:LONGEST_FIELD])
            self.text = []


class _Cells(_Reader):
    """The rows of a sheet, each with its number."""

    def __init__(self, shared: Sequence[str]) -> None:
        super().__init__()
        self.shared, self.found = shared, list[tuple[int, list[str]]]()
        self.row: dict[int, str] = {}
        self.number, self.place, self.kind = 0, 0, ""

    def taken(self) -> Iterable[tuple[int, list[str]]]:
        found, self.found = self.found, []
        return found

    def start(self, tag: str, facts: dict[str, str]) -> None:
        self.is_text = tag in ("v", "t")
        if tag == "row":
            told = facts.get("r", "")
            self.number = int(told) if told.isdecimal() and len(told) < 9 else self.number + 1
            self.row = {}
        elif tag == "c":
            self.place, self.kind, self.text = place_of(facts.get("r", ""), self.place), facts.get("t", ""), []

    def end(self, tag: str) -> None:
        self.is_text = False
        if tag == "c" and self.place < MOST_COLUMNS:
            self.row[self.place] = self._value("".join(self.text)[:LONGEST_FIELD])
            self.place += 1
        elif tag == "row":
            self.found.append((self.number, [self.row.get(at, "") for at in range(max(self.row, default=-1) + 1)]))

    def _value(self, text: str) -> str:
        if self.kind == "s":
            return self.shared[int(text)] if text.isdecimal() and int(text) < len(self.shared) else ""
        return whole(text) if self.kind in ("", "n") else text


def place_of(name: str, otherwise: int) -> int:
    """Return the column of a cell, from 0.

    >>> place_of("A1", 0), place_of("AB12", 0), place_of("", 3)
    (0, 27, 3)
    """
    letters = re.match(r"[A-Z]{1,3}", name)
    if letters is None:
        return otherwise
    found = 0
    for letter in letters[0]:
        found = found * 26 + ord(letter) - 64
    return found - 1


def whole(text: str) -> str:
    """Return a number as people wrote it: Excel keeps a phone number as 1.3800138E10.

    >>> whole("1.3800138E10"), whole("13800138000.0"), whole("7.5"), whole("x")
    ('13800138000', '13800138000', '7.5', 'x')
    """
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else text
