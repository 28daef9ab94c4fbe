"""Everything that can go wrong is told in one shape."""

import pytest
from django.test import Client

from crm.api.items import ItemViewSet
from tests import api
from tests.api import own_counters  # noqa: F401

pytestmark = pytest.mark.django_db


def test_unknown_addresses_answer_in_the_shape_of_the_api() -> None:
    for path in (
        "/api/",
        "/api/v1/",
        "/api/v2/items/",
        "/api/v1/nothing/",
        "/api/v1/items/1/2/",
        "/api/%00/",
        "/api/v1/items",
    ):
        assert api.error(Client(raise_request_exception=False).get(path)) == (404, "not_found", None)
    assert "slash" in Client().get("/api/v1/items").json()["error"]["message"]


def test_methods_that_are_not_offered() -> None:
    client = api.caller("items:read", "jobs:read", "models:train")
    for method in ("put", "patch", "delete", "post", "options"):
        answer = getattr(client, method)("/api/v1/items/")
        assert api.error(answer) == (405, "method_not_allowed", None)
        assert answer.headers["Allow"] == "GET, HEAD"


def test_answers_are_json_only() -> None:
    client = api.caller("items:read")
    assert api.error(client.get("/api/v1/items/", headers={"Accept": "text/html"})) == (406, "not_acceptable", None)
    assert client.get("/api/v1/items/?format=xml").status_code == 200  # just a parameter nobody asks for


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code"),
    [
        ("{", "application/json", 400, "parse_error"),
        ("", "application/json", 400, "invalid"),
        ("[" * 100_000, "application/json", 400, "parse_error"),
        ('{"spec": ' + "[" * 10_000 + "]" * 10_000 + "}", "application/json", 400, "parse_error"),
        (b'{"spec": "\xff"}', "application/json", 400, "parse_error"),
        ('{"spec": NaN}', "application/json", 400, "parse_error"),
        ("1" * 5000, "application/json", 400, "parse_error"),
        ("[]", "application/json", 400, "invalid"),
        ('"churn"', "application/json", 400, "invalid"),
        ("{}", "application/json", 400, "invalid"),
        ('{"spec": "a\\u0000"}', "application/json", 400, "invalid"),
        ('{"spec": "\\ud800"}', "application/json", 400, "invalid"),
        ('{"spec": {"a": 1}}', "application/json", 400, "invalid"),
        ('{"spec": "no such model"}', "application/json", 400, "invalid"),
        ("spec=churn", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
        ("<spec/>", "application/xml", 415, "unsupported_media_type"),
        ("x" * 700_000, "application/json", 413, "too_large"),
    ],
)
def test_bodies_that_cannot_be_taken(body: str | bytes, content_type: str, status: int, code: str) -> None:
    answer = api.caller("models:train").post("/api/v1/jobs/", body, content_type=content_type)
    assert api.error(answer)[:2] == (status, code)


def test_what_nobody_foresaw_is_told_without_details(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise ValueError("postgres://user:secret@host")

    monkeypatch.setattr(ItemViewSet, "list", broken)
    answer = api.caller("items:read").get("/api/v1/items/")
    assert api.error(answer) == (500, "error", None)
    assert b"secret" not in answer.content


@pytest.mark.usefixtures("own_counters")
def test_too_many_requests_have_to_wait_and_others_do_not(settings, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    monkeypatch.setitem(rates, "client", "3/hour")
    shop = api.bearer(api.token("items:read", of=api.application(name="a")))
    answers = [shop.get("/api/v1/items/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert api.error(answers[3]) == (429, "throttled", None)
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 3600
    other = api.bearer(api.token("items:read", of=api.application(name="b")))
    assert other.get("/api/v1/items/").status_code == 200


def test_requests_are_served_while_the_cache_is_away(settings) -> None:  # type: ignore[no-untyped-def]
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": "unix:///nowhere/valkey.sock",
        }
    }
    assert api.caller("items:read").get("/api/v1/items/").status_code == 200


def test_messages_come_in_the_readers_language() -> None:
    answer = Client(headers={"Accept-Language": "zh-hans"}).get("/api/v1/items/")
    assert answer.json()["error"]["message"] == "身份认证信息未提供。"
