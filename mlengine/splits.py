"""Cutoffs to learn from and to be judged at, so that no label of the one reaches into the other."""

from collections.abc import Iterator
from datetime import datetime, timedelta


def cutoffs_before(end: datetime, *, first: datetime, horizon: timedelta, step: timedelta, most: int) -> list[datetime]:
    """Return cutoffs whose labels are ripe at ``end``: the latest ends there exactly, the others lie steps before.

    Parameters
    ----------
    end : datetime
        What is known; label windows [cutoff, cutoff + horizon) end at or before it.
    first : datetime
        The earliest cutoff allowed (the log needs some history before it).
    horizon, step : timedelta
        Length of a label window; distance between cutoffs.
    most : int
        At most so many, the latest ones.

    Returns
    -------
    list of datetime
        Earliest first; empty when nothing has ripened.

    Examples
    --------
    >>> day = timedelta(days=1)
    >>> first, end = datetime(2017, 10, 20), datetime(2017, 12, 1)
    >>> found = cutoffs_before(end, first=first, horizon=28 * day, step=7 * day, most=9)
    >>> [f"{cutoff:%m-%d}" for cutoff in found]
    ['10-20', '10-27', '11-03']
    """
    found: list[datetime] = []
    cutoff = end - horizon
    while cutoff >= first and len(found) < most:
        found.append(cutoff)
        cutoff -= step
    return found[::-1]


def rolling_origin(
    cutoffs: list[datetime], *, horizon: timedelta, folds: int
) -> Iterator[tuple[list[datetime], datetime]]:
    """Yield (cutoffs to train at, cutoff to judge at), out of time: training labels have ripened at the judged cutoff.

    The judged cutoffs are the latest ones, a horizon apart, so that their label windows do not overlap; latest first.

    Examples
    --------
    >>> weeks = [datetime(2017, 10, 6) + timedelta(days=7 * n) for n in range(9)]
    >>> for train, judged in rolling_origin(weeks, horizon=timedelta(days=14), folds=2):
    ...     print(f"{train[0]:%m-%d} to {train[-1]:%m-%d}, judged at {judged:%m-%d}")
    10-06 to 11-17, judged at 12-01
    10-06 to 11-03, judged at 11-17
    """
    end = cutoffs[-1] if cutoffs else None
    for _ in range(folds):
        judged = max((cutoff for cutoff in cutoffs if end and cutoff <= end), default=None)
        train = [cutoff for cutoff in cutoffs if judged and cutoff + horizon <= judged]
        if not train or judged is None:
            return
        yield train, judged
        end = judged - horizon
