"""New items: who is too young for the models gets the places that a marketer's rules give, in answers and in messages.

They are looked for in the categories that a list begins with, and stand below whatever the list has.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import merge
from itertools import groupby, islice
from typing import Any, Final

from crm.models import Item
from mlengine import shelf
from mlengine.shelf import Candidate
from mlengine.shop_rules import RecommendationRule

Does = RecommendationRule.Does
Rules = Sequence[RecommendationRule]
NEW_FOR: Final = 30  # days, where a rule names none
LIKED: Final = 5  # the categories of so many first items say where new ones are looked for
FOR_A_LIST: Final = 50  # so many of the newest are looked at
FOR_ALL: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class Young:
    """New items, the newest first, and at which places of these each category is found."""

    items: Sequence[Item]
    places: Mapping[str, Sequence[int]]

    def of(self, categories: Collection[str]) -> Iterator[Item]:
        """Yield the items of any of these categories, the newest first, each once."""
        found = merge(*(self.places.get(category, ()) for category in categories))
        return (self.items[place] for place, _same in groupby(found))


def new(lists: Mapping[int, Sequence[Candidate]], rules: Rules, now: datetime) -> dict[int, list[Candidate]]:
    """Return the new items that rules add to each list, each once; one query for all, none where no rule asks."""
    fresh = [rule for rule in rules if rule.does == Does.FRESH]
    liked = {key: _liked(shown) for key, shown in lists.items()} if fresh else {}
    wanted = {category for categories in liked.values() for category in categories}
    if not wanted:
        return {}
    young = _young(wanted, max(map(_span, fresh)), min(FOR_A_LIST * len(lists), FOR_ALL), now)
    return {key: _added(shown, liked[key], young, fresh, now) for key, shown in lists.items()}


def _young(wanted: Collection[str], span: timedelta, most: int, now: datetime) -> Young:
    rows = Item.objects.available(now).filter(categories__overlap=list(wanted), created_at__gte=now - span)
    items = list(rows.defer("body").order_by("-created_at", "-pk")[:most])
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        for category in {*item.categories} & {*wanted}:
            places.setdefault(category, []).append(place)
    return Young(items=items, places=places)


def _added(
    shown: Sequence[Candidate], liked: Collection[str], young: Young, fresh: Rules, now: datetime
) -> list[Candidate]:
    known = {one.item.pk for one in shown}
    lowest = min((one.value for one in shown), default=0.0)
    found: dict[int, Item] = {}  # two rules may mean the same item
    for rule in fresh:
        since = now - _span(rule)
        meant = (one for one in young.of(liked) if one.created_at >= since and one.pk not in known)
        held = (one for one in meant if shelf.holds_of(rule, one))
        found |= {one.pk: one for one in islice(held, rule.strength or 1)}
    return [
        Candidate(item=one, value=lowest * 0.5, reason=_why(one, liked, now), source="new") for one in found.values()
    ]


def _liked(shown: Sequence[Candidate]) -> list[str]:
    return list({one.item.categories[-1]: None for one in shown[:LIKED] if one.item.categories})


def _span(rule: RecommendationRule) -> timedelta:
    return timedelta(days=rule.days or NEW_FOR)


def _why(item: Item, liked: Collection[str], now: datetime) -> dict[str, Any]:
    category = next(one for one in liked if one in item.categories)
    return {"code": "new_item", "values": {"category": category, "days": (now - item.created_at).days}}
