"""Tables of any columns as numbers: what kind each column is, is learned once; what was never seen later is unknown.

A column of numbers (also those written as text) stays one; everything else is a category, of which the rare ones are
one. Infinities count as unknown. A column that says nothing (one value throughout) is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

MOST_CATEGORIES: Final = 200
LEAST_OF_A_CATEGORY: Final = 5
NUMBERS: Final = 0.98  # a text column of which this share can be read as numbers is one of numbers
RARE: Final = 0.0  # the code of categories seen too seldom to have one; null has none


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """From a frame to float64 of shape (n, len(names)): numbers as they are, categories as codes, nan where unknown.

    Attributes
    ----------
    names : tuple of str
        The columns kept, in this order.
    categories : mapping of str to mapping of str to int
        For each column that is a category, the code of each value, from 1.
    """

    names: tuple[str, ...]
    categories: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @classmethod
    def fit(cls, frame: nw.DataFrame[Any]) -> Self:
        names, categories = [], {}
        for name in frame.columns:
            numbers = as_numbers(frame[name])
            if numbers is None:
                codes = _codes_of(as_text(frame[name]))
                if codes is None:
                    continue
                categories[name] = codes
            elif len(np.unique(numbers)) < 2:  # nan counts as one value
                continue
            names.append(name)
        return cls(names=tuple(names), categories=categories)

    @property
    def categorical(self) -> tuple[int, ...]:
        return tuple(n for n, name in enumerate(self.names) if name in self.categories)

    def __call__(self, frame: nw.DataFrame[Any]) -> Array:
        """Return the numbers; a category never seen counts as a rare one, a column that is missing as unknown."""
        made = np.full((len(frame), len(self.names)), np.nan)
        for n, name in enumerate(self.names):
            if name not in frame.columns:
                continue
            if name in self.categories:
                codes, text = self.categories[name], as_text(frame[name])
                made[:, n] = [np.nan if value is None else codes.get(value, RARE) for value in text]
            else:
                made[:, n] = _parsed(frame[name])
        return made

    def as_json(self) -> dict[str, Any]:
        return {"names": self.names, "categories": self.categories}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        return cls(names=tuple(told["names"]), categories=told["categories"])


def as_text(column: nw.Series[Any]) -> list[str | None]:
    """Return values as stripped text, ``None`` for nulls and blanks."""
    return [None if value is None else (str(value).strip() or None) for value in column.to_list()]


def as_numbers(column: nw.Series[Any]) -> Array | None:
    """Return the column as float64 with nan for what is unknown; ``None`` if it is not one of numbers.

    Examples
    --------
    >>> import polars as pl
    >>> as_numbers(nw.from_native(pl.Series(["1", " 2.5", "", "3"]), series_only=True))
    array([1. , 2.5, nan, 3. ])
    >>> as_numbers(nw.from_native(pl.Series(["1", "two"]), series_only=True)) is None
    True
    """
    if column.dtype.is_numeric() or column.dtype == nw.Boolean or column.dtype.is_temporal():
        return _parsed(column)
    stated = sum(value is not None for value in as_text(column))
    found = _parsed(column)
    readable = int(np.isfinite(found).sum())
    return found if readable and readable >= NUMBERS * stated else None


def _parsed(column: nw.Series[Any]) -> Array:
    if column.dtype.is_temporal():
        moment = column.dtype in (nw.Date, nw.Datetime)
        column = (column.cast(nw.Datetime("us")) if moment else column).cast(nw.Int64)
    elif not column.dtype.is_numeric() and column.dtype != nw.Boolean:
        return _finite(np.array([_number(value) for value in as_text(column)], dtype=np.float64))
    return _finite(np.asarray(column.cast(nw.Float64).to_numpy(), dtype=np.float64))


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else np.nan
    except ValueError:
        return np.nan


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


def _codes_of(text: list[str | None]) -> dict[str, int] | None:
    """Return a code for each value seen often enough, the most frequent first; ``None`` if that tells nobody apart."""
    values, counts = np.unique([value for value in text if value is not None], return_counts=True)
    least = min(LEAST_OF_A_CATEGORY, max(1, len(text) // 50))
    often = [n for n in np.argsort(-counts, kind="stable")[:MOST_CATEGORIES] if counts[n] >= least]
    codes = {str(values[n]): code for code, n in enumerate(often, start=1)}
    groups = len(codes) + (counts.sum() > counts[often].sum()) + (counts.sum() < len(text))
    return codes if codes and groups > 1 else None
