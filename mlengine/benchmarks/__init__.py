"""Every estimator on any file: published protocols as code, so that a figure can be had on data nobody here has seen.

A task is a module with a docstring that names the columns a file must have, ``COLUMNS`` (the needed ones),
``ESTIMATORS`` (their names), and ``run(frame, asked)``, which yields a :class:`Line` for each estimator and metric.
What it may tune it tunes on training and validation parts; what it yields was measured on the test part. Pure: files
and frames, no Django.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, Protocol

import polars as pl

from mlengine.benchmarks.checkpoints import Checkpoints
from mlengine.specs import NotEnoughData

TASKS: Final[dict[str, str]] = {
    "churn": "mlengine.benchmarks.churn",
    "response_rate": "mlengine.benchmarks.response_rate",
    "next_item": "mlengine.benchmarks.next_item",
    "uplift": "mlengine.benchmarks.uplift",
    "value": "mlengine.benchmarks.value",
    "top_k": "mlengine.benchmarks.top_k",
    "social": "mlengine.benchmarks.social",
}


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

    def unless_refused(self, estimator: str, lines: Iterator[Line]) -> Iterator[Line]:
        """Yield an estimator's lines, or tell why it has none (too few rows, a training that diverged)."""
        try:
            yield from lines
        except (NotEnoughData, ArithmeticError) as error:
            if self.refused is None:
                raise
            self.refused(estimator, error)


class BadFile(ValueError):
    """A file cannot be measured on; the message says what is missing or wrong."""


class BenchmarkTask(Protocol):
    """What a module of this package is."""

    COLUMNS: Sequence[str]
    ESTIMATORS: Sequence[str]

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
        raise BadFile(f"The file has no column {', '.join(missing)}; it has {', '.join(frame.columns) or 'none'}.")
    if frame.is_empty():
        raise BadFile("The file has no rows.")
