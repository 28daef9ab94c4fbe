"""What "buy till you die" needs of each person: how often, when last, how old, how much a time."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Histories:
    """One row a person; times in days (or any one unit), all arrays of shape (n,).

    Attributes
    ----------
    frequency : array
        Days with a purchase after the first such day.
    recency : array
        Age at the last purchase: the time between the first and the last.
    T : array
        Age at the cutoff: the time since the first purchase; at least ``recency``.
    monetary_value : array
        Mean spend of the days with a positive one, 0 where there is none: refunds make nobody a negative buyer.
    spends : array
        How many days that mean is over.
    """

    frequency: Array
    recency: Array
    T: Array
    monetary_value: Array
    spends: Array

    def __post_init__(self) -> None:
        for name in ("frequency", "recency", "T", "monetary_value", "spends"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if not np.isfinite(values).all() or (values < 0).any():
                raise ValueError(f"{name} must be finite and not negative.")
            object.__setattr__(self, name, values)
        if (self.recency > self.T).any():
            raise ValueError("Somebody's last purchase lies after the cutoff.")

    def __len__(self) -> int:
        return len(self.frequency)

    def rows(self, which: Array) -> Self:
        """Return only these rows (indices or a mask)."""
        return replace(self, **{name: getattr(self, name)[which] for name in self.__dataclass_fields__})

    @classmethod
    def of_purchases(cls, person: Array, day: Array, amount: Array, cutoff: float) -> tuple[Array, Self]:
        """Return the people in ascending order, and their histories, from single purchases before the cutoff.

        Parameters
        ----------
        person : array of int, shape (m,)
        day : array of float, shape (m,)
            When, in whole days since any origin; purchases of one person on one day are one.
        amount : array of float, shape (m,)
            Money; what is not finite counts as 0.
        cutoff : float
            On the scale of ``day``; purchases on or after it are not looked at.
        """
        before = day < cutoff
        person, day = person[before], np.floor(day[before])
        amount = np.nan_to_num(amount[before], nan=0.0, posinf=0.0, neginf=0.0)
        order = np.lexsort((day, person))
        person, day, amount = person[order], day[order], amount[order]
        fresh = np.ones(len(person), dtype=bool)
        fresh[1:] = (person[1:] != person[:-1]) | (day[1:] != day[:-1])
        starts = np.flatnonzero(fresh)
        spend = np.add.reduceat(amount, starts) if len(starts) else amount[:0]
        return cls.of_days(person[starts], day[starts], spend, cutoff)

    @classmethod
    def of_days(cls, person: Array, day: Array, spend: Array, cutoff: float) -> tuple[Array, Self]:
        """Return the same from one row a person and day, in that order."""
        people, first, days = np.unique(person, return_index=True, return_counts=True)
        last = first + days - 1
        paid = np.where(spend > 0, spend, 0.0)
        whole = np.add.reduceat(paid, first) if len(first) else paid[:0]
        spends = np.add.reduceat((spend > 0).astype(np.float64), first) if len(first) else paid[:0]
        return people, cls(
            frequency=days - 1.0,
            recency=day[last] - day[first],
            T=cutoff - day[first],
            monetary_value=np.divide(whole, spends, out=np.zeros(len(people)), where=spends > 0),
            spends=spends,
        )
