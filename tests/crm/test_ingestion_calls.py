"""What each call of the Segment HTTP API does, and whom it means."""

import gzip
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import Event, EventKey, Identifier, Profile, ProfileAlias, Source
from tests import factories
from tests.crm.senders import Send, key_of, rejected, track

pytestmark = pytest.mark.django_db


def test_an_event_becomes_a_row_of_its_person(send: Send, source: Source) -> None:
    assert rejected(send("track", track(properties={"plan": "pro"}, channel="browser"))) == []
    event = Event.objects.get()
    assert (event.kind, event.name, event.channel, event.properties) == (
        "track",
        "Signed up",
        "browser",
        {"plan": "pro"},
    )
    assert event.source == source
    assert factories.identifiers(event.profile) == {("external_id", "u1")}


def test_a_message_sent_again_changes_nothing(send: Send) -> None:
    for _ in range(2):
        rejected(send("batch", {"batch": [track(messageId="m1"), track(messageId="m1"), track(messageId="m2")]}))
    assert Event.objects.count() == EventKey.objects.count() == 2


def test_messages_without_an_id_are_taken_as_often_as_they_are_sent(send: Send) -> None:
    rejected(send("batch", {"batch": [track(), track()]}))
    assert Event.objects.count() == 2


def test_the_same_message_id_of_another_source_is_another_message(send: Send) -> None:
    rejected(send("track", track(messageId="m1")))
    other = key_of(factories.source("till"))
    Client().post("/v1/track", track(messageId="m1"), "application/json", headers=other)
    assert Event.objects.count() == 2


def test_the_senders_clock_is_corrected(send: Send) -> None:
    behind = timezone.now() - timedelta(days=2000)
    body = {"sentAt": behind.isoformat(), "batch": [track(timestamp=(behind - timedelta(minutes=5)).isoformat())]}
    assert rejected(send("batch", body)) == []
    event = Event.objects.get()
    assert event.received_at - event.occurred_at == timedelta(minutes=5)


def test_traits_fill_the_profile(send: Send) -> None:
    traits = {
        "name": "李雷",
        "email": "Li@Example.com",
        "phone": "+86 138-0000-0000",
        "gender": "M",
        "birthday": "1990-05-17",
        "address": {"city": "杭州", "state": "浙江"},
        "plan": "pro",
    }
    rejected(send("identify", {"userId": "u1", "traits": traits, "context": {"locale": "zh-CN"}}))
    profile = Profile.objects.get()
    assert (profile.name, profile.gender, profile.birth_month, profile.birth_day) == ("李雷", "male", 5, 17)
    assert (profile.province, profile.city, profile.language) == ("浙江", "杭州", "zh-CN")
    assert profile.attributes == {"plan": "pro"}
    assert factories.identifiers(profile) == {
        ("external_id", "u1"),
        ("email", "li@example.com"),
        ("phone", "+8613800000000"),
    }
    assert "李雷" not in json.dumps(Event.objects.get().properties)


def test_later_traits_add_to_earlier_ones(send: Send) -> None:
    rejected(send("identify", {"userId": "u1", "traits": {"plan": "pro", "gender": "f"}}))
    rejected(send("identify", {"userId": "u1", "traits": {"seats": 3}}))
    profile = Profile.objects.get()
    assert (profile.gender, profile.attributes) == ("female", {"plan": "pro", "seats": 3})


def test_an_order_is_one_purchase_of_each_product(send: Send) -> None:
    products = [
        {"product_id": "tea", "name": "Green tea", "price": 10, "quantity": 2},
        {"sku": "cup", "price": "5.00"},
    ]
    properties = {"order_id": "o1", "currency": "cny", "discount": 2.5, "products": products}
    for message_id in ("m1", "a reload of the thank-you page"):
        rejected(send("track", track(event="Order Completed", messageId=message_id, properties=properties)))
    lines = Event.objects.order_by("item__code").values_list(
        "kind", "item__code", "item__title", "value", "quantity", "discount", "currency", "session"
    )
    assert list(lines) == [
        ("purchase", "cup", "cup", Decimal("4.50"), Decimal(1), Decimal("0.50"), "CNY", "o1"),
        ("purchase", "tea", "Green tea", Decimal("18.00"), Decimal(2), Decimal("2.00"), "CNY", "o1"),
    ]


@pytest.mark.parametrize(
    ("name", "kind"), [("Product Viewed", "view"), ("Product Added", "cart"), ("Order Refunded", "refund")]
)
def test_shop_events_have_their_kinds(send: Send, name: str, kind: str) -> None:
    rejected(send("track", track(event=name, properties={"product_id": "tea"})))
    assert Event.objects.get().kind == kind


@pytest.mark.parametrize(
    ("type_", "body", "kind", "name"),
    [
        ("page", {"name": "Home", "properties": {"path": "/"}}, "page", "Home"),
        ("screen", {"name": "Cart"}, "screen", "Cart"),
        ("group", {"groupId": "g1", "traits": {"size": 3}}, "group", "g1"),
    ],
)
def test_the_other_calls(send: Send, type_: str, body: dict[str, Any], kind: str, name: str) -> None:
    assert rejected(send(type_, {"anonymousId": "a1"} | body)) == []
    event = Event.objects.get()
    assert (event.kind, event.name) == (kind, name)


def test_gzip_is_understood(send: Send) -> None:
    body = gzip.compress(json.dumps({"batch": [track()]}).encode())
    assert rejected(send("batch", body, **{"Content-Encoding": "gzip"})) == []
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_official_client_unmodified(live_server: Any, source: Source) -> None:
    from segment.analytics import request
    from segment.analytics.client import Client as SegmentClient

    client = SegmentClient(source.renew_key(), host=live_server.url, gzip=True, sync_mode=False)
    client.identify("u1", {"name": "Ada", "plan": "pro"}, anonymous_id="a1")
    client.track("u1", "Order Completed", {"order_id": "o1", "products": [{"product_id": "p1", "price": 3}]})
    client.page("u1", name="Home")
    client.screen("u1", name="Cart")
    client.group("u1", "g1")
    client.alias("a2", "u1")
    client.shutdown()
    request._session.close()  # or the server's thread keeps its database connection
    assert sorted(Event.objects.values_list("kind", flat=True)) == ["group", "identify", "page", "purchase", "screen"]
    people = Identifier.objects.select_related("profile")
    assert {(one.value, one.profile.name) for one in people} == {(i, "Ada") for i in ("u1", "a1", "a2")}


def test_a_visitor_who_logs_in_becomes_the_user(send: Send) -> None:
    rejected(send("page", {"anonymousId": "a1"}))
    rejected(send("identify", {"anonymousId": "a1", "userId": "u1"}))
    assert Profile.objects.count() == 1
    assert not ProfileAlias.objects.exists()


def test_a_known_user_on_a_known_device_is_merged_once(send: Send) -> None:
    rejected(send("track", track()))
    rejected(send("page", {"anonymousId": "a1"}))
    for _ in range(2):
        rejected(send("identify", {"anonymousId": "a1", "userId": "u1"}))
    alias = ProfileAlias.objects.get()
    assert alias.canonical.identifiers.get().value == "u1"
    assert alias.duplicate.events.count() == 1, "events never move"


def test_a_device_in_other_hands_merges_nobody(send: Send) -> None:
    rejected(send("identify", {"anonymousId": "shared", "userId": "u1"}))
    rejected(send("identify", {"anonymousId": "shared", "userId": "u2"}))
    assert Profile.objects.count() == 2
    assert not ProfileAlias.objects.exists()


def test_a_public_key_merges_nobody() -> None:
    source = factories.source("web", kind=Source.Kind.BROWSER)
    headers = key_of(source)

    def post(type_: str, body: dict[str, Any]) -> Any:
        return Client().post(f"/v1/{type_}", body, "application/json", headers=headers)

    rejected(post("track", track()))
    rejected(post("page", {"anonymousId": "a1"}))
    rejected(post("identify", {"anonymousId": "a1", "userId": "u1"}))
    refused = rejected(post("alias", {"previousId": "a1", "userId": "u1"}))
    assert [one["field"] for one in refused] == ["previousId"]
    assert not ProfileAlias.objects.exists()


def test_a_public_keys_claim_of_an_address_catches_nobodys_events(send: Send) -> None:
    web = key_of(factories.source("web", kind=Source.Kind.BROWSER))
    claim = {"userId": "stranger", "traits": {"email": "ada@example.com"}}
    rejected(Client().post("/v1/identify", claim, "application/json", headers=web))
    rejected(send("identify", {"userId": "ada", "traits": {"email": "ada@example.com"}}))
    assert (
        Profile.objects.identified("email", "ada@example.com").get().identifiers.get(type="external_id").value == "ada"
    )


def test_alias_gives_a_person_another_name(send: Send) -> None:
    rejected(send("track", track()))
    rejected(send("alias", {"previousId": "a1", "userId": "u1"}))
    rejected(send("page", {"anonymousId": "a1"}))
    assert Profile.objects.count() == 1


def test_alias_merges_two_known_people(send: Send) -> None:
    rejected(send("batch", {"batch": [track(), track(userId="u2")]}))
    rejected(send("alias", {"previousId": "u2", "userId": "u1"}))
    rejected(send("alias", {"previousId": "u1", "userId": "u2"}))
    alias = ProfileAlias.objects.get()
    assert alias.canonical == Profile.objects.identified("external_id", "u1").get()
