"""Every estimator on any file: published protocols as code, so that a figure can be had on data nobody here has seen.

A task is a module with a docstring that names the columns a file must have, ``COLUMNS`` (the needed ones),
``ESTIMATORS`` and ``OPTIONS`` (their names), and ``run(frame, asked)``, which yields a :class:`Line` for each estimator
and metric. What it may tune it tunes on training and validation parts; what it yields was measured on the test part.
Pure: files and frames, no Django.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, Protocol

import polars as pl

from mlengine.benchmarks.checkpoints import Checkpoints

TASKS: Final[dict[str, str]] = {
    "churn": "mlengine.benchmarks.churn",
    "response_rate": "mlengine.benchmarks.response_rate",
    "next_item": "mlengine.benchmarks.next_item",
    "uplift": "mlengine.benchmarks.uplift",
    "value": "mlengine.benchmarks.value",
    "top_k": "mlengine.benchmarks.top_k",
    "social": "mlengine.benchmarks.social",
}
_LONGEST: Final = 240  # characters of what a library or a file says, in one of our lines


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure: of which estimator, by which metric and protocol, and what it took.

    Attributes
    ----------
    task, estimator, metric : str
        Which of ``TASKS``, who answered, and by what it was judged.
    value : float
        The mean over the seeds or splits.
    low, high : float or None
        The ends of its 95 % interval, over people (bootstrap) or over splits, as ``protocol`` says.
    protocol : str
        How the data were cut and what was ranked, in a sentence.
    seeds : tuple of int
        Those it is the mean of; empty where nothing is drawn.
    seconds : float
        To learn and to answer, all seeds together; in a run that was interrupted, of all its parts.
    is_baseline : bool
        Whether it stands here to be beaten.
    """

    task: str
    estimator: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    higher_is_better: bool = True
    protocol: str
    seeds: tuple[int, ...] = ()
    seconds: float
    is_baseline: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What of a task is wanted: which estimators (all by default), which seeds, and the task's own options as text.

    ``refused`` is told of an estimator that cannot learn from the file, and the others go on; without it, that is an
    error.
    """

    checkpoints: Checkpoints
    estimators: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    refused: Callable[[str, Exception], None] | None = None

    def wants(self, estimator: str) -> bool:
        return not self.estimators or estimator in self.estimators

    def whole(self, option: str, default: int, *, least: int = 1, most: int = 1_000_000_000) -> int:
        """Return an option that counts something."""
        return int(self._told(option, int, default, least, most))

    def share(self, option: str, default: float) -> float:
        """Return an option from 0 to below 1."""
        return self._told(option, float, default, 0.0, 1.0 - 1e-9)

    def _told(self, option: str, kind: Callable[[str], float], default: float, least: float, most: float) -> float:
        if option not in self.options:
            return default
        text = self.options[option]
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            what = "a whole number" if kind is int else "a number"
            raise BadFile(f"{option}={text} is not {what} from {least:g} to {most:g}.")
        return number

    def unless_refused(self, estimator: str, lines: Iterator[Line]) -> Iterator[Line]:
        """Yield an estimator's lines, or tell why it has none (too few rows, one class, a training that diverged).

        What is wrong with the file or with an option is no estimator's matter and stays an error.
        """
        try:
            yield from lines
        except BadFile:
            raise
        except (ValueError, ArithmeticError, pl.exceptions.PolarsError) as error:
            if self.refused is None:
                raise
            self.refused(estimator, error)


class BadFile(ValueError):
    """A file cannot be measured on, or not as the options say; the message says what is missing or wrong."""


class BenchmarkTask(Protocol):
    """What a module of this package is."""

    COLUMNS: Sequence[str]
    ESTIMATORS: Sequence[str]
    OPTIONS: Sequence[str]

    def run(self, frame: pl.DataFrame, asked: Asked) -> Iterator[Line]: ...


def as_json(row: Mapping[str, object]) -> str:
    """Return a row as a line of JSON, which knows no NaN: what is no number is null."""
    plain = {name: None if isinstance(one, float) and not math.isfinite(one) else one for name, one in row.items()}
    return json.dumps(plain, allow_nan=False)


def task(name: str) -> BenchmarkTask:
    """Return the module of a task.

    Raises
    ------
    KeyError
        There is no such task.
    """
    found: BenchmarkTask = import_module(TASKS[name])
    return found


def check_columns(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a frame without rows, or without one of the columns."""
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise BadFile(f"The file has no column {', '.join(missing)}; it has {_named(frame.columns) or 'none'}.")
    if frame.is_empty():
        raise BadFile("The file has no rows.")


def said(error: BaseException) -> str:
    """Return an error's first line, as libraries add advice to those who call them, and cut it where it has no end.

    >>> said(ValueError("no such column\\n\\nResolved plan until failure: …"))
    'no such column'
    """
    first = next(iter(str(error).splitlines()), "") or type(error).__name__
    return first if len(first) <= _LONGEST else first[:_LONGEST] + "…"


def check_filled(frame: pl.DataFrame, columns: Sequence[str]) -> None:
    """Refuse a frame with rows that say nothing in one of the columns; what is no number says nothing either."""
    gaps = [name for name in columns if frame[name].null_count() or _not_numbers(frame[name])]
    if gaps:
        raise BadFile(f"The file has rows without {', '.join(gaps)}.")


def as_words(values: pl.Series) -> pl.Series:
    """Return a column as text; refuse one of lists, of bytes, or of anything else that is no word and no number."""
    kind = values.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Duration, pl.Object):
        raise BadFile(f"The column {values.name} must be words or numbers, and is {kind}.")
    return values.cast(pl.String)


def _named(columns: Sequence[str]) -> str:
    named = ", ".join("".join(char if char.isprintable() else "?" for char in name) for name in columns)
    return named if len(named) <= _LONGEST else named[:_LONGEST] + "…"


def _not_numbers(values: pl.Series) -> bool:
    return values.dtype.is_float() and bool(values.is_nan().any())
