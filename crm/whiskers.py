"""Intervals drawn beside one another on one scale: what a table of numbers does not let anybody see."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Span = tuple[float, float, float]  # the middle and both ends

ROOM = 0.04  # of the scale, left at both ends


@dataclass(frozen=True, kw_only=True)
class Row:
    """One interval: what it is of, how it reads, and whether it is the paler one of two that belong together."""

    label: str
    note: str
    text: str
    span: Span | None
    pale: bool = False
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Whisker:
    """A row with its places on the scale, as SVG writes them (``12.50%``); no places where there is no interval."""

    row: Row
    zero: str
    low: str = ""
    middle: str = ""
    high: str = ""
    tone: str = ""


def drawn(rows: Sequence[Row]) -> list[Whisker]:
    """Return the rows on a scale that holds all of them and zero."""
    ends = [0.0, *(end for row in rows if row.span for end in row.span[1:])]
    low, high = min(ends), max(ends)
    room = (high - low or 1.0) * ROOM
    low, high = low - room, high + room

    def place(value: float) -> str:
        return f"{100 * (value - low) / (high - low):.2f}%"

    return [_whisker(row, place) for row in rows]


def _whisker(row: Row, place: Callable[[float], str]) -> Whisker:
    if row.span is None:
        return Whisker(row=row, zero=place(0.0))
    effect, low, high = row.span
    tone = "up" if low > 0 else "down" if high < 0 else "flat"
    places = {"low": place(low), "middle": place(effect), "high": place(high)}
    return Whisker(row=row, zero=place(0.0), tone="pale" if row.pale else tone, **places)
