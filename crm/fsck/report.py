"""What a check of the ledger found."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import models

CHUNK = 2000

Row = TypeVar("Row")


@dataclass(frozen=True)
class Problem:
    """Something that is not as it was signed."""

    table: str
    row: str
    reason: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.reason}"


@dataclass
class Report:
    """What was found: the first problems, how many there are, and what was looked at."""

    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    most: int = 1000

    @property
    def sound(self) -> bool:
        return not self.counts.get("problems")

    def add(self, problem: Problem) -> None:
        self.count("problems")
        if len(self.problems) < self.most:
            self.problems.append(problem)

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


Check = Callable[[Report], Iterator[Problem]]


def rows_of(rows: "models.QuerySet[Any, Row]") -> Iterator[Row]:
    """Read rows as a stream, in memory that does not grow with the table."""
    return rows.iterator(chunk_size=CHUNK)
