"""Who bought what, how many days ago: the log as arrays and as sparse people × items matrices."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, TypeVar

import narwhals as nw
import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from mlengine import assortment
from mlengine.assortment import collected
from mlengine.columns import (
    DISCOUNT,
    ITEM,
    KIND,
    OCCURRED_AT,
    PURCHASE,
    SESSION,
    TEXT,
    USER,
    Log,
)
from mlengine.friends import friends_of

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Strings = npt.NDArray[np.str_]
Matrix = sparse.csr_array

T = TypeVar("T")

MOST_KEPT: Final = 5_000_000  # rows; 200 MB. What is larger is worked out anew each time it is asked for
NEVER: Final = 999.0  # days, where something has not happened
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Interactions:
    """One row a person, item and basket, sorted by person, item and time; nothing at or after the cutoff.

    Attributes
    ----------
    users, items : int64 arrays
        The ids that rows and columns of the matrices stand for, ascending. People without purchases have empty rows.
    user, item : int64 arrays of one length
        Row and column of each purchase.
    age : float64 array
        Days between the purchase and the cutoff, above 0.
    basket : int64 array
        Which purchases were made together.
    discounted : bool array
        Whether money was saved.
    categories : int64 array
        One number an item, equal for items of one (category, subcategory).
    available : bool array
        Whether the item may be had at the cutoff.
    segments : str array
        ``attribute=value`` of one coarse attribute of each person, empty where none is known.
    texts : tuple of str
        What may be read about each item, empty where nothing; no texts at all where there is no catalogue.
    fresh, fresh_texts : int64 array, tuple of str
        Ids, ascending, and texts of the items that may be had at the cutoff and that nobody has bought yet: they are
        no columns, since no buyer tells anything about them.
    friends : csr_array of shape (n_people, n_people) or None
        How well people know each other, in both directions; None where nothing is known of that.
    known : callable or None
        Answers what was known so many days earlier; None where only these rows are there, not their log.
    memo : dict
        What was worked out from these rows, for those who ask again.

    Examples
    --------
    >>> bought = interactions_of([(7, 70, 1.0), (7, 70, 3.0), (8, 71, 2.0)])
    >>> bought.matrix(half_life=1.0).toarray().tolist()
    [[0.625, 0.0], [0.0, 0.25]]
    """

    users: Ints
    items: Ints
    user: Ints
    item: Ints
    age: Floats
    basket: Ints
    discounted: Bools
    categories: Ints
    available: Bools
    segments: Strings
    texts: tuple[str, ...] = ()
    fresh: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    fresh_texts: tuple[str, ...] = ()
    friends: Matrix | None = None
    known: "Callable[[float], Interactions] | None" = field(default=None, repr=False, compare=False)
    memo: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.users), len(self.items)

    def earlier(self, days: float) -> "Interactions":
        """Return what was known ``days`` earlier, with the ids of then; what is learned from is made this way.

        A backtest passes by the same moments again and again: their rows, and what was worked out from them, are kept
        with the log.
        """
        return self.known(days) if self.known else self.before(days)

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was worked out from these rows under this key, or work it out and keep it."""
        if key not in self.memo:
            self.memo[key] = make()
        found: T = self.memo[key]
        return found

    def before(self, days: float) -> "Interactions":
        """Return the rows that were there ``days`` earlier, under the same ids."""
        old = self.age > days
        return replace(
            self,
            known=None,
            memo={},
            user=self.user[old],
            item=self.item[old],
            age=self.age[old] - days,
            basket=self.basket[old],
            discounted=self.discounted[old],
        )

    def matrix(self, half_life: float | None = None) -> Matrix:
        """Return people × items: in how many baskets, each counted as ½ to the power of its age over ``half_life``."""
        weight = np.ones(len(self.age)) if half_life is None else decay(self.age, half_life)
        made = sparse.csr_array((weight, (self.user, self.item)), shape=self.shape)
        made.sum_duplicates()
        return made

    @cached_property
    def bought(self) -> Matrix:
        """People × items, 1 where the person ever bought the item."""
        made = self.matrix()
        made.data[:] = 1.0
        return made

    def within(self, days: float) -> Matrix:
        """Return people × items, 1 where the person bought the item in the last ``days``."""
        late = self.age <= days
        made = sparse.csr_array((np.ones(int(late.sum())), (self.user[late], self.item[late])), shape=self.shape)
        made.sum_duplicates()
        made.data[:] = 1.0
        return made

    @cached_property
    def buyers(self) -> Floats:
        """How many people ever bought each item."""
        return np.bincount(self.bought.indices, minlength=self.shape[1]).astype(float)

    @cached_property
    def first_of_pair(self) -> Bools:
        """True where a row is the person's first purchase of the item."""
        changed = (np.diff(self.user) != 0) | (np.diff(self.item) != 0)
        return np.asarray(np.r_[True, changed][: len(self.user)])

    @cached_property
    def cold(self) -> Bools:
        """True for people who have bought nothing."""
        return np.asarray(np.diff(self.bought.indptr) == 0)

    def item_sums(self, half_life: float, rows: Bools | None = None) -> Floats:
        """Return the decayed number of purchases of each item, of ``rows`` only if given."""
        item, age = (self.item, self.age) if rows is None else (self.item[rows], self.age[rows])
        return np.bincount(item, decay(age, half_life), minlength=self.shape[1]).astype(float)


def decay(age: Floats, half_life: float) -> Floats:
    """Return ½ to the power of ``age / half_life``.

    Examples
    --------
    >>> decay(np.array([0.0, 60.0, 120.0]), 60.0).tolist()
    [1.0, 0.5, 0.25]
    """
    return np.exp2(-age / half_life)


def interactions(
    log: Log, cutoff: datetime, *, kind: str = PURCHASE, segment_by: Sequence[str] = ("age_band", "province")
) -> Interactions:
    """Return what was known at the cutoff of who bought what; profiles without a purchase are rows too.

    Bought twice in one basket counts once, because people who need two take two; without a session, once a moment.
    People are segmented by the first of ``segment_by`` that is known of them.
    """
    key = ("interactions", kind, tuple(segment_by))
    return log.once(
        key, cutoff, lambda: _interactions(log, cutoff, kind, segment_by), keep=lambda x: len(x.age) <= MOST_KEPT
    )


def _interactions(log: Log, cutoff: datetime, kind: str, segment_by: Sequence[str]) -> Interactions:
    events = _events(log, cutoff, kind)
    profiles = _profiles(log, segment_by)
    users = np.union1d(events[USER].to_numpy(), profiles[USER].to_numpy())
    items = np.unique(events[ITEM].to_numpy())
    catalogue = assortment.catalogue(log, items)
    fresh = assortment.fresh(log, items, cutoff)
    return Interactions(
        users=users,
        items=items,
        user=np.searchsorted(users, events[USER].to_numpy()),
        item=np.searchsorted(items, events[ITEM].to_numpy()),
        age=((pl.Series([cutoff]).dt.cast_time_unit("us") - events[OCCURRED_AT]) / _DAY).to_numpy(),
        basket=events[SESSION].to_numpy(),
        discounted=events[DISCOUNT].to_numpy(),
        categories=assortment.codes(catalogue),
        available=assortment.available(catalogue, cutoff),
        segments=_segments(users, profiles, segment_by),
        texts=tuple(catalogue[TEXT].to_list()),
        fresh=fresh[ITEM].to_numpy(),
        fresh_texts=tuple(fresh[TEXT].to_list()),
        friends=friends_of(log, users, cutoff),
        known=lambda days: interactions(log, cutoff - days * _DAY, kind=kind, segment_by=segment_by),
    )


def interactions_of(rows: Iterable[tuple[int, int, float]]) -> Interactions:
    """Return interactions from (user, item, days ago), each its own basket; for examples and tests."""
    ordered = sorted(rows, key=lambda row: (row[0], row[1], -row[2]))
    user, item = np.array([row[0] for row in ordered]), np.array([row[1] for row in ordered])
    users, items = np.unique(user), np.unique(item)
    return Interactions(
        users=users,
        items=items,
        user=np.searchsorted(users, user),
        item=np.searchsorted(items, item),
        age=np.array([row[2] for row in ordered], dtype=float),
        basket=np.arange(len(ordered)),
        discounted=np.zeros(len(ordered), bool),
        categories=np.zeros(len(items), np.int64),
        available=np.ones(len(items), bool),
        segments=np.full(len(users), ""),
    )


def _events(log: Log, cutoff: datetime, kind: str) -> pl.DataFrame:
    columns = (USER, ITEM, OCCURRED_AT, SESSION, DISCOUNT)
    wanted = (nw.col(KIND) == kind) & ~nw.col(ITEM).is_null() & ~nw.col(USER).is_null()
    found = collected(log.until(cutoff).events.filter(wanted).select(*columns))
    session = pl.coalesce(SESSION, pl.col(OCCURRED_AT).cast(pl.String))
    return (
        found.with_columns(
            session.rank("dense").cast(pl.Int64).alias(SESSION),
            (pl.col(DISCOUNT).fill_null(0.0) > 0).alias(DISCOUNT),
        )
        .group_by(USER, ITEM, SESSION)
        .agg(pl.col(OCCURRED_AT).min(), pl.col(DISCOUNT).any())
        .sort(USER, ITEM, OCCURRED_AT, SESSION)
    )


def _profiles(log: Log, segment_by: Sequence[str]) -> pl.DataFrame:
    present = [name for name in segment_by if name in log.profiles.collect_schema().names()]
    return collected(log.profiles.select(USER, *present)).unique(USER, keep="first", maintain_order=True)


def _segments(users: Ints, profiles: pl.DataFrame, segment_by: Sequence[str]) -> Strings:
    named = [pl.format(f"{name}={{}}", pl.col(name)) for name in segment_by if name in profiles.columns]
    if not named:
        return np.full(len(users), "")
    told = profiles.select(USER, segment=pl.coalesce(named))
    joined = pl.DataFrame({USER: users}).join(told, on=USER, how="left", maintain_order="left")
    return joined["segment"].fill_null("").to_numpy().astype(np.str_)
