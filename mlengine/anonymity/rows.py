"""Rows about people that may leave the house: in groups of k who look alike, each with l different secrets.

k-anonymity (Sweeney 2002) by full-domain generalisation: every column is made as coarse as one level of its hierarchy
says, the same for all rows, and what still stands alone is left out, up to a share. l-diversity (Machanavajjhala 2007)
counts distinct values: a group whose members all have one illness would give it away without naming anybody.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import polars as pl

from mlengine.anonymity.hierarchies import HIERARCHIES, coarse

MOST_SUPPRESSED = 0.05
ROWS = "__rows"


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What rows must keep: groups of ``k``, with ``l`` different values of every sensitive column."""

    k: int = 5
    l: int = 2  # noqa: E741 (the field's name)
    most_suppressed: float = MOST_SUPPRESSED


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What rows keep: their number, the smallest group, and the least diverse value of a sensitive column."""

    rows: int
    k: int
    l: int | None = None  # noqa: E741 (the field's name); None where nothing sensitive is in them
    groups: int = 0

    def keeps(self, demand: Demand) -> bool:
        return self.k >= demand.k and (self.l is None or self.l >= demand.l)


@dataclass(frozen=True, kw_only=True)
class Anonymised:
    """Rows that keep a demand, how coarse each column had to be, and how many rows were left out."""

    rows: pl.DataFrame
    measured: Measured
    levels: Mapping[str, int]
    suppressed: int = 0
    whole: int = field(default=0)

    @property
    def share_suppressed(self) -> float:
        return self.suppressed / self.whole if self.whole else 0.0


class CannotAnonymise(ValueError):
    """No level of detail keeps the demand; the message says what came nearest."""


def measure(rows: pl.DataFrame, quasi: Sequence[str], sensitive: Sequence[str] = ()) -> Measured:
    """Return what rows keep. An empty frame keeps nothing: k is 0.

    >>> people = pl.DataFrame({"city": ["X", "X", "Y", "Y"], "illness": ["a", "b", "c", "c"]})
    >>> measure(people, ["city"], ["illness"])
    Measured(rows=4, k=2, l=1, groups=2)
    """
    if rows.is_empty():
        return Measured(rows=0, k=0, l=0 if sensitive else None)
    groups = _groups(rows, quasi, sensitive)
    least = min((int(groups[_distinct(name)].min()) for name in sensitive), default=None)  # type: ignore[arg-type]
    return Measured(rows=len(rows), k=int(groups[ROWS].min()), l=least, groups=len(groups))  # type: ignore[arg-type]


def generalise(
    rows: pl.DataFrame, quasi: Sequence[str], sensitive: Sequence[str] = (), *, demand: Demand
) -> Anonymised:
    """Return rows as fine as the demand allows, in an order that says nothing about where they came from.

    Levels are tried from the least loss to the most. Values are text, a null counts as an empty one.

    Raises
    ------
    CannotAnonymise
        Not even rows that say nothing of their quasi-identifiers keep the demand.
    """
    text = _as_text(rows, [*quasi, *sensitive])
    for levels in _levels(quasi):
        made = _at(text, levels)
        kept = _kept(made, quasi, sensitive, demand)
        if len(kept) and len(text) - len(kept) <= demand.most_suppressed * len(text):
            measured = measure(kept, quasi, sensitive)
            return Anonymised(
                rows=kept.sort(kept.columns),
                measured=measured,
                levels=levels,
                suppressed=len(text) - len(kept),
                whole=len(text),
            )
    nearest = measure(_at(text, {name: len(HIERARCHIES[name]) for name in quasi}), quasi, sensitive)
    diversity = "" if nearest.l is None else f" and l = {nearest.l}"
    raise CannotAnonymise(f"Even without any detail these {nearest.rows} rows keep only k = {nearest.k}{diversity}.")


def _kept(made: pl.DataFrame, quasi: Sequence[str], sensitive: Sequence[str], demand: Demand) -> pl.DataFrame:
    """Return the rows of the groups that keep the demand."""
    enough = pl.len().over(quasi) >= demand.k if quasi else pl.lit(len(made) >= demand.k)
    for name in sensitive:
        distinct = pl.col(name).n_unique()
        enough = enough & ((distinct.over(quasi) if quasi else distinct) >= demand.l)
    return made.filter(enough)


def _levels(quasi: Sequence[str]) -> Iterator[dict[str, int]]:
    """Return every combination of levels, least loss first; of equal losses the one that coarsens earlier columns.

    The loss of a column is the share of its hierarchy that is used up, so that all columns weigh the same.
    """
    deepest = [len(HIERARCHIES[name]) for name in quasi]
    order = list(HIERARCHIES)
    nodes = product(*(range(deep + 1) for deep in deepest))

    def loss(node: tuple[int, ...]) -> tuple[float, list[int]]:
        shares = sum(level / deep for level, deep in zip(node, deepest, strict=True))
        ranks = [order.index(name) for name, level in zip(quasi, node, strict=True) if level]
        return round(shares, 9), ranks

    for node in sorted(nodes, key=loss):
        yield dict(zip(quasi, node, strict=True))


def _at(text: pl.DataFrame, levels: Mapping[str, int]) -> pl.DataFrame:
    changed = []
    for name, level in levels.items():
        if level:
            known = text[name].unique().to_list()
            changed.append(pl.col(name).replace_strict({value: coarse(name, value, level) for value in known}))
    return text.with_columns(changed)


def _as_text(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(pl.String).fill_null("") for name in columns)


def _groups(rows: pl.DataFrame, quasi: Sequence[str], sensitive: Sequence[str]) -> pl.DataFrame:
    asked = [pl.len().alias(ROWS), *(pl.col(name).n_unique().alias(_distinct(name)) for name in sensitive)]
    return rows.group_by(quasi).agg(asked) if quasi else rows.select(asked)


def _distinct(name: str) -> str:
    return f"__distinct_{name}"
