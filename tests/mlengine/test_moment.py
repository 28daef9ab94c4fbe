"""What one answer asks the database, and that what a process remembers between answers is never old."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.serializers import ModelSerializer

from crm import partitions
from crm.models import Item, Profile, Purpose
from mlengine import moment, recommending, standing
from mlengine.api.answers import RecommendationOut, RecommendationsOut, RecommendedItem
from mlengine.models import ModelVersion, PredictionRun, Recommendation
from mlengine.shop_rules import RecommendationRule
from tests import api, factories
from tests.api import NOW
from tests.crm import consents
from tests.mlengine.test_recommending import codes, items, linked, recommended, rule

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


def served() -> Profile:
    """Return a person with a list, a session that leads somewhere, a purchase, and five rules over it all."""
    person, shop = factories.profile(), items("bread", "milk", "tent", "stove", "mat", categories=["a", "b"])
    recommended(person, shop["bread"], shop["milk"])
    Recommendation.objects.update(reason={"code": "goes_with", "values": {"item": shop["mat"].pk, "people": 70}})
    linked(shop["tent"], shop["stove"])
    api.event(person, NOW - MINUTE, item=shop["tent"])
    api.event(person, NOW - timedelta(days=3), item=shop["mat"], kind="purchase")
    rules: dict[str, Any] = {"exclude": {"codes": ["x"]}, "stock": {}, "bought": {}, "diverse": {}}
    for does, facts in rules.items():
        rule(does, **facts)
    rule("price", most=9, is_active=False)
    return person


def test_an_answer_takes_two_queries_whatever_counts_in_it(django_assert_num_queries: Any) -> None:
    person = served()
    assert codes(person) == ["bread", "milk", "stove"]
    with django_assert_num_queries(2):  # the person with all that holds for everybody, the items
        answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert [one.source for one in answer.shown] == ["model", "model", "session"]


def test_over_http_it_takes_two_more(django_assert_num_queries: Any) -> None:
    person, client = served(), api.caller("recommendations:read")
    Item.objects.filter(code="bread").update(price=Decimal("2.50"))
    PredictionRun.objects.update(cutoff=datetime(2026, 2, 28, 20, 0, 0, 123456, tzinfo=UTC))
    address = f"/api/v1/profiles/{person.pk}/recommendations/"
    client.get(address)
    with django_assert_num_queries(4):  # the token, who is meant; titles in reasons take none
        body = client.get(address).json()
    assert body["results"][0]["because"] == "Because you bought mat"
    assert body["results"][0]["item"]["price"] == "2.50"
    assert body["cutoff"] == "2026-03-01T04:00:00.123456+08:00"
    # What is sent is said without the fields that describe it.
    assert body.keys() == RecommendationsOut().fields.keys()
    assert body["results"][0].keys() == RecommendationOut().fields.keys()


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_its_statements_are_planned_once_and_tell_the_same(
    planned_for_anybody: None, django_assert_num_queries: Any
) -> None:
    person, client = served(), api.caller("recommendations:read")
    address = f"/api/v1/profiles/{person.pk}/recommendations/"
    with transaction.atomic():
        plainly = client.get(address).json()
    assert [client.get(address).json() for _time in range(3)] == [plainly] * 3
    with django_assert_num_queries(5):
        Profile.objects.filter(pk=person.pk).update(personalisation=False)
        assert client.get(address).json()["basis"] == "popular"
    with connection.cursor() as cursor:
        cursor.execute("SELECT generic_plans, custom_plans FROM pg_prepared_statements ORDER BY 1")
        assert cursor.fetchall() == [(3, 0), (4, 0), (4, 0), (4, 0)]  # the last time there were no items of her own


@pytest.mark.django_db(transaction=True)
def test_a_plan_for_anybody_leaves_out_the_months_that_are_not_asked_about(planned_for_anybody: None) -> None:
    person = served()
    partitions.ensure([partitions.month_of(NOW - timedelta(days=days)) for days in (200, 300, 400)])
    recommending.answer([person.pk], person.pk, 10, NOW)
    with CaptureQueriesContext(connection) as asked:
        recommending.answer([person.pk], person.pk, 10, NOW)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {asked[0]['sql']}")
        plan = [str(line) for (line,) in cursor.fetchall()]
    events = {line.split(" on ")[1].split()[0] for line in plan if "Scan" in line and " on crm_event_" in line}
    left_out = [line for line in plan if "Subplans Removed" in line]
    assert len(left_out) == 2  # of what she does now, and of what she bought
    assert len(events) <= 2, plan


@pytest.fixture
def planned_for_anybody() -> Iterator[None]:
    """Begin with a connection that plans a statement once, and not first a few times for those who are asked about."""
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("SET plan_cache_mode = force_generic_plan")
    yield
    connection.close()


@pytest.mark.parametrize("price", [None, Decimal(3), Decimal("3.50"), Decimal("1234567890.99")])
def test_an_item_is_told_as_its_fields_would_tell_it(price: Decimal | None) -> None:
    one = Item(pk=3, kind="article", code="c", title="T", brand="", price=price, currency="USD")
    by_fields = ModelSerializer.to_representation(RecommendedItem(), one)
    assert RecommendedItem(one).data == by_fields
    assert isinstance(by_fields["price"], str | None)


def test_what_nobody_reads_of_an_item_is_left_where_it_is() -> None:
    dear = factories.item("dear", body="long", price=Decimal("90.50"), attributes={"stock": 3}, available_from=NOW)
    found = moment.items([dear.pk, 0])
    assert list(found) == [dear.pk]
    assert found[dear.pk].get_deferred_fields() == moment.UNREAD
    assert found[dear.pk].body == "long"
    assert not found[dear.pk]._state.adding
    assert found[dear.pk]._state.db == "default"
    assert found[dear.pk] == dear
    assert all(getattr(found[dear.pk], one.attname) == getattr(dear, one.attname) for one in Item._meta.concrete_fields)


def test_an_item_is_remembered_until_it_changes() -> None:
    bread, milk = items("bread", "milk").values()
    first = moment.items([bread.pk, milk.pk])
    assert [moment.items([bread.pk, milk.pk])[pk] is one for pk, one in first.items()] == [True, True]
    for title in ("Rye", "Rye bread", "bread"):  # several times by one transaction, and back to what it was
        Item.objects.filter(pk=bread.pk).update(title=title)
        found = moment.items([milk.pk, bread.pk])
        assert (found[bread.pk].title, found[milk.pk] is first[milk.pk]) == (title, True)
    Item.objects.filter(pk=milk.pk).delete()
    assert moment.items([bread.pk, milk.pk]).keys() == {bread.pk}
    assert moment.items([]) == {}


def test_what_a_transaction_took_back_is_remembered_by_nobody() -> None:
    bread = items("bread")["bread"]
    with transaction.atomic():
        Item.objects.filter(pk=bread.pk).update(title="Rye")
        assert moment.items([bread.pk])[bread.pk].title == "Rye"
        transaction.set_rollback(True)
    assert moment.items([bread.pk])[bread.pk].title == "bread"


def test_no_more_items_are_remembered_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moment, "KEPT", 3)
    numbers = [one.pk for one in items("a", "b", "c", "d", "e").values()]
    moment._kept.clear()
    for _time in range(2):
        for pk in numbers:
            assert moment.items([pk])[pk].pk == pk
            assert len(moment._kept) <= 4


def test_a_purpose_of_profiling_adds_the_queries_of_one_consent(django_assert_num_queries: Any) -> None:
    person = served()
    consents.purpose("profiles", kind="profiling")
    consents.say(person, purpose="profiles", now=NOW - timedelta(days=9))
    assert codes(person) == ["bread", "milk", "stove"]
    with django_assert_num_queries(2 + 3):  # notices, merges, how she stands
        assert codes(person) == ["bread", "milk", "stove"]
    consents.say(person, "withdrawn", "profiles", now=NOW)
    assert recommending.answer([person.pk], person.pk, 10, NOW).basis == "popular"


def test_who_has_said_no_costs_no_more(django_assert_num_queries: Any) -> None:
    person = served()
    Profile.objects.filter(pk=person.pk).update(personalisation=False)
    recommending.answer([person.pk], person.pk, 10, NOW)
    with django_assert_num_queries(2):  # nothing of her, and the items that are popular
        answer = recommending.answer([person.pk], person.pk, 10, NOW)
    assert (answer.basis, answer.session.is_empty, answer.titles) == ("popular", True, {})
    assert moment.seen([person.pk], person.pk, NOW)[1].is_empty


def test_one_profile_that_says_no_speaks_for_all_of_a_person() -> None:
    person, duplicate = served(), factories.profile()
    both = [person.pk, duplicate.pk]
    assert recommending.answer(both, person.pk, 10, NOW).basis == "personal"
    Profile.objects.filter(pk=duplicate.pk).update(restricted_at=NOW)
    assert recommending.answer(both, person.pk, 10, NOW).basis == "popular"


@pytest.mark.parametrize(
    "change",
    [
        lambda: RecommendationRule.objects.filter(does="exclude").update(codes=["bread"]),
        lambda: RecommendationRule.objects.filter(does="price").update(is_active=True),
        lambda: RecommendationRule.objects.filter(does="stock").delete(),
        lambda: rule("exclude", codes=["milk"]),
        lambda: PredictionRun.objects.filter(spec="recommendations").update(summary={"top": []}),
        lambda: PredictionRun.objects.filter(spec="companions").update(shadow=True),
        lambda: api.run("discovery"),
        lambda: consents.purpose("profiles", kind="profiling"),
    ],
    ids=["changed", "switched on", "deleted", "added", "written again", "hidden", "finished", "asked"],
)
def test_whatever_is_decided_counts_in_the_next_answer(change: Any) -> None:
    before, _seen = moment.seen([1], 1, NOW)
    assert moment.seen([1], 1, NOW)[0] is before
    change()
    after, _seen = moment.seen([1], 1, NOW)
    assert after.version != before.version
    assert after == standing.renewed()


def test_two_changes_in_one_transaction_are_two() -> None:
    """A row keeps the number of its writer then, but not its place."""
    made = rule("exclude", codes=["a"])
    for code in "bcd":
        made.codes = [code]
        made.save()
        assert [one.codes for one in moment.seen([1], 1, NOW)[0].rules] == [[code]]


@pytest.fixture(autouse=True)
def shop(request: pytest.FixtureRequest) -> None:
    if "change" in request.fixturenames:
        served()


def test_going_back_to_an_earlier_champion_takes_its_successors_answers_with_it() -> None:
    person, shop = factories.profile(), items("bread", "milk")
    first = recommended(person, shop["bread"]).version
    second = ModelVersion.objects.create(spec=first.spec, number=2, cutoff=NOW, trained_at=NOW, stage="candidate")
    run = PredictionRun.objects.create(spec=first.spec, version=second, cutoff=NOW, started_at=NOW, finished_at=NOW)
    Recommendation.objects.create(profile=person, run=run, item=shop["milk"], rank=1, value=1, reason={})
    for champion, expected in ((first, "bread"), (second, "milk"), (first, "bread")):
        ModelVersion.objects.update(stage="retired")
        ModelVersion.objects.filter(pk=champion.pk).update(stage="champion")
        assert codes(person) == [expected]


def test_an_item_says_of_itself_what_the_question_says_of_it() -> None:
    hour = timedelta(hours=1)
    times = [None, NOW - hour, NOW, NOW + hour]
    for begun in times:
        for ended in times:
            if begun is None or ended is None or begun < ended:
                factories.item(f"{begun} {ended}", available_from=begun, available_to=ended)
    found = {item.pk for item in Item.objects.all() if item.is_available(NOW)}
    assert found == set(Item.objects.available(NOW).values_list("pk", flat=True))
    assert 0 < len(found) < Item.objects.count()


def test_of_each_item_only_the_links_that_are_known_best_are_followed() -> None:
    person, shop = factories.profile(), items("tent", "stove", "mat", "rope", "lamp", "bread")
    recommended(person, shop["bread"])
    linked(shop["tent"], shop["stove"], shop["mat"], kind="together")
    linked(shop["tent"], shop["rope"], kind="similar")
    linked(shop["mat"], shop["lamp"], kind="next")
    for minute, code in enumerate(("tent", "mat"), start=1):
        api.event(person, NOW - minute * MINUTE, item=shop[code])
    _holds, seen = moment.seen([person.pk], person.pk, NOW)
    assert {(item, other) for item, other, _value, _people in seen.links} == {
        (shop["tent"].pk, shop["stove"].pk),
        (shop["tent"].pk, shop["mat"].pk),
        (shop["mat"].pk, shop["lamp"].pk),
    }


def test_no_purpose_of_another_kind_is_asked() -> None:
    consents.purpose("offers")
    assert standing.renewed().purposes == ()
    asked = consents.purpose("profiles", kind="profiling")
    Purpose.objects.filter(code="offers").update(is_active=False)
    assert standing.renewed().purposes == (asked,)
