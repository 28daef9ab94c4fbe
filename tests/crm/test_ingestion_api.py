"""What senders may expect of the Segment HTTP API."""

import gzip
import json
import threading
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import ingest, ingestion_api, intake
from crm.models import Event, EventKey, Identifier, Profile, ProfileAlias, RejectedEvent, Source
from tests import factories

pytestmark = pytest.mark.django_db


def key_of(source: Source) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{source.renew_key()}:".encode()).decode()}


@pytest.fixture
def source() -> Source:
    return factories.source("shop", kind=Source.Kind.SERVER)


Send = Callable[..., Any]


@pytest.fixture
def send(source: Source) -> Send:
    """Return a function that posts a body (or raw bytes) to ``/v1/<type>`` with the source's key."""
    headers = key_of(source)

    def post(type_: str, body: Any, **extra: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return Client().generic("POST", f"/v1/{type_}", data, "application/json", headers=headers | extra)

    return post


def rejected(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    answer = json.loads(response.content)
    assert answer["success"] is True
    return list(answer["rejected"])


def error(response: Any) -> tuple[int, str]:
    body = json.loads(response.content)["error"]
    assert set(body) == {"code", "message", "field"}
    return response.status_code, body["code"]


def track(**facts: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u1", "event": "Signed up"} | facts


# -- what each call does ---------------------------------------------------------------------------------------------


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
    assert list(event.profile.identifiers.values_list("type", "value")) == [("external_id", "u1")]


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
    assert set(profile.identifiers.values_list("type", "value")) == {
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
    assert set(Identifier.objects.values_list("value", "profile__name")) == {(i, "Ada") for i in ("u1", "a1", "a2")}


# -- who is meant ----------------------------------------------------------------------------------------------------


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


# -- what is refused as a whole --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b" ", 400, "bad_json"),
        (b"[]", 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b"[" * 10_000 + b"]" * 10_000, 400, "bad_json"),
        (b'{"batch":[' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"]}", 400, "bad_json"),
        (b'{"batch":[' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"]}", 400, "bad_json"),
        (b'{"batch": 3}', 400, "invalid"),
        (b'{"batch": [], "sentAt": "yesterday"}', 400, "invalid"),
        (b'{"batch": ["' + b"x" * 512_000 + b'"]}', 413, "too_large"),
        (b" " * 700_000, 413, "too_large"),
    ],
    ids=[
        "cut",
        "empty",
        "list",
        "bytes",
        "deep",
        "deep in a message",
        "600 deep",
        "no list",
        "sentAt",
        "large",
        "larger",
    ],
)
def test_a_request_that_cannot_be_parsed(send: Send, body: bytes, status: int, code: str) -> None:
    assert error(send("batch", body)) == (status, code)
    assert not RejectedEvent.objects.exists()


def test_a_gzip_bomb_is_not_unpacked(send: Send) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert error(send("batch", bomb, **{"Content-Encoding": "gzip"})) == (413, "too_large")


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b'{"batch": []}')[:-9]], ids=["other", "cut"])
def test_what_is_not_gzip_is_refused(send: Send, body: bytes) -> None:
    assert error(send("batch", body, **{"Content-Encoding": "gzip"})) == (400, "bad_gzip")


def test_another_encoding_is_refused(send: Send) -> None:
    assert error(send("batch", b"{}", **{"Content-Encoding": "br"})) == (415, "unsupported_media_type")


def test_another_content_type_is_refused(source: Source) -> None:
    response = Client().generic("POST", "/v1/batch", "{}", "text/plain", headers=key_of(source))
    assert error(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("header", ["", "Basic !!!", "Basic bm9ib2R5Og==", "Bearer x", "Basic /w=="])
def test_a_wrong_key_is_refused(header: str) -> None:
    response = Client().generic("POST", "/v1/batch", "{}", "application/json", headers={"Authorization": header})
    assert error(response) == (401, "unauthenticated")


def test_the_key_of_an_inactive_source_is_refused(send: Send, source: Source) -> None:
    Source.objects.update(is_active=False)
    assert error(send("track", track())) == (401, "unauthenticated")


def test_another_method_is_refused() -> None:
    assert error(Client().get("/v1/batch")) == (405, "method_not_allowed")


def test_pages_of_other_sites_may_send() -> None:
    response = Client().options("/v1/batch", headers={"Origin": "https://shop.example"})
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (204, "*")


# -- what costs only itself ------------------------------------------------------------------------------------------

BAD = {
    "no object": (7, ""),
    "unknown type": (track(type="dance"), "type"),
    "nobody": ({"type": "track", "event": "x"}, "userId"),
    "nobody's id": (track(userId="undefined"), "userId"),
    "an id that is a list": (track(userId=["u1"]), "userId"),
    "an id too long": (track(userId="u" * 300), "userId"),
    "a message id too long": (track(messageId="m" * 300), "messageId"),
    "over 32 kB": (track(properties={"text": "x" * 33_000}), ""),
    "NUL": (track(properties={"te\x00xt": "x"}), ""),
    "NUL in an id": (track(userId="u\x00"), ""),
    "half a character": (track(properties={"text": "\ud800"}), ""),
    "NaN": (track(properties={"x": float("nan")}), ""),
    "Infinity": (track(properties={"x": [float("inf")]}), ""),
    "beyond 64 bits": (track(properties={"x": 10**30, "y": "\ud800"}), ""),
    "no time": (track(timestamp="soon"), "timestamp"),
    "years ago": (track(timestamp="2016-01-01T00:00:00Z"), "timestamp"),
    "years ahead": (track(timestamp="2099-01-01T00:00:00Z"), "timestamp"),
    "the end of time": (track(timestamp="9999-12-31T23:59:59-12:00"), "timestamp"),
    "no event name": (track(event=""), "event"),
    "a name too long": (track(event="e" * 201), "event"),
    "no properties": (track(properties=[1]), "properties"),
    "negative": (track(event="Order Completed", properties={"total": -1}), "properties.total"),
    "absurd": (track(event="Order Completed", properties={"total": 1e15}), "properties.total"),
    "not a number": (track(event="Order Completed", properties={"total": "NaN"}), "properties.total"),
    "not money": (track(event="Order Completed", properties={"total": True}), "properties.total"),
    "no currency": (track(event="Order Completed", properties={"currency": "yuan"}), "properties.currency"),
    "no products": (track(event="Order Completed", properties={"products": "tea"}), "properties.products"),
    "no product": (track(event="Order Completed", properties={"products": [1]}), "properties.products[0]"),
    "a code too long": (track(event="Product Viewed", properties={"sku": "s" * 200}), "properties.product_id"),
    "no birthday": ({"type": "identify", "userId": "u", "traits": {"birthday": "1066-10-14"}}, "traits.birthday"),
    "no address": ({"type": "identify", "userId": "u", "traits": {"email": "ada"}}, "traits.email"),
    "no group": ({"type": "group", "userId": "u"}, "groupId"),
    "no previous id": ({"type": "alias", "userId": "u"}, "previousId"),
}


@pytest.mark.parametrize(("message", "field"), BAD.values(), ids=BAD)
def test_one_bad_event_costs_no_other(send: Send, message: Any, field: str) -> None:
    refused = rejected(send("batch", {"batch": [track(messageId="1"), message, track(messageId="2")]}))
    assert [(one["index"], one["field"] or "") for one in refused] == [(1, field)]
    assert refused[0]["reason"]
    assert Event.objects.count() == 2
    kept = RejectedEvent.objects.get()
    assert (kept.index, kept.field, kept.reason) == (1, field, refused[0]["reason"])
    assert kept.payload == json.dumps(message)


def test_a_value_that_only_the_database_refuses_costs_no_other(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.segment.LONGEST_MESSAGE_ID", 200)
    monkeypatch.setattr("crm.segment.text", lambda value, field, most: str(value or "").strip())
    refused = rejected(send("batch", {"batch": [track(messageId="1"), track(event="e" * 300), track(messageId="2")]}))
    assert [one["index"] for one in refused] == [1]
    assert Event.objects.count() == 2


def test_a_refused_event_is_replayed_when_a_person_vouches_for_it(send: Send) -> None:
    rejected(send("track", track(timestamp="2016-01-01T00:00:00Z")))
    kept = RejectedEvent.objects.get()
    now = timezone.now()
    assert [ingest.replay(kept, now=now) for _ in range(2)] == [True, False]
    assert Event.objects.get().occurred_at.year == 2016
    assert kept.replayed_at == now


def test_a_replay_that_is_refused_again_says_why(send: Send) -> None:
    rejected(send("batch", {"batch": [track(type="dance")]}))
    kept = RejectedEvent.objects.get()
    RejectedEvent.objects.update(payload=kept.payload.replace("dance", "sing"), reason="")
    assert ingest.replay(kept, now=timezone.now()) is False
    assert (kept.replayed_at, kept.field) == (None, "type")
    assert kept.reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
NAMES = ("type", "userId", "anonymousId", "previousId", "groupId", "event", "name", "messageId", "timestamp", "sentAt")
WORDS = st.sampled_from(
    ["track", "identify", "alias", "group", "Order Completed", "Product Viewed", "u1", "a1", "9" * 40]
)
PRODUCT = st.dictionaries(st.sampled_from(["product_id", "price", "quantity", "name", "discount"]), WORDS | JSON)
PROPERTIES = st.fixed_dictionaries(
    {}, optional={"products": st.lists(PRODUCT, max_size=3) | JSON, "total": JSON, "order_id": JSON}
)
TRAITS = st.dictionaries(
    st.sampled_from(["name", "email", "phone", "gender", "birthday", "age", "address", "city", "x"]), JSON
)
MESSAGE = st.fixed_dictionaries(
    {"type": WORDS | JSON},
    optional=dict.fromkeys(NAMES[1:], WORDS | JSON)
    | {"properties": PROPERTIES | JSON, "traits": TRAITS | JSON, "context": JSON},
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(MESSAGE | JSON, max_size=4))
def test_nothing_that_is_sent_makes_the_server_fail(send: Send, batch: list[Any]) -> None:
    response = send("batch", {"batch": batch})
    refused = rejected(response)
    assert all(0 <= one["index"] < len(batch) and one["reason"] for one in refused)


# -- when it is too much ---------------------------------------------------------------------------------------------


def test_beyond_capacity_it_says_when_to_come_again(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion_api, "SLOTS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(ingestion_api, "SLOT_PATIENCE", 0.01)
    assert ingestion_api.SLOTS.acquire()
    response = send("track", track())
    assert (error(response), response["Retry-After"]) == ((429, "busy"), "2")
    ingestion_api.SLOTS.release()
    assert rejected(send("track", track())) == []


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_not_given_is_answered_with_later(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PATIENCE", "SET LOCAL lock_timeout = '50ms'")
    rejected(send("track", track()))
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE crm_eventkey")
            holding.set()
            done.wait(10)
            cursor.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    holding.wait(10)
    response = send("track", track(messageId="m1"))
    done.set()
    holder.join()
    assert (error(response), response["Retry-After"]) == ((503, "unavailable"), "2")
    assert rejected(send("track", track(messageId="m1"))) == []
    assert Event.objects.count() == 2


def test_a_database_that_is_away_is_answered_with_later(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the connection was refused")

    monkeypatch.setattr(ingestion_api, "_source", away)
    assert error(send("track", track())) == (503, "unavailable")


@pytest.mark.django_db(transaction=True)
def test_racing_senders_of_the_same_messages_write_one_event_and_one_profile(source: Source) -> None:
    headers, start = key_of(source), threading.Barrier(6)
    people = [f"u{n}" for n in range(40)]
    statuses = []

    def race(number: int) -> None:
        order = people if number % 2 else people[::-1]
        batch = [track(userId=u, anonymousId=f"a-{u}", messageId=f"m-{u}") for u in order]
        start.wait()
        statuses.append(Client().post("/v1/batch", {"batch": batch}, "application/json", headers=headers).status_code)
        connection.close()

    threads = [threading.Thread(target=race, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert (Event.objects.count(), Profile.objects.count(), Identifier.objects.count()) == (40, 40, 80)
