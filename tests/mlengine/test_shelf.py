"""The shelf: what rules take out, what variety costs, how a session and a model add up."""

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from crm.models import Item
from mlengine.shelf import Candidate, arrange, likeness, merged, varied
from mlengine.shop_rules import RecommendationRule


def item(pk: int, **facts: Any) -> Item:
    return Item(**{"pk": pk, "code": f"i{pk}", "title": f"Item {pk}", "categories": []} | facts)


def candidates(*items: Item) -> list[Candidate]:
    return [Candidate(item=one, value=1 / place, reason={}) for place, one in enumerate(items, start=1)]


def rule(does: str, **facts: Any) -> RecommendationRule:
    return RecommendationRule(name=does, does=does, **facts)


def left_by(made: RecommendationRule, one: Item, days: int | None = None) -> bool:
    shelf = arrange(candidates(one), [made], 5, bought={} if days is None else {one.pk: days})
    assert len(shelf.shown) + len(shelf.left) == 1
    return bool(shelf.left)


TEA = {"categories": ["drinks", "tea"], "brand": "Cha", "price": Decimal(10)}


@pytest.mark.parametrize(
    ("made", "facts", "out"),
    [
        (rule("exclude", category="tea"), TEA, True),
        (rule("exclude", category="drinks"), TEA, True),
        (rule("exclude", category="wine"), TEA, False),
        (rule("exclude", brand="Cha"), TEA, True),
        (rule("exclude", brand="Cha", category="wine"), TEA, False),
        (rule("exclude", codes=["i1", "i9"]), TEA, True),
        (rule("exclude", codes=["i9"]), TEA, False),
        (rule("stock"), {"attributes": {"stock": 0}}, True),
        (rule("stock"), {"attributes": {"stock": "0"}}, True),
        (rule("stock"), {"attributes": {"stock": 1}}, False),
        (rule("stock"), {"attributes": {}}, False),
        (rule("stock"), {"attributes": {"stock": "plenty"}}, False),
        (rule("stock"), {"attributes": {"stock": True}}, False),
        (rule("stock", least=5), {"attributes": {"stock": 4}}, True),
        (rule("stock", category="wine"), {"attributes": {"stock": 0}}, False),
        (rule("price", least=5, most=10), TEA, False),
        (rule("price", least=Decimal("10.01")), TEA, True),
        (rule("price", most=Decimal("9.99")), TEA, True),
        (rule("price", most=10), {"price": None}, True),
        (rule("margin", least=20), {"attributes": {"margin": 20}}, False),
        (rule("margin", least=20), {"attributes": {"margin": "19.9"}}, True),
        (rule("margin", least=20), {"price": Decimal(10), "attributes": {"cost": 8}}, False),
        (rule("margin", least=20), {"price": Decimal(10), "attributes": {"cost": 9}}, True),
        (rule("margin", least=20), {"price": Decimal(0), "attributes": {"cost": 9}}, True),
        (rule("margin", least=20), {"attributes": {"margin": "NaN"}}, True),
        (rule("diverse"), TEA, False),
        (rule("fresh"), TEA, False),
    ],
)
def test_a_rule_takes_out_what_it_says(made: RecommendationRule, facts: dict[str, Any], out: bool) -> None:
    assert left_by(made, item(1, **facts)) is out


@pytest.mark.parametrize(("days", "out"), [(None, False), (0, True), (29, True), (30, False)])
def test_what_was_bought_lately_is_left_out_until_the_days_have_passed(days: int | None, out: bool) -> None:
    assert left_by(rule("bought", days=30), item(1), days) is out


def test_what_was_bought_in_the_session_is_left_out_without_any_rule() -> None:
    shelf = arrange(candidates(item(1), item(2)), [], 5, just_bought={1})
    assert [one.item.pk for one in shelf.shown] == [2]
    assert [(one.candidate.item.pk, one.rule) for one in shelf.left] == [(1, None)]


def test_variety_puts_another_category_before_the_second_best_of_the_same() -> None:
    tea, more_tea, cup = (item(pk, categories=path) for pk, path in enumerate((["a", "b"], ["a", "b"], ["c"]), start=1))
    told = [Candidate(item=one, value=value, reason={}) for one, value in ((tea, 1.0), (more_tea, 0.9), (cup, 0.5))]
    assert [one.item.pk for one in varied(told, 3, 0.0)] == [1, 2, 3]
    assert [one.item.pk for one in varied(told, 3, 0.5)] == [1, 3, 2]
    assert [one.item.pk for one in arrange(told, [rule("diverse", strength=50)], 2).shown] == [1, 3]


@pytest.mark.parametrize("variety", [0.1, 0.3, 0.9, 1.0])
def test_variety_is_the_worth_less_the_likeness_to_the_likest_that_stands_there(variety: float) -> None:
    random = Random(7)
    paths = [[random.choice("ab"), random.choice("cd")][: random.randint(0, 2)] for _ in range(30)]
    told = candidates(*(item(pk, categories=path) for pk, path in enumerate(paths)))
    expected, waiting = list[Candidate](), told.copy()
    while waiting and len(expected) < 12:
        likest = [max((likeness(one.item, other.item) for other in expected), default=0.0) for one in waiting]
        left = [(1 - variety) * one.value - variety * alike for one, alike in zip(waiting, likest, strict=True)]
        expected.append(waiting.pop(left.index(max(left))))
    assert varied(told, 12, variety) == expected


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [(["a", "b"], ["a", "b"], 1.0), (["a", "b"], ["a", "c"], 0.5), (["a"], ["b"], 0.0), ([], [], 0.0)],
)
def test_likeness_is_the_common_part_of_the_path(one: list[str], other: list[str], alike: float) -> None:
    assert likeness(item(1, categories=one), item(2, categories=other)) == alike


def test_a_session_adds_to_what_the_model_says_and_the_stronger_side_gives_the_reason() -> None:
    first, second, third = item(1), item(2), item(3)
    model = [
        Candidate(item=first, value=1.0, reason={"code": "m"}),
        Candidate(item=second, value=0.3, reason={"code": "m"}),
    ]
    session = [
        Candidate(item=second, value=1.0, reason={"code": "s"}, source="session"),
        Candidate(item=third, value=0.2, reason={"code": "s"}, source="session"),
    ]
    found = merged(model, session, weight=0.8)
    assert [(one.item.pk, round(one.value, 2), one.reason["code"], one.source) for one in found] == [
        (2, 1.1, "s", "session"),
        (1, 1.0, "m", "model"),
        (3, 0.16, "s", "session"),
    ]
