"""What each person took, in order: the rows of a log as one ragged array, for models of what comes next."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from scipy import sparse

from mlengine.interactions import Bools, Interactions, Ints, Matrix


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """People's items in the order of time, laid end to end.

    Attributes
    ----------
    item : int64 array
        Columns of items, person after person, each person's oldest first.
    ends : int64 array
        Where each person's items end in ``item``; they start where the person before ends.
    n_items : int
        How many items there are; columns run from 0.

    Examples
    --------
    >>> taken = Sequences.of([[5, 3], [], [1]], n_items=6)
    >>> taken.last(2).tolist()
    [[5, 3], [-1, -1], [-1, 1]]
    >>> taken.without_last().item.tolist()
    [5]
    """

    item: Ints
    ends: Ints
    n_items: int

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]], n_items: int) -> Self:
        """Return sequences from one list of columns a person."""
        lengths = np.array([len(one) for one in lists], dtype=np.int64)
        item = np.array([column for one in lists for column in one], dtype=np.int64)
        return cls(item=item, ends=np.cumsum(lengths), n_items=n_items)

    @classmethod
    def of_interactions(cls, x: Interactions) -> Self:
        """Return each person's purchases by time; of one moment by basket, then by column."""
        order = np.lexsort((x.item, x.basket, -x.age, x.user))
        lengths = np.bincount(x.user, minlength=len(x.users))
        return cls(item=x.item[order].astype(np.int64), ends=np.cumsum(lengths), n_items=len(x.items))

    def __len__(self) -> int:
        return len(self.ends)

    @cached_property
    def starts(self) -> Ints:
        return np.asarray(np.r_[0, self.ends[:-1]], dtype=np.int64)

    @cached_property
    def lengths(self) -> Ints:
        return np.asarray(self.ends - self.starts)

    @cached_property
    def person(self) -> Ints:
        """Return whose each entry of ``item`` is."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def taken(self) -> Matrix:
        """People × items, 1 where the person ever took the item."""
        made = sparse.csr_array((np.ones(len(self.item)), (self.person, self.item)), shape=(len(self), self.n_items))
        made.sum_duplicates()
        made.data[:] = 1.0
        return made

    def took(self, people: Ints, items: Ints) -> Bools:
        """Return whether each of the people ever took the item beside them."""
        return np.isin(people * self.n_items + items, self.person * self.n_items + self.item)

    def last(self, k: int, people: Ints | None = None) -> Ints:
        """Return people × ``k``: the last items, the newest in the last column, −1 before the first."""
        ends = self.ends if people is None else self.ends[people]
        starts = self.starts if people is None else self.starts[people]
        place = ends[:, None] + np.arange(-k, 0)
        there = place >= starts[:, None]
        return np.where(there, self.item[np.where(there, place, 0)] if len(self.item) else -1, -1)

    def without_last(self, n: int = 1) -> "Sequences":
        """Return the sequences without each person's ``n`` newest items."""
        return self.keeping(np.arange(len(self.item)) < np.repeat(self.ends - n, self.lengths))

    def of_people(self, people: Ints) -> "Sequences":
        """Return the sequences of these rows, in this order."""
        lengths = self.lengths[people]
        ends = np.cumsum(lengths)
        place = np.arange(int(lengths.sum())) + np.repeat(self.starts[people] - (ends - lengths), lengths)
        return Sequences(item=self.item[place], ends=ends, n_items=self.n_items)

    def relabelled(self, columns: Ints, n_items: int) -> "Sequences":
        """Return the sequences with ``columns[c]`` in place of each column c, and without those where it is −1."""
        kept = self.keeping(columns[self.item] >= 0)
        return Sequences(item=columns[kept.item], ends=kept.ends, n_items=n_items)

    def keeping(self, kept: Bools) -> "Sequences":
        """Return the sequences with only those entries of ``item`` that are ``kept``."""
        lengths = np.bincount(self.person[kept], minlength=len(self))
        return Sequences(item=self.item[kept], ends=np.cumsum(lengths), n_items=self.n_items)
