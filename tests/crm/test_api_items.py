"""Items over REST: chosen, paged, and not sent twice."""

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import api, factories

pytestmark = pytest.mark.django_db


def codes(client, **query: str) -> list[str]:  # type: ignore[no-untyped-def]
    return [row["code"] for row in client.get("/api/v1/items/", query).json()["results"]]


def test_items_are_chosen_by_what_they_are() -> None:
    now = timezone.now()
    factories.item("tea", categories=["drinks", "tea"], brand="Wu")
    factories.item("cup", categories=["kitchen"], brand="Wu", available_to=now - timedelta(days=1))
    factories.item("talk", kind="activity", title="品茶会", available_from=now + timedelta(days=1))
    client = api.caller("items:read")
    assert codes(client) == ["tea", "cup", "talk"]
    assert codes(client, kind="activity") == ["talk"]
    assert codes(client, category="tea") == ["tea"]
    assert codes(client, brand="Wu") == ["tea", "cup"]
    assert codes(client, brand="Wu", available="true") == ["tea"]
    assert codes(client, code="cup") == ["cup"]
    assert codes(client, category="品茶") == []


def test_every_item_comes_once_while_items_are_added() -> None:
    before = {f"i{number}" for number in range(25)}
    for code in sorted(before):
        factories.item(code)
    client, address, seen = api.caller("items:read"), "/api/v1/items/?limit=4&kind=product", []
    while address:
        page = client.get(address).json()
        seen += [row["code"] for row in page["results"]]
        address = page["next"]
        if len(seen) < 40:
            factories.item(f"new{len(seen)}")
    assert len(seen) == len(set(seen))
    assert before <= set(seen)


def test_what_did_not_change_is_not_sent_again() -> None:
    item = factories.item("tea")
    client = api.caller("items:read")
    for address in ("/api/v1/items/", f"/api/v1/items/{item.pk}/"):
        first = client.get(address)
        again = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["Cache-Control"] == "private, no-cache"
        assert "Authorization" in first.headers["Vary"]
    item.title = "Oolong"
    item.save()
    changed = client.get(address, headers={"If-None-Match": first.headers["ETag"]})
    assert (changed.status_code, changed.json()["title"]) == (200, "Oolong")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("kind=toy", "kind"),
        ("code=a%00b", "code"),
        ("code=" + "x" * 129, "code"),
        ("category=%00", "category"),
        ("available=maybe", "available"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("limit=%D9%A5", "limit"),  # a digit, but an Arabic one
        ("limit=5&limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%00", "cursor"),
        ("cursor=WzFd:1abc:xyz", "cursor"),
    ],
)
def test_a_bad_parameter_is_named(query: str, field: str) -> None:
    answer = api.caller("items:read").get(f"/api/v1/items/?{query}")
    assert api.error(answer) == (400, "invalid", field)


def test_a_cursor_of_another_list_is_refused() -> None:
    for code in "abc":
        factories.item(code)
    client = api.caller("items:read", "jobs:read")
    cursor = client.get("/api/v1/items/?limit=1").json()["next"].partition("cursor=")[2]
    assert client.get(f"/api/v1/items/?cursor={cursor}").status_code == 200
    assert api.error(client.get(f"/api/v1/jobs/?cursor={cursor}")) == (400, "invalid", "cursor")


@pytest.mark.parametrize(
    "id", ["0", "999999999999999999", "9999999999999999999", "9" * 5000, "-1", "1.5", "abc", "%00", "٣"]
)
def test_ids_that_no_row_can_have_are_not_found(id: str) -> None:
    client = api.caller("items:read", "profiles:read", "models:read", "jobs:read", "clusters:read")
    for resource in ("items", "profiles", "models", "jobs", "clusters"):
        assert api.error(client.get(f"/api/v1/{resource}/{id}/")) == (404, "not_found", None)
