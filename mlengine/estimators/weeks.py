"""People and the weeks after a cutoff as rows: one for each week until somebody comes back, or is no longer watched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

PERIOD: Final = "week_ahead"  # the name of the last column: 0 is the week that begins at the cutoff


@dataclass(frozen=True, kw_only=True, eq=False)
class Weeks:
    """Rows of people and weeks.

    Attributes
    ----------
    names : tuple of str
        The columns of ``X``, the week last.
    X : array of shape (n, len(names)), nan where unknown
    y : array of shape (n,), 1 for the week in which somebody came back
    """

    names: tuple[str, ...]
    X: Array
    y: Array

    @classmethod
    def under_each_other(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, which have the same columns."""
        X, y = np.concatenate([part.X for part in parts]), np.concatenate([part.y for part in parts])
        return cls(names=parts[0].names, X=X, y=y)


def weeks_known(at: datetime, end: datetime, most: int) -> int:
    """Return how many weeks after ``at`` are over at ``end``.

    Examples
    --------
    >>> weeks_known(datetime(2024, 1, 1), datetime(2024, 1, 20), 12)
    2
    """
    return min(most, (end - at) // timedelta(days=7))


def expanded(names: tuple[str, ...], X: Array, week: Array, *, seen: int) -> Weeks:
    """Return a row for each week somebody was watched: until they came back, or ``seen`` weeks were over.

    Parameters
    ----------
    X : array of shape (n, m)
        One row a person.
    week : array of shape (n,)
        In which week they came back, from 0; nan if not.

    Examples
    --------
    >>> made = expanded(("x",), np.array([[5.0], [6.0]]), np.array([1.0, np.nan]), seen=3)
    >>> made.X.tolist(), made.y.tolist()
    ([[5.0, 0.0], [5.0, 1.0], [6.0, 0.0], [6.0, 1.0], [6.0, 2.0]], [0, 1, 0, 0, 0])
    """
    back = np.where(np.isnan(week), seen, week)
    watched = np.minimum(back + 1, seen).astype(np.int64)
    person = np.repeat(np.arange(len(X)), watched)
    ends = np.cumsum(watched)
    ahead = np.arange(len(person)) - np.repeat(ends - watched, watched)
    y = (ahead == back[person]).astype(np.int64)
    return Weeks(names=(*names, PERIOD), X=np.column_stack([X[person], ahead]), y=y)
