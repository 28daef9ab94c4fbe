"""What rules are refused, by which words; the largest that are taken; and how they read."""

from typing import Any

import pytest
from django.utils import translation

from campaigns import rules
from campaigns.rules import RuleError, sentences
from campaigns.segmenting import segments
from tests import factories
from tests.campaigns.factories import NOW

DEEP: Any = {"all": []}
for _ in range(2000):
    DEEP = {"all": [DEEP]}
HOSTILE: list[Any] = [
    None, [], "all", 7, {},
    {"all": {}},
    {"all": [], "any": []},
    {"all": [None]},
    {"all": [], "x": 1}, DEEP,
    {"field": "city; DROP TABLE crm_event", "is": "is", "value": "x"},
    {"field": "name", "is": "is", "value": "x"},
    {"field": "traits", "is": "known"},
    {"field": "birth_date", "is": "known"},
    {"field": ["city"], "is": "is", "value": "x"},
    {"field": "attributes.phone", "is": "known"},
    {"field": "attributes.a' OR 1=1 --", "is": "known"},
    {"field": "attributes.", "is": "known"},
    {"field": "city", "is": "= '' OR 1=1", "value": "x"},
    {"field": "city", "is": "is"},
    {"field": "city", "is": "is", "value": {"$ne": 1}},
    {"field": "city", "is": "is", "value": "a\0b"},
    {"field": "city", "is": "is", "value": "\ud800"},
    {"field": "city", "is": "is", "value": "x" * 201},
    {"field": "city", "is": "known", "value": 1},
    {"field": "city", "is": "in", "value": ["x"] * 10_001},
    {"field": "birth_month", "is": "is", "value": float("nan")},
    {"field": "birth_month", "is": "is", "value": 10**400},
    {"field": "birth_month", "is": "at_most", "value": float("inf")},
    {"field": "birth_month", "is": "is", "value": True},
    {"field": "birth_month", "is": "between", "value": [3, 1]},
    {"field": "gender", "is": "is", "value": "x"},
    {"field": "created_at", "is": "before", "value": "9999-99-99"},
    {"field": "created_at", "is": "after", "value": "9999-12-31"},
    {"field": "created_at", "is": "within_days", "value": 10**9},
    {"field": "personalisation", "is": "is", "value": 1},
    {"address": "external_id", "is": "known"},
    {"consent": "x", "channel": "fax", "is": "allowed"},
    {"event": "purchase", "measure": {"count": {"is": "at_least", "value": 1}, "never": True}},
    {"event": "purchase", "measure": {"never": False}},
    {"event": "purchase", "within": {"days": 3, "from": "2026-01-01"}},
    {"event": "purchase", "within": {"from": "2026-02-01", "until": "2026-01-01"}},
    {"event": "purchase", "within": {}},
    {"event": "purchase", "where": [{"field": "sealed", "is": "known"}]},
    {"event": "pg_sleep(9)"},
    {"event": "purchase", "then": {"event": "purchase"}},
    {"event": "purchase", "then": {"event": "x", "within_days": -1}},
    {"score": "salary", "is": "at_least", "value": 1},
    {"score": "churn", "is": "top_share", "value": 2},
    {"score": "churn", "fact": "alive", "is": "at_least", "value": 0.5},
    {"score": "value", "fact": "alive' OR 1=1", "is": "at_least", "value": 0.5},
    {"cluster": "rfm", "value": [2**40]},
    {"recommended": {}},
    {"repurchase": {}},
    {"repurchase": {"item": "a", "category": "b"}, "due_within_days": 1},
    {"repurchase": {}, "due_within_days": -1},
    {"repurchase": {}, "due_within_days": 367},
    {"campaign": "1", "is": "received"},
    {"bucket": "", "from": 0, "until": 1},
    {"bucket": "a", "from": -1, "until": 1},
    {"segment": 0},
    {"segment": 2**63},
    {"any": [{"segment": 1}] * 201},
    {"any": [{"any": [{"address": "email", "is": "known"}] * 101}] * 2},
]  # fmt: skip


@pytest.mark.parametrize("tree", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_not_understood_is_refused_in_words(tree: Any) -> None:
    with pytest.raises(RuleError) as refused:
        rules.parse(tree)
    assert refused.value.reason
    assert str(refused.value)


AT_LIMITS: list[Any] = [
    {"field": "city", "is": "not_in", "value": [f"{number}%'\"\\{{}}" for number in range(10_000)]},
    {"any": [{"event": "purchase", "measure": {"count": {"is": "at_least", "value": n + 2}}} for n in range(60)]},
    {"all": [{"none": [{"any": [{"all": [{"any": [{"all": [{"any": [{"all": []}]}]}]}]}]}]}]},
    {"event": "purchase", "within": {"days": 36_500}, "measure": {"sum": {"is": "at_least", "value": 1e12}}},
    {"event": "view", "then": {"event": "view", "within_days": 36_500}},
    {
        "all": [
            {"bucket": "%s %(p0)s", "from": 0, "until": 1},
            {"field": "attributes.plan", "is": "is", "value": "%(p1)s"},
        ]
    },
]


@pytest.mark.django_db
@pytest.mark.parametrize("tree", AT_LIMITS, ids=range(len(AT_LIMITS)))
def test_the_largest_rules_are_answered(tree: Any) -> None:
    factories.profile()
    assert len(segments.fetched(segments.compile(rules.parse(tree), NOW))) <= 1


# -- words --


def test_a_rule_is_read_back_in_both_languages() -> None:
    told = {
        "all": [
            {"event": "purchase", "where": [{"field": "category", "is": "is", "value": "tea"}], "within": {"days": 30},
             "measure": {"count": {"is": "at_least", "value": 3}}},
            {"none": [{"event": "purchase", "within": {"days": 7}}]},
            {"field": "city", "is": "in", "value": ["上海", "杭州"]},
        ]
    }  # fmt: skip
    with translation.override("en"):
        assert sentences.sentence(rules.parse(told)) == (
            "People who fulfil this: “purchase” (where category is “tea”) in the last 30 days times: is at least 3"
            " and none of these: (“purchase” in the last 7 days at least once) and city is one of “上海”, “杭州”."
        )
        assert sentences.sentence(rules.parse({"all": []})) == "Everybody."
