"""Texts of a file, checked and turned into values, a whole column at a time. Loads Polars."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from crm.checks import LIVE_FUTURE, MOST_MONEY, NOBODY
from crm.imports.mapping import Mapping
from crm.normal import normal

EARLIEST = datetime(1970, 1, 1)
WALL = "%Y-%m-%d %H:%M:%S%.f"
FORMATS = (
    *(WALL, "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d", "%Y%m%d"),
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d", "%Y年%m月%d日"),
)
ZONED = ("%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z")


@dataclass
class Table:
    """The rows of a piece while they are checked: what each mapped column says, and what is wrong with which row."""

    rows: pl.DataFrame
    mapping: Mapping
    wrong: list[tuple[pl.Series, str, str]] = field(default_factory=list)  # which rows, column of the file, reason

    def text(self, target: str, most: int) -> pl.Series:
        """Return a column's texts, trimmed, null where empty; longer ones than ``most`` are wrong."""
        found = self.raw(target)
        if found.null_count() < len(found):
            found = found.str.strip_chars()
            found = found.set(found == "", None) if (found == "").any() else found
            self.refuse(found.str.len_chars() > most, target, f"is longer than {most} characters")
        return found.alias(target)

    def raw(self, target: str) -> pl.Series:
        """Return a column as the file has it; the same text in all rows, or null, where it has none."""
        name = self.mapping.columns.get(target)
        if name is not None and name in self.rows.columns:
            return self.rows[name]
        constant = self.mapping.constants.get(target)
        return pl.repeat(constant, len(self.rows), dtype=pl.String, eager=True)

    def number(self, target: str, places: int) -> pl.Series:
        """Return a column's numbers, from nothing to a thousand millions."""
        texts = self.text(target, 64)
        found = texts.cast(pl.Float64, strict=False)
        self.refuse(found.is_null() & texts.is_not_null(), target, "is not a number")
        self.refuse(~found.is_finite() | (found.abs() > float(MOST_MONEY)), target, f"is not below {MOST_MONEY}")
        self.refuse(found < 0, target, "must not be negative")
        fine = found.is_finite() & found.is_between(0, float(MOST_MONEY))
        return found.set(~fine, None).round(places).cast(pl.Decimal(14, places)).alias(target)

    def moment(self, target: str, now: datetime) -> pl.Series:
        """Return a column's moments in UTC, without zone; wall clock times are of the mapping's zone."""
        texts = self.text(target, 64)
        found = _moments(texts, self.mapping.time_zone)
        self.refuse(found.is_null() & texts.is_not_null(), target, "is not a time")
        self.refuse(found < EARLIEST, target, f"is before {EARLIEST.year}")
        self.refuse(found > now.replace(tzinfo=None) + LIVE_FUTURE, target, "lies in the future")
        return found.alias(target)

    def identifier(self, target: str) -> pl.Series:
        """Return a column's ids of people."""
        found = self.text(target, 255)
        if target in ("email", "phone"):
            spelled = found.unique().drop_nulls()
            found = found.replace(spelled, [normal(target, one) for one in spelled])
        self.refuse(found.str.to_lowercase().is_in(list(NOBODY)), target, "is nobody's id")
        return found.alias(target)

    def require(self, values: pl.Series, target: str) -> pl.Series:
        """Refuse the rows that lack a value."""
        refused = self.rows_refused(target)
        self.refuse(values.is_null() & ~refused, target, "is missing")
        return values

    def rows_refused(self, target: str) -> pl.Series:
        """Return which rows are wrong in this column already."""
        found = pl.repeat(False, len(self.rows), dtype=pl.Boolean, eager=True)
        name = self.mapping.columns.get(target, target)
        for which, column, _ in self.wrong:
            found = found | which if column == name else found
        return found

    def refuse(self, which: pl.Series, target: str, reason: str) -> None:
        """Note what is wrong with some rows."""
        which = which.fill_null(value=False)
        if which.any():
            self.wrong.append((which, self.mapping.columns.get(target, target), reason))

    def rest(self) -> pl.DataFrame:
        """Return the columns that the mapping does not name."""
        used = set(self.mapping.columns.values()) if self.mapping.keep_rest else set(self.rows.columns)
        return self.rows.select(name for name in self.rows.columns if name not in used)

    def refuse_nul(self) -> None:
        """Refuse the rows that hold a NUL, which PostgreSQL cannot store; few files have one at all."""
        for name in self.rows.columns:
            which = self.rows[name].str.contains("\x00", literal=True).fill_null(value=False)
            if which.any():
                self.wrong.append((which, name, "has a NUL character"))

    def verdict(self) -> tuple[pl.Series, list[tuple[int, str, str]]]:
        """Return which rows are good, and (row, column, reason) of the others: the first thing that is wrong."""
        good = pl.repeat(True, len(self.rows), dtype=pl.Boolean, eager=True)
        found: list[tuple[int, str, str]] = []
        for which, column, reason in self.wrong:
            found += [(row, column, reason) for row in (which & good).arg_true()]
            good = good & ~which
        return good, sorted(found)


def _moments(texts: pl.Series, zone: str) -> pl.Series:
    """Return moments of texts in the formats we know, the one of the first text tried first."""
    found = pl.repeat(None, len(texts), dtype=pl.Datetime("us"), eager=True)
    first = texts.drop_nulls().head(1)
    formats: list[str] = [*FORMATS, *ZONED]
    formats.sort(key=lambda format_: not _matches(first, format_))
    for format_ in formats:
        left = found.is_null() & texts.is_not_null()
        if not left.any():
            break
        part = texts if left.all() else texts.set(~left, None)
        found = found.zip_with(~left, _parsed(part, format_, zone)) if not left.all() else _parsed(part, format_, zone)
    return found


def _matches(first: pl.Series, format_: str) -> bool:
    return len(first) == 1 and _parsed(first, format_, "UTC").null_count() == 0


def _parsed(texts: pl.Series, format_: str, zone: str) -> pl.Series:
    if format_ in ZONED:
        exact = texts.str.replace("(?i)z$", "+00:00").str.to_datetime(format_, time_unit="us", strict=False)
        return exact.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    wall = texts.str.to_datetime(format_, time_unit="us", strict=False)
    return utc(wall, zone)


def utc(wall: pl.Series, zone: str) -> pl.Series:
    """Return wall clock times of a zone in UTC, without zone."""
    if zone == "UTC":
        return wall
    options: dict[str, Any] = {"ambiguous": "earliest", "non_existent": "null"}
    zoned = wall.dt.replace_time_zone(zone, **options)
    if zoned.null_count() > wall.null_count():
        # In the hour that a change to summer time leaves out, the clock was in fact one hour further.
        zoned = zoned.fill_null(wall.dt.offset_by("1h").dt.replace_time_zone(zone, **options))
    return zoned.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
