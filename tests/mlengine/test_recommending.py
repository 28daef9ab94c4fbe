"""A person's recommendations now: models, session, rules and consent together, as an app and a message read them."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm import merging
from crm.models import Item, Profile
from mlengine import online, recommending
from mlengine.models import ItemLink, PredictionRun, Recommendation, Repurchase
from mlengine.shop_rules import RecommendationRule
from tests import api, factories
from tests.api import NOW
from tests.crm import consents
from tests.crm.senders import key_of

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
SCOPES = ("recommendations:read", "items:read")


def items(*codes: str, **facts: Any) -> dict[str, Item]:
    return {code: factories.item(code, **facts) for code in codes}


def recommended(person: Profile, *shown: Item, spec: str = "recommendations") -> PredictionRun:
    """Let the model recommend items to a person, all equally strong but for their order, and popular to all."""
    run = PredictionRun.objects.latest_finished(spec) or api.run(spec)
    for rank, item in enumerate(shown, start=1):
        Recommendation.objects.create(profile=person, run=run, item=item, rank=rank, value=1 / rank, reason={})
    run.summary = {"top": [[item.pk, 9 - place] for place, item in enumerate(shown)], "people": 10}
    run.save()
    return run


def linked(item: Item, *others: Item, kind: str = "next") -> None:
    run = PredictionRun.objects.latest_finished("companions") or api.run("companions")
    for rank, other in enumerate(others, start=1):
        ItemLink.objects.create(run=run, item=item, kind=kind, rank=rank, other=other, value=1 / rank, people=70)


def rule(does: str, **facts: Any) -> RecommendationRule:
    return RecommendationRule.objects.create(name=f"rule: {does}", does=does, **facts)


def codes(person: Profile, k: int = 10, now: datetime = NOW) -> list[str]:
    return [one.item.code for one in recommending.answer([person.pk], person.pk, k, now).shown]


def test_what_is_looked_at_changes_the_next_answer_and_says_why() -> None:
    person, shop = factories.profile(), items("bread", "milk", "tent", "stove")
    recommended(person, shop["bread"], shop["milk"])
    linked(shop["tent"], shop["stove"])
    assert codes(person) == ["bread", "milk"]
    api.event(person, NOW - MINUTE, item=shop["tent"])
    answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert [one.item.code for one in answer.shown] == ["bread", "milk", "stove"]
    stove = answer.shown[2]
    assert stove.reason == {"code": "because_of_now", "values": {"item": shop["tent"].pk, "people": 70}}
    assert (answer.basis, stove.source) == ("personal", "session")


def test_an_app_sends_an_event_and_the_next_answer_reflects_it() -> None:
    """End to end: the ingestion API takes a view, the very next request shows what it leads to."""
    shop, source = items("bread", "tent", "stove"), factories.source("app")
    person = factories.profile("u-7")
    recommended(person, shop["bread"])
    linked(shop["tent"], shop["stove"])
    client = api.caller(*SCOPES)
    address = f"/api/v1/profiles/{person.pk}/recommendations/"
    before = client.get(address)
    sent = {
        "userId": "u-7",
        "messageId": "m-1",
        "event": "Product Viewed",
        "properties": {"product_id": "tent"},
        "timestamp": timezone.now().isoformat(),
    }
    told = Client().post("/v1/track", sent, "application/json", headers=key_of(source))
    assert told.status_code == 200, told.content
    after = client.get(address, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    body = after.json()
    assert [one["item"]["code"] for one in body["results"]] == ["bread", "stove"]
    assert (body["basis"], body["session_items"]) == ("personal", 1)
    assert (body["results"][1]["origin"], body["results"][1]["because"]) == ("session", "Because you looked at tent")
    assert body["results"][1]["reason"]["values"]["people"] == 50  # of 70: no exact counts of people leave


def test_somebody_unknown_is_served_by_the_session_alone() -> None:
    person, other, shop = factories.profile(), factories.profile(), items("bread", "tent", "stove")
    recommended(other, shop["bread"])
    linked(shop["tent"], shop["stove"])
    assert recommending.answer([person.pk], person.pk, 10, NOW).basis == "popular"
    api.event(person, NOW - MINUTE, item=shop["tent"])
    answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert (answer.basis, [one.item.code for one in answer.shown]) == ("session", ["stove"])


def test_a_pause_ends_a_session_and_the_future_does_not_belong_to_it() -> None:
    person, shop = factories.profile(), items("a", "b", "c", "d")
    for code, ago in (("a", 1), ("b", 29), ("c", 62), ("d", -600)):
        api.event(person, NOW - ago * MINUTE, item=shop[code])
    recommended(factories.profile(), shop["a"])
    doing = recommending.answer([person.pk], person.pk, 10, NOW).session
    assert [item for item, _weight in doing.items] == [shop["a"].pk, shop["b"].pk]
    assert recommending.answer([person.pk], person.pk, 10, NOW + 31 * MINUTE).session.is_empty


def test_an_item_just_bought_is_not_offered_again() -> None:
    person, shop = factories.profile(), items("bread", "milk")
    recommended(person, shop["bread"], shop["milk"])
    api.event(person, NOW - MINUTE, item=shop["bread"], kind="purchase")
    assert codes(person) == ["milk"]


@pytest.mark.parametrize("no", [{"personalisation": False}, {"age_class": "minor"}])
def test_who_may_not_be_profiled_gets_what_is_popular_whatever_she_does(no: dict[str, Any]) -> None:
    person, other, shop = factories.profile(**no), factories.profile(), items("bread", "tent", "stove")
    run = recommended(other, shop["bread"])
    Recommendation.objects.create(profile=person, run=run, item=shop["stove"], rank=1, value=1, reason={})
    linked(shop["tent"], shop["stove"])
    api.event(person, NOW - MINUTE, item=shop["tent"])
    answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert (answer.basis, [one.item.code for one in answer.shown]) == ("popular", ["bread"])
    assert answer.session.is_empty


def test_without_the_consent_that_is_asked_for_a_session_does_not_count() -> None:
    person, other, shop = factories.profile(), factories.profile(), items("bread", "tent", "stove")
    recommended(other, shop["bread"])
    linked(shop["tent"], shop["stove"])
    api.event(person, NOW - MINUTE, item=shop["tent"])
    consents.purpose("profiles", kind="profiling")
    answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert (answer.basis, answer.session.is_empty) == ("popular", True)


def test_all_profiles_of_a_person_make_one_session() -> None:
    kept, duplicate, shop = factories.profile(), factories.profile(), items("tent", "stove", "bread")
    recommended(kept, shop["bread"])
    linked(shop["tent"], shop["stove"])
    api.event(duplicate, timezone.now(), item=shop["tent"])
    merging.merge(duplicate.pk, kept.pk, now=NOW, reason="test", source=factories.source())
    body = api.caller(*SCOPES).get(f"/api/v1/profiles/{duplicate.pk}/recommendations/").json()
    assert [one["item"]["code"] for one in body["results"]] == ["bread", "stove"]


def test_without_links_of_what_comes_next_those_of_baskets_serve() -> None:
    person, shop = factories.profile(), items("tent", "stove", "mat", "bread")
    recommended(person, shop["bread"])
    linked(shop["tent"], shop["stove"], kind="together")
    linked(shop["tent"], shop["mat"], kind="similar")
    api.event(person, NOW - MINUTE, item=shop["tent"])
    assert codes(person) == ["bread", "stove"]


def test_holes_that_rules_leave_are_filled_by_what_is_popular_and_allowed() -> None:
    person, other, shop = factories.profile(), factories.profile(), items("bread", "wine", "milk", "gin")
    recommended(person, shop["wine"], shop["bread"])
    recommended(other, shop["gin"], shop["milk"])
    rule("exclude", codes=["wine", "gin"])
    answer = recommending.answer([person.pk], person.pk, 2, NOW)
    assert [(one.item.code, one.source) for one in answer.shown] == [("bread", "model"), ("milk", "popular")]
    assert {(one.candidate.item.code, one.rule.name) for one in answer.left if one.rule} == {
        ("wine", "rule: exclude"),
        ("gin", "rule: exclude"),
    }


def test_a_rule_that_is_switched_off_rules_nothing_and_saving_it_counts_at_once() -> None:
    person, shop = factories.profile(), items("bread", "milk")
    recommended(person, shop["bread"], shop["milk"])
    made = rule("exclude", codes=["bread"], is_active=False)
    assert codes(person) == ["bread", "milk"]
    made.is_active = True
    made.save()
    assert codes(person) == ["milk"]


def test_what_was_bought_lately_is_left_out_by_the_event_itself() -> None:
    person, shop = factories.profile(), items("bread", "milk")
    recommended(person, shop["bread"], shop["milk"])
    rule("bought", days=30)
    api.event(person, NOW - timedelta(days=29), item=shop["bread"], kind="purchase")
    api.event(person, NOW - timedelta(days=31), item=shop["milk"], kind="purchase")
    assert codes(person, 1) == ["milk"]


def test_new_items_get_the_places_that_a_rule_gives_them_and_say_so() -> None:
    person = factories.profile()
    shop = items("a", "b", "c", categories=["drinks", "tea"])
    recommended(person, *shop.values())
    old = {"created_at": NOW - timedelta(days=40)}
    factories.item("young", categories=["drinks", "tea"], created_at=NOW - timedelta(days=3))
    factories.item("old", categories=["drinks", "tea"], **old)
    factories.item("elsewhere", categories=["tools"], created_at=NOW)
    Item.objects.filter(code__in=shop).update(**old)
    rule("fresh")
    answer = recommending.answer([person.pk], person.pk, 3, NOW)
    assert [one.item.code for one in answer.shown] == ["a", "b", "young"]
    assert answer.shown[2].reason == {"code": "new_item", "values": {"category": "tea", "days": 3}}


def test_messages_give_new_items_their_places_too(django_assert_num_queries: Any) -> None:
    one, other, third = (factories.profile() for _ in range(3))
    tea, tools = items("a", "b", "c", categories=["drinks", "tea"]), items("saw", "axe", "nail", categories=["tools"])
    recommended(other, *tools.values())
    recommended(one, *tea.values())  # these are popular, too
    Item.objects.update(created_at=NOW - timedelta(days=40))
    for code, category, days in (("young", "tea", 3), ("younger", "tea", 2), ("drill", "tools", 1), ("hat", "hats", 1)):
        factories.item(code, categories=[category], created_at=NOW - timedelta(days=days))
    rule("fresh", strength=2)
    rule("exclude", codes=["younger"])
    with django_assert_num_queries(5):  # run, rules, rows, popular, new
        lists, popular = recommending.answers([one.pk, other.pk, third.pk], 3, NOW)
    assert {person: [each.item.code for each in shown] for person, shown in lists.items()} == {
        one.pk: ["a", "b", "young"],
        other.pk: ["saw", "axe", "drill"],
    }
    assert [each.item.code for each in popular] == ["a", "b", "young"]
    assert lists[one.pk][2].reason == {"code": "new_item", "values": {"category": "tea", "days": 3}}
    assert codes(one, 3) == ["a", "b", "young"]  # as an app is told


def test_messages_keep_the_same_rules_for_each_of_a_batch(django_assert_num_queries: Any) -> None:
    one, other, shop = factories.profile(), factories.profile(), items("bread", "milk", "wine")
    recommended(one, shop["bread"], shop["wine"], shop["milk"])
    recommended(other, shop["wine"], shop["bread"])
    rule("exclude", codes=["wine"])
    rule("bought")
    api.event(other, NOW - timedelta(days=1), item=shop["bread"], kind="purchase")
    with django_assert_num_queries(6):  # run, rules, rows, merges, purchases, popular
        lists, popular = recommending.answers([one.pk, other.pk], 10, NOW)
    assert {person: [each.item.code for each in shown] for person, shown in lists.items()} == {
        one.pk: ["bread", "milk"],
        other.pk: [],
    }
    assert [each.item.code for each in popular] == ["bread"]


def test_items_that_go_with_an_item_keep_the_rules_too() -> None:
    shop = items("tent", "stove", "gun", "gone")
    Item.objects.filter(code="gone").update(available_to=NOW)
    linked(shop["tent"], shop["gun"], shop["gone"], shop["stove"], kind="together")
    rule("exclude", codes=["gun"])
    client = api.caller(*SCOPES)
    told = client.get(f"/api/v1/items/{shop['tent'].pk}/companions/").json()["results"]
    assert [(one["rank"], one["item"]["code"], one["people"]) for one in told] == [(1, "stove", 50)]
    assert client.get(f"/api/v1/items/{shop['tent'].pk}/companions/?kind=next").json()["results"] == []
    assert client.get("/api/v1/items/0/companions/").status_code == 404
    assert api.error(client.get(f"/api/v1/items/{shop['tent'].pk}/companions/?kind=x")) == (400, "invalid", "kind")


def needs(
    person: Profile, run: PredictionRun, rank: int, due: int, item: Item | None = None, category: str = ""
) -> None:
    on = timezone.localtime(run.cutoff).date()
    Repurchase.objects.create(
        profile=person,
        run=run,
        rank=rank,
        item=item,
        category=category,
        probability=0.8,
        times=5,
        every_days=7,
        last_on=on - timedelta(days=3),
        due_on=on + timedelta(days=due),
        due_from=on,
        due_until=on + timedelta(days=due + 3),
    )


def test_repurchases_are_told_in_their_order_and_not_of_who_objects() -> None:
    person, milk = factories.profile(), factories.item("milk")
    run = api.run("repurchase")
    needs(person, run, 1, 4, milk, "dairy")
    needs(person, run, 2, 9, None, "dairy")
    client = api.caller("events:read")
    told = client.get(f"/api/v1/profiles/{person.pk}/repurchases/").json()
    assert [(one["item"] and one["item"]["code"], one["category"], one["due_on"]) for one in told["results"]] == [
        ("milk", "dairy", "2026-03-05"),
        (None, "dairy", "2026-03-10"),
    ]
    Profile.objects.update(personalisation=False)
    assert online.repurchases_of(person.pk) == []


def test_when_somebody_last_bought_is_told_to_whom_her_events_are_open() -> None:
    person, milk = factories.profile(), factories.item("milk")
    needs(person, api.run("repurchase"), 1, 4, milk, "dairy")
    address = f"/api/v1/profiles/{person.pk}/repurchases/"
    shop_front = api.caller("recommendations:read", "scores:read", "items:read")
    assert api.error(shop_front.get(address)) == (403, "permission_denied", None)
    same_as_events = api.caller("events:read")
    assert same_as_events.get(f"/api/v1/profiles/{person.pk}/events/").status_code == 200
    assert same_as_events.get(address).json()["results"][0]["last_on"] == "2026-02-26"


def test_who_takes_consent_back_has_nothing_personal_at_once() -> None:
    person, other, shop = factories.profile(), factories.profile(), items("bread", "milk")
    recommended(person, shop["milk"])
    recommended(other, shop["bread"])
    rule("bought", days=30)
    api.event(person, NOW - timedelta(days=2), item=shop["bread"], kind="purchase")
    consents.purpose("profiles", kind="profiling")  # which nobody has given
    answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert (answer.basis, [one.item.code for one in answer.shown], answer.left) == ("popular", ["bread"], [])


def test_discovery_shows_nothing_that_was_bought_whoever_brings_it() -> None:
    person, shop = factories.profile(), items("bread", "tent", "stove", "mat")
    recommended(person, shop["bread"], spec="discovery")
    linked(shop["tent"], shop["stove"], shop["mat"])
    api.event(person, NOW - timedelta(days=400), item=shop["stove"], kind="purchase")
    api.event(person, NOW - MINUTE, item=shop["tent"])
    answer = recommending.answer([person.pk], person.pk, 10, NOW, "discovery")
    assert [one.item.code for one in answer.shown] == ["bread", "mat"]


def test_an_item_that_two_rules_call_new_is_shown_once() -> None:
    person, shop = factories.profile(), items("a", categories=["tea"])
    recommended(person, shop["a"])
    Item.objects.update(created_at=NOW - timedelta(days=40))
    factories.item("young", categories=["tea"], created_at=NOW - timedelta(days=3))
    rule("fresh")
    rule("fresh", category="tea")
    assert codes(person) == ["a", "young"]


def test_messages_know_what_a_merged_profile_bought() -> None:
    person, duplicate, shop = factories.profile(), factories.profile(), items("bread", "milk")
    recommended(person, shop["bread"], shop["milk"])
    rule("bought", days=30)
    api.event(duplicate, NOW - timedelta(days=2), item=shop["bread"], kind="purchase")
    merging.merge(duplicate.pk, person.pk, now=NOW, reason="test", source=factories.source())
    lists, _popular = recommending.answers([person.pk], 10, NOW)
    assert [one.item.code for one in lists[person.pk]] == ["milk"]


def test_margin_and_price_are_asked_of_real_rows() -> None:
    person = factories.profile()
    dear = factories.item("dear", price=Decimal(90), attributes={"cost": 45})
    cheap = factories.item("cheap", price=Decimal(5), attributes={"cost": 1})
    recommended(person, dear, cheap)
    rule("price", least=10)
    rule("margin", least=50)
    assert codes(person, 1) == ["dear"]
