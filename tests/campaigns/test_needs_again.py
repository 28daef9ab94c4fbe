"""Segments of who will need what again."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns import rules
from campaigns.rules import sentences
from campaigns.segmenting import segments
from crm import merging
from crm.models import Profile
from mlengine.models import Cluster, ClusterMember, Recommendation, Score
from tests import api, factories
from tests.api import NOW
from tests.mlengine.test_recommending import needs

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        ({"repurchase": {}, "due_within_days": 7}, ["a", "b"]),
        ({"repurchase": {"item": "milk"}, "due_within_days": 7}, ["a"]),
        ({"repurchase": {"item": "milk"}, "due_within_days": 3}, []),
        ({"repurchase": {"category": "care"}, "due_within_days": 7}, ["b"]),
        ({"repurchase": {"category": "care"}, "due_within_days": 4}, []),
        ({"repurchase": {"category": "dairy"}, "due_within_days": 366}, []),  # only its item is, not the category
    ],
)
def test_a_segment_asks_who_will_need_what_again(tree: dict[str, Any], found: list[str]) -> None:
    a, b, milk = factories.profile("a"), factories.profile("b"), factories.item("milk", categories=["dairy"])
    run = api.run("repurchase")
    needs(a, run, 1, 4, milk, "dairy")
    needs(b, run, 1, 5, None, "care")
    bought_since = factories.profile("c")
    needs(bought_since, run, 1, 2, None, "dairy")
    api.event(bought_since, NOW + timedelta(hours=1), item=milk, kind="purchase")
    asked = segments.compile(rules.parse(tree), NOW + timedelta(days=1))
    assert segments.fetched(asked).tolist() == sorted({"a": a.pk, "b": b.pk}[name] for name in found)


@pytest.mark.parametrize(
    "no",
    [{"personalisation": False}, {"restricted_at": NOW}, {"age_class": "minor"}, {"age_class": "child"}],
)
def test_answers_that_still_stand_put_nobody_who_says_no_into_a_segment(no: dict[str, Any]) -> None:
    refuses, agrees, milk = factories.profile("a"), factories.profile("b"), factories.item("milk", categories=["dairy"])
    needs_again, recommended, scored, grouped = (
        api.run(spec) for spec in ("repurchase", "recommendations", "churn", "rfm")
    )
    cluster = Cluster.objects.create(spec="rfm", code=3, first_seen_at=NOW)
    for person, value in ((refuses, 0.9), (agrees, 0.8)):
        needs(person, needs_again, 1, 4, milk, "dairy")
        Recommendation.objects.create(profile=person, run=recommended, rank=1, item=milk, value=1.0)
        Score.objects.create(profile=person, run=scored, value=value)
        ClusterMember.objects.create(profile=person, run=grouped, cluster=cluster)
    Profile.objects.filter(pk=refuses.pk).update(**no)
    for tree in (
        {"repurchase": {}, "due_within_days": 7},
        {"recommended": {"item": "milk"}, "within_rank": 3},
        {"score": "churn", "is": "at_least", "value": 0.5},
        {"score": "churn", "is": "top_share", "value": 0.5},  # half of those who may be asked about
        {"cluster": "rfm", "is": "in", "value": [3]},
    ):
        asked = segments.compile(rules.parse(tree), NOW + timedelta(days=1))
        assert segments.fetched(asked).tolist() == [agrees.pk], tree


def test_what_a_duplicate_bought_since_needs_no_reminder_either() -> None:
    person, duplicate, milk = factories.profile(), factories.profile(), factories.item("milk", categories=["dairy"])
    needs(person, api.run("repurchase"), 1, 4, milk, "dairy")
    api.event(duplicate, NOW + timedelta(hours=1), item=milk, kind="purchase")
    asked = rules.parse({"repurchase": {}, "due_within_days": 7})
    later = NOW + timedelta(days=1)
    assert segments.fetched(segments.compile(asked, later)).tolist() == [person.pk]
    merging.merge(duplicate.pk, person.pk, now=NOW, reason="test", source=factories.source())
    assert segments.fetched(segments.compile(asked, later)).tolist() == []


def test_before_any_model_has_answered_nobody_needs_anything() -> None:
    factories.profile("a")
    assert segments.fetched(segments.compile(rules.parse({"repurchase": {}, "due_within_days": 9}), NOW)).tolist() == []


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({}, "will likely want something again within 7 days"),
        ({"item": "milk"}, "will likely want the item “milk” again within 7 days"),
        ({"category": "care"}, "will likely want something of the category “care” again within 7 days"),
    ],
)
def test_the_rule_is_read_back(what: dict[str, str], words: str) -> None:
    told = sentences.sentence(rules.parse({"all": [{"repurchase": what, "due_within_days": 7}]}))
    assert told == f"People who fulfil this: {words}."
