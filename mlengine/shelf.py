"""The shelf: candidates become a list, by business rules, by what the session says, and with variety.

Plain Python over rows that were read before: a web request does this for each answer.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from crm.models import Item
from mlengine.models import ItemLink
from mlengine.shop_rules import RecommendationRule

Does = RecommendationRule.Does
Test = Callable[[RecommendationRule, Item, int | None], bool]  # of a rule, an item, and the days since it was bought
LATELY: Final = 90  # days, where a rule against what was bought lately names none
VARIETY: Final = 30  # percent, where a rule for variety names none
SESSION_WEIGHT: Final = 0.5  # of what the session says, beside 1 for what the model said


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An item that could be shown, how strongly (0 to 1, comparable within one answer), and why."""

    item: Item
    value: float
    reason: Mapping[str, Any]
    source: str = "model"  # model, session, popular or new


@dataclass(frozen=True, kw_only=True)
class Left:
    """A candidate that a rule took out, for whoever wants to know."""

    candidate: Candidate
    rule: RecommendationRule | None  # None: bought in this session, or ever where only new items are shown


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """What is shown, best first, and what was left out by which rule."""

    shown: Sequence[Candidate]
    left: Sequence[Left] = field(default_factory=list)


def merged(model: Iterable[Candidate], session: Iterable[Candidate], weight: float = SESSION_WEIGHT) -> list[Candidate]:
    """Return all candidates once, what the session says added to what the model said; the stronger side gives why."""
    found = {one.item.id: one for one in model}
    for one in session:
        known = found.get(one.item.id)
        said = weight * one.value
        if known is None:
            found[one.item.id] = Candidate(item=one.item, value=said, reason=one.reason, source=one.source)
        else:
            why = one if said > known.value else known
            value = known.value + said
            found[one.item.id] = Candidate(item=one.item, value=value, reason=why.reason, source=why.source)
    return sorted(found.values(), key=lambda one: (-one.value, one.item.id))


def scaled(values: Sequence[float]) -> list[float]:
    """Return values over the largest, so that those of different models compare; ranks where there is nothing above 0.

    >>> scaled([4.0, 1.0]), scaled([-1.0, -2.0])
    ([1.0, 0.25], [1.0, 0.5])
    """
    largest = max(values, default=0.0)
    if largest <= 0 or min(values) < 0:
        return [1.0 / place for place in range(1, len(values) + 1)]
    return [value / largest for value in values]


def arrange(
    candidates: Sequence[Candidate],
    rules: Sequence[RecommendationRule],
    k: int,
    *,
    just_bought: Iterable[int] = (),
    bought: Mapping[int, int] | None = None,
) -> Shelf:
    """Return the best ``k`` that the rules allow, varied where a rule asks for it.

    ``just_bought`` are items of this session, or of ever; ``bought`` the days since each item was bought last.
    """
    gone, days_since = set(just_bought), bought or {}
    tests = [(rule, TESTS[rule.does]) for rule in rules if rule.does in TESTS]
    kept, left = [], []
    for one in candidates:
        if one.item.id in gone:
            left.append(Left(candidate=one, rule=None))
        elif (rule := _taken_out_by(tests, one.item, days_since.get(one.item.id))) is not None:
            left.append(Left(candidate=one, rule=rule))
        else:
            kept.append(one)
    variety = max((rule.strength or VARIETY for rule in rules if rule.does == Does.DIVERSE), default=0)
    return Shelf(shown=varied(kept, k, variety / 100) if variety else kept[:k], left=left)


def varied(candidates: Sequence[Candidate], k: int, variety: float) -> list[Candidate]:
    """Return ``k`` by maximal marginal relevance (Carbonell, Goldstein 1998): likeness to what stands there costs.

    Two items are alike by the share of their categories, broadest first, that agree.
    """
    worth = [(1 - variety) * value for value in scaled([one.value for one in candidates])]
    left, waiting, shown = worth.copy(), dict.fromkeys(range(len(candidates))), list[Candidate]()
    relatives: dict[str, list[int]] = {}  # only items of one broadest category are alike at all
    for place, one in enumerate(candidates):
        for broadest in one.item.categories[:1]:
            relatives.setdefault(broadest, []).append(place)
    while waiting and len(shown) < k:
        best = max(waiting, key=left.__getitem__)
        del waiting[best]
        shown.append(candidates[best])
        for broadest in candidates[best].item.categories[:1]:
            for place in relatives[broadest]:
                costs = variety * likeness(candidates[place].item, candidates[best].item)
                left[place] = min(left[place], worth[place] - costs)
    return shown


def likeness(one: Item, other: Item) -> float:
    """Return the share of the longer path of categories that both items have in common, from the broadest on."""
    mine, its = one.categories, other.categories
    if not mine or not its:
        return 0.0
    common = 0  # counted by hand: a web request compares hundreds
    for own, its_own in zip(mine, its, strict=False):
        if own != its_own:
            break
        common += 1
    return common / max(len(mine), len(its))


def allowed(links: Iterable[ItemLink], rules: Sequence[RecommendationRule]) -> list[ItemLink]:
    """Return the links to items that no rule takes out; nobody is asking here, so nobody has bought anything."""
    tests = [(rule, TESTS[rule.does]) for rule in rules if rule.does in TESTS]
    return [link for link in links if _taken_out_by(tests, link.other, None) is None]


def asks_back(rules: Iterable[RecommendationRule]) -> int:
    """Return how many days back rules ask what was bought; 0 where none asks."""
    return max((rule.days or LATELY for rule in rules if rule.does == Does.BOUGHT), default=0)


def holds_of(rule: RecommendationRule, item: Item) -> bool:
    """Return whether an item is among those that a rule is about."""
    return (
        (not rule.category or rule.category in item.categories)
        and (not rule.brand or rule.brand == item.brand)
        and (not rule.codes or item.code in rule.codes)
    )


def _taken_out_by(
    tests: Iterable[tuple[RecommendationRule, Test]], item: Item, days: int | None
) -> RecommendationRule | None:
    """Return the first rule that takes an item out, which was bought last so many days ago, if one does."""
    for rule, test in tests:
        if test(rule, item, days) and holds_of(rule, item):
            return rule
    return None


def _out_of_stock(rule: RecommendationRule, item: Item, _days: int | None) -> bool:
    stock = number(item.attributes.get("stock"))
    return stock is not None and stock < (1 if rule.least is None else rule.least)


def _out_of_band(rule: RecommendationRule, item: Item, _days: int | None) -> bool:
    if item.price is None:
        return True
    return (rule.least is not None and item.price < rule.least) or (rule.most is not None and item.price > rule.most)


def _too_little_margin(rule: RecommendationRule, item: Item, _days: int | None) -> bool:
    margin = margin_of(item)
    return margin is None or margin < (rule.least or 0)


def _bought_lately(rule: RecommendationRule, _item: Item, days: int | None) -> bool:
    return days is not None and days < (rule.days or LATELY)


def margin_of(item: Item) -> Decimal | None:
    """Return the margin in percent of the price: as the shop told it, or from what the item costs the shop.

    >>> str(margin_of(Item(price=Decimal(10), attributes={"cost": "7.5"})))
    '25.00'
    """
    told = number(item.attributes.get("margin"))
    if told is not None:
        return told
    cost = number(item.attributes.get("cost"))
    return None if cost is None or not item.price else (item.price - cost) / item.price * 100


def number(told: object) -> Decimal | None:
    """Return a number that a shop sent, as it is or as text; nothing for anything else.

    >>> number("3"), number(True), number("many"), number("NaN")
    (Decimal('3'), None, None, None)
    """
    if type(told) is int:  # as most shops send it
        return Decimal(told)
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        found = Decimal(str(told).strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


TESTS: Final[Mapping[str, Test]] = {
    Does.EXCLUDE: lambda _rule, _item, _days: True,
    Does.STOCK: _out_of_stock,
    Does.PRICE: _out_of_band,
    Does.MARGIN: _too_little_margin,
    Does.BOUGHT: _bought_lately,
}
