"""What tells whether a person takes to an item never bought: taste, the item's moment, and how the person explores."""

from dataclasses import dataclass

import numpy as np

from mlengine.interactions import NEVER, Floats, Interactions, Ints, decay

_HALF_LIVES = (7.0, 14.0, 28.0, 60.0)


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """(Person, item) pairs worth asking about, sorted by person, with EASE's score and that times the item's trend."""

    user: Ints
    item: Ints
    taste: Floats
    promise: Floats


def trend(x: Interactions) -> Floats:
    """Return how much of each item's purchases are late ones; it is high for what is new or in season."""
    return (x.item_sums(14.0) + 0.1) / (x.item_sums(60.0) + 1.0)


def discovery_features(x: Interactions, pairs: Candidates) -> dict[str, Floats]:
    """Return one number a candidate for each feature."""
    return _taste(x, pairs) | _item(x, pairs) | _person(x, pairs) | _category(x, pairs)


def _taste(x: Interactions, pairs: Candidates) -> dict[str, Floats]:
    best = np.full(x.shape[0], 1e-9)
    np.maximum.at(best, pairs.user, pairs.promise)
    return {"taste": pairs.taste, "promise": pairs.promise, "promise_of_best": pairs.promise / best[pairs.user]}


def _item(x: Interactions, pairs: Candidates) -> dict[str, Floats]:
    """Return how popular the item is over several spans, and how many of its purchases are first ones."""
    bought = {days: x.item_sums(days) for days in _HALF_LIVES}
    tried = {days: x.item_sums(days, x.first_of_pair) for days in _HALF_LIVES}
    since, first = np.full(x.shape[1], NEVER), np.zeros(x.shape[1])
    np.minimum.at(since, x.item, x.age)
    np.maximum.at(first, x.item, x.age)
    late = x.age <= 14.0
    promoted = np.bincount(x.item[late], x.discounted[late], minlength=x.shape[1])
    per_item = (
        {f"item_bought_{days:.0f}d": value for days, value in bought.items()}
        | {f"item_tried_{days:.0f}d": value for days, value in tried.items()}
        | {
            "item_trend": bought[14.0] / (bought[60.0] + 1.0),
            "item_trial_trend": tried[14.0] / (tried[60.0] + 1.0),
            "item_trial_share": tried[28.0] / (bought[28.0] + 1.0),
            "item_buyers": x.buyers,
            "item_days_since": since,
            "item_days_since_first": first,
            "item_discounted": promoted / np.maximum(np.bincount(x.item[late], minlength=x.shape[1]), 1),
        }
    )
    return {name: value[pairs.item] for name, value in per_item.items()}


def _person(x: Interactions, pairs: Candidates) -> dict[str, Floats]:
    """Return how much the person shops, and how much of that is new to them."""
    people, first = x.shape[0], x.first_of_pair
    bought = np.bincount(x.user, decay(x.age, 30.0), minlength=people)
    tried = np.bincount(x.user[first], decay(x.age[first], 30.0), minlength=people)
    since = np.full(people, NEVER)
    np.minimum.at(since, x.user, x.age)
    per_person = {
        "person_bought_30d": bought,
        "person_explores": tried / (bought + 1.0),
        "person_items": np.diff(x.bought.indptr).astype(float),
        "person_days_since": since,
    }
    return {name: value[pairs.user] for name, value in per_person.items()}


def _category(x: Interactions, pairs: Candidates) -> dict[str, Floats]:
    """Return what the person has to do with the item's category, beside what everybody has."""
    width = int(x.categories.max(initial=0)) + 1
    shape, first, column = (x.shape[0], width), x.first_of_pair, x.categories[pairs.item]
    rows, columns, weight = x.user, x.categories[x.item], decay(x.age, 60.0)
    since, bought, tried = np.full(shape, NEVER), np.zeros(shape), np.zeros(shape)
    np.minimum.at(since, (rows, columns), x.age)
    np.add.at(bought, (rows, columns), weight)
    np.add.at(tried, (rows[first], columns[first]), weight[first])
    usual = bought.sum(axis=0) / max(float(bought.sum()), 1e-9)
    share = bought / np.maximum(bought.sum(axis=1, keepdims=True), 1e-9)
    recent = x.item_sums(28.0)
    return {
        "category_days_since": since[pairs.user, column],
        "category_bought": bought[pairs.user, column],
        "category_affinity": share[pairs.user, column] / (usual[column] + 1e-6),
        "category_tried": tried[pairs.user, column],
        "category_explores": (tried[pairs.user, column] + 0.5) / (bought[pairs.user, column] + 2.0),
        "item_share_of_category": recent[pairs.item]
        / (np.bincount(x.categories, recent, minlength=width)[column] + 1.0),
    }
