"""What tells whether a person buys an item again: the rhythm of the pair, the person, the item and its category."""

from dataclasses import dataclass

import numpy as np

from mlengine.interactions import NEVER, Bools, Floats, Interactions, Ints, decay

RECENT_DAYS = 28.0
_HALF_LIVES = (7.0, 14.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Every (person, item) ever bought, with where its purchases start and end among the interactions."""

    user: Ints
    item: Ints
    start: Ints
    end: Ints  # of the last purchase, inclusive
    times: Ints

    @classmethod
    def of(cls, x: Interactions) -> "Pairs":
        start = np.flatnonzero(x.first_of_pair)
        end = np.r_[start[1:], len(x.user)] - 1
        return cls(user=x.user[start], item=x.item[start], start=start, end=end, times=end - start + 1)


def repeat_features(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return one number a pair for each feature, nan where it has none (a gap needs two purchases)."""
    found = _rhythm(x, pairs) | _baskets(x, pairs)
    found |= _standing(x, pairs, found)
    return found | _person(x, pairs) | _item(x, pairs) | _promotion(x, pairs) | _category(x, pairs)


def _rhythm(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return how often, how lately and how regularly the person bought the item."""
    first, last = x.age[pairs.start], x.age[pairs.end]
    found = {f"bought_{days:.0f}d": np.add.reduceat(decay(x.age, days), pairs.start) for days in _HALF_LIVES}
    gap = _ratio(first - last, pairs.times - 1)
    latest_gap = np.where(pairs.times > 1, x.age[np.maximum(pairs.end - 1, 0)] - last, np.nan)
    squares = np.diff(x.age, prepend=0.0) ** 2
    squares[pairs.start] = 0.0
    spread = _ratio(np.add.reduceat(squares, pairs.start), pairs.times - 1) - gap**2
    return found | {
        "times": pairs.times.astype(float),
        "days_since_last": last,
        "days_since_first": first,
        "gap": gap,
        "latest_gap": latest_gap,
        "overdue": _ratio(last, gap),
        "irregularity": _ratio(np.sqrt(np.maximum(spread, 0.0)), gap),
    }


def _baskets(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return the same rhythm counted in the person's baskets instead of days."""
    user, age = baskets(x)
    # A person's baskets lie together, oldest first, so that those after a moment are counted by bisection.
    key, upto = _moment(user, age), np.searchsorted(user, pairs.user, side="right")
    since_first = upto - np.searchsorted(key, _moment(pairs.user, x.age[pairs.start] + 1e-9))
    since_last = upto - np.searchsorted(key, _moment(pairs.user, x.age[pairs.end] - 1e-9))
    usual = _ratio(since_first - since_last, pairs.times)
    return {"share_of_baskets": _ratio(pairs.times, since_first), "overdue_baskets": _ratio(since_last, usual)}


def _standing(x: Interactions, pairs: Pairs, rhythm: dict[str, Floats]) -> dict[str, Floats]:
    """Return how the item stands among all that the person buys: its share of baskets, and its place."""
    people, lately = x.shape[0], rhythm["bought_60d"]
    user, age = baskets(x)
    best = np.zeros(people)
    np.maximum.at(best, pairs.user, lately)
    order = np.lexsort((-rhythm["bought_120d"], pairs.user))
    place = np.empty(len(order))
    place[order] = np.arange(len(order)) - np.searchsorted(pairs.user, pairs.user)
    shares = {
        f"share_of_baskets_{days:.0f}d": _ratio(
            rhythm[f"bought_{days:.0f}d"], np.bincount(user, decay(age, days), minlength=people)[pairs.user]
        )
        for days in (14.0, 30.0, 60.0)
    }
    return shares | {
        "part_of_best": _ratio(lately, best[pairs.user]),
        "part_of_all": _ratio(lately, np.bincount(pairs.user, lately, minlength=people)[pairs.user]),
        "place": place,
    }


def _person(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return how much, how lately and how repetitively the person shops."""
    people = x.shape[0]
    user, age = baskets(x)
    n_baskets = np.bincount(user, minlength=people)
    lines, kinds = np.bincount(x.user, minlength=people), np.bincount(pairs.user, minlength=people)
    since = np.full(people, NEVER)
    np.minimum.at(since, user, age)
    per_person = {
        "person_days_since": since,
        "person_baskets": n_baskets.astype(float),
        "person_baskets_30d": np.bincount(user, decay(age, 30.0), minlength=people),
        "person_basket_size": _ratio(lines, n_baskets),
        "person_repeats": _ratio(lines, kinds),
    }
    return {name: value[pairs.user] for name, value in per_person.items()}


def _item(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return how popular and fresh the item is, and how many of its buyers come back to it."""
    items = x.shape[1]
    since, first = np.full(items, NEVER), np.zeros(items)
    np.minimum.at(since, x.item, x.age)
    np.maximum.at(first, x.item, x.age)
    bought = {days: x.item_sums(days) for days in (7.0, 28.0, 90.0)}
    per_item = {f"item_bought_{days:.0f}d": value for days, value in bought.items()} | {
        "item_days_since": since,
        "item_days_since_first": first,
        "item_buyers": x.buyers,
        "item_trend": _ratio(bought[7.0], bought[28.0]),
        "item_long_trend": _ratio(bought[28.0], bought[90.0]),
        "item_conversion": _conversion(x, pairs),
        "item_retention": _retention(x, pairs, pairs.item, items),
        "item_repeaters": _ratio(np.bincount(pairs.item, pairs.times > 1, minlength=items), x.buyers),
        "item_per_buyer": _ratio(np.bincount(x.item, minlength=items), x.buyers),
    }
    return {name: value[pairs.item] for name, value in per_item.items()}


def _promotion(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return whether the person bought at a discount, and how discounted the item is now and usually."""
    items, late = x.shape[1], x.age <= 14.0
    usual = _ratio(np.bincount(x.item, x.discounted, minlength=items), np.bincount(x.item, minlength=items))
    now = _ratio(
        np.bincount(x.item[late], x.discounted[late], minlength=items), np.bincount(x.item[late], minlength=items)
    )
    return {
        "discounted": np.add.reduceat(x.discounted.astype(float), pairs.start) / pairs.times,
        "discounted_last": x.discounted[pairs.end].astype(float),
        "item_discounted": usual[pairs.item],
        "item_discounted_now": now[pairs.item],
    }


def _category(x: Interactions, pairs: Pairs) -> dict[str, Floats]:
    """Return when the person last bought any item of the category, how much, and how repetitive the category is."""
    width = int(x.categories.max(initial=0)) + 1
    shape = (x.shape[0], width)
    since, bought = np.full(shape, NEVER), np.zeros(shape)
    rows, columns = x.user, x.categories[x.item]
    np.minimum.at(since, (rows, columns), x.age)
    np.add.at(bought, (rows, columns), decay(x.age, 60.0))
    column = x.categories[pairs.item]
    had = np.zeros(shape)
    np.add.at(had, (pairs.user, column), 1.0)
    lately = np.add.reduceat(decay(x.age, 60.0), pairs.start)
    return {
        "share_of_category": _ratio(lately, bought[pairs.user, column]),
        "category_items": had[pairs.user, column],
        "category_days_since": since[pairs.user, column],
        "category_bought_60d": bought[pairs.user, column],
        "category_retention": _retention(x, pairs, column, width)[column],
    }


def _retention(x: Interactions, pairs: Pairs, group: Ints, width: int) -> Floats:
    """Return of the pairs that were there four weeks ago, how many were bought since; few pairs lean on the mean."""
    old: Bools = x.age[pairs.start] > RECENT_DAYS
    again = old & (x.age[pairs.end] <= RECENT_DAYS)
    usual = again.sum() / max(int(old.sum()), 1)
    kept = np.bincount(group, again, minlength=width) + 5.0 * usual
    return np.asarray(kept / (np.bincount(group, old, minlength=width) + 5.0))


def _conversion(x: Interactions, pairs: Pairs) -> Floats:
    """Return of each item how many people came back within four weeks, for each recent purchase made before them."""
    old = x.age > RECENT_DAYS
    strength = np.add.reduceat(np.where(old, decay(np.maximum(x.age - RECENT_DAYS, 0.0), 60.0), 0.0), pairs.start)
    again = (x.age[pairs.start] > RECENT_DAYS) & (x.age[pairs.end] <= RECENT_DAYS)
    came_back = np.bincount(pairs.item, again, minlength=x.shape[1]) + 1.0
    return np.asarray(came_back / (np.bincount(pairs.item, strength, minlength=x.shape[1]) + 4.0))


def baskets(x: Interactions) -> tuple[Ints, Floats]:
    """Return person and age of every basket, by person, oldest first."""
    _, index = np.unique(x.basket, return_index=True)
    user, age = x.user[index], x.age[index]
    order = np.lexsort((-age, user))
    return user[order], age[order]


def _moment(user: Ints, age: Floats) -> Floats:
    return user * 1e6 - age


def _ratio(over: Ints | Floats, under: Ints | Floats) -> Floats:
    """Return ``over / under``, nan where that has no meaning."""
    wanted = np.full(np.broadcast_shapes(np.shape(over), np.shape(under)), np.nan)
    return np.asarray(np.divide(over, under, out=wanted, where=np.asarray(under) > 0))
