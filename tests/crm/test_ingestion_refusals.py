"""What the Segment HTTP API refuses: a request as a whole, or one event that costs no other."""

import gzip
import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm import ingest
from crm.checks import without_value
from crm.models import Event, RejectedEvent, Source
from tests.crm.senders import Send, error, key_of, rejected, track

pytestmark = pytest.mark.django_db


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
    assert (kept.index, kept.field, kept.reason) == (1, field, without_value(refused[0]["reason"]))
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
    kept.payload, kept.reason = kept.payload.replace("dance", "sing"), ""
    kept.save()
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
