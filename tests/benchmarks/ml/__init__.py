"""``make bench-ml``: every estimator beside published numbers, on their protocols, in the same run as yardsticks.

Each module of ``TOPICS`` has ``LINES``: names of lines of the table, and what measures one. A line runs alone, in a
process of its own, takes at most an hour, and goes on where it was interrupted.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from inspect import getfile
from pathlib import Path
from shutil import rmtree
from typing import Any

import polars as pl
from django.conf import settings

from mlengine.benchmarks import Asked, task
from mlengine.benchmarks.checkpoints import Checkpoints

TOPICS: tuple[str, ...] = (
    *("labelled", "next_item", "money", "treatments", "top_k", "speed_of_recommenders", "million"),
)
DATA = Path(__file__).parents[4] / "shared" / "data"

Row = dict[str, Any]
Measurement = Callable[[], Iterator[Row]]


@dataclass(frozen=True, kw_only=True)
class Published:
    """A set of data with published numbers: what is run on it, and what is asked of whom.

    Attributes
    ----------
    name : str
        Of the line.
    task : str
        A key of ``mlengine.benchmarks.TASKS``.
    frame : callable
        Makes the table with the task's columns from the published files.
    estimator : str
        The one that is held to the numbers; the others stand beside it.
    must, aim, published : mapping of str to float
        By metric.
    yardsticks : callable or None
        Measures others' code on the same data now: metric to value.
    """

    name: str
    task: str
    frame: Callable[[], pl.DataFrame]
    estimator: str
    must: Mapping[str, float]
    aim: Mapping[str, float] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    yardsticks: Callable[[pl.DataFrame], Mapping[str, float]] | None = None
    seeds: tuple[int, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    def __call__(self) -> Iterator[Row]:
        """Yield a row for each estimator and metric; ``must`` stands with the estimator that is held to it."""
        file = self._file()
        checkpoints = self._checkpoints()
        asked = Asked(checkpoints=checkpoints, seeds=self.seeds, options=self.options, refused=say)
        frame = pl.read_parquet(file)
        beside = self.yardsticks
        yardsticks = checkpoints.once("yardsticks", lambda: dict(beside(frame))) if beside else {}
        for line in task(self.task).run(frame, asked):
            held = line.estimator == self.estimator
            told = asdict(line) | {"task": self.name, "ours": line.value}
            told.pop("value")
            wanted = {"must": self.must, "aim": self.aim, "published": self.published, "yardstick": yardsticks}
            yield (
                told
                | {name: by.get(line.metric) if held else None for name, by in wanted.items()}
                | {"peak_mib": checkpoints.peak_mib()}
            )

    def forget(self) -> None:
        """Throw away the table and what was found on it."""
        rmtree(self._checkpoints().directory, ignore_errors=True)
        self._file().unlink()

    def _checkpoints(self) -> Checkpoints:
        return Checkpoints.of(self._file(), self.task, Path(settings.VAR_DIR) / "bench" / "parts")

    def _file(self) -> Path:
        made_by = sha256(Path(getfile(self.frame)).read_bytes()).hexdigest()[:12]  # other code makes another table
        name = f"{self.name.replace(' ', '-').replace('/', '-')}-{made_by}.parquet"
        file = Path(settings.VAR_DIR) / "bench" / "data" / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            aside = file.with_suffix(".aside")
            self.frame().write_parquet(aside)
            aside.rename(file)
        return file


def lines() -> dict[str, Measurement]:
    """Return all lines of all topics, by name."""
    from importlib import import_module

    found: dict[str, Measurement] = {}
    for topic in TOPICS:
        found |= import_module(f"tests.benchmarks.ml.{topic}").LINES
    return found


def published(*sets: Published) -> dict[str, Measurement]:
    """Return sets as lines."""
    return {each.name: each for each in sets}


def say(*words: object) -> None:
    """Tell how a long measurement goes."""
    print(*words, file=sys.stderr, flush=True)
