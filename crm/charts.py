"""A chart and the table that says the same: what pages hand to ``templates/zhiyin/chart.html``."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import get_language


@dataclass(frozen=True, kw_only=True)
class Series:
    """One row of numbers, how it is drawn (``line``, ``bar``) and how a number of it reads.

    ``fill`` colours what is below, or, as ``-1`` says, between it and the row before: the two ends of a band.
    """

    label: str
    values: Sequence[float | None]
    kind: str = "line"
    unit: str = "integer"
    colour: str = "primary"
    axis: str = "y"
    dashed: bool = False
    fill: bool | str = False

    def texts(self) -> list[str]:
        return [written(value, self.unit) for value in self.values]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A drawing with a title, and its numbers as rows for those who cannot or will not look at it."""

    id: str
    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    label_title: str = ""
    x_title: str = ""
    y_title: str = ""
    horizontal: bool = False
    stacked: bool = False
    from_zero: bool = True
    legend: bool = True
    height: int = 240
    note: str = ""
    colours: Sequence[str] = field(default_factory=list)

    @property
    def data_id(self) -> str:
        return f"{self.id}-data"

    @property
    def payload(self) -> dict[str, Any]:
        """What ``zhiyin.js`` draws; colours are names that it looks up in the theme."""
        return {**asdict(self), "language": get_language()}

    @property
    def rows(self) -> list[list[str]]:
        return [[str(cell) for cell in row] for row in zip(self.labels, *(s.texts() for s in self.series), strict=True)]

    @property
    def empty(self) -> bool:
        return not any(value is not None for series in self.series for value in series.values)


def written(value: float | None, unit: str) -> str:
    """Return a number as the reader's language writes it: ``integer``, ``money``, ``percent`` or ``decimal``."""
    if value is None:
        return "–"
    if unit == "percent":
        return rounded(value * 100, 1) + " %"
    return rounded(value, {"integer": 0, "money": 2}.get(unit, 3))


def rounded(value: float, digits: int) -> str:
    """Return a rounded number in the reader's language; Django's own format would cut the digits off.

    >>> rounded(0.8656, 3), rounded(1234.5, 0)
    ('0.866', '1,234')
    """
    return number_format(round(value, digits), digits, force_grouping=True, use_l10n=True)
