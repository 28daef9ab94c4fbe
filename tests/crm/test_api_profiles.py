"""Profiles and events over REST: masked, merged, paged."""

from datetime import timedelta

import pytest

from crm import merging
from crm.models import Identifier, Profile
from tests import api, factories
from tests.api import NOW

pytestmark = pytest.mark.django_db


def test_a_profile_is_masked_by_default() -> None:
    house = api.house()
    told = api.caller("profiles:read").get(f"/api/v1/profiles/{house.profile.pk}/")
    assert told.json()["name"] == "Z*"
    assert told.json()["attributes"] == {"email": "z***@q*.com", "tier": "gold"}
    assert told.json()["identifiers"] == [
        {"type": "external_id", "value": "u-1***et", "verified": False},
        {"type": "email", "value": "z***@q*.com", "verified": False},
        {"type": "phone", "value": "138****8000", "verified": False},
    ]
    for secret in (b"Wei", b"zhang@qq.com", b"13800138000", b"1001"):
        assert secret not in told.content


def test_a_profile_is_shown_whole_to_who_may_see_it() -> None:
    house = api.house()
    told = api.caller("profiles:read", "profiles:unmasked").get(f"/api/v1/profiles/{house.profile.pk}/").json()
    assert (told["name"], told["attributes"]["email"]) == ("Zhang Wei", "zhang@qq.com")
    assert [one["value"] for one in told["identifiers"]] == ["u-1001-secret", "zhang@qq.com", "13800138000"]


def test_personal_properties_of_events_are_masked_too() -> None:
    house = api.house()
    address = f"/api/v1/profiles/{house.profile.pk}/events/"
    masked = api.caller("events:read").get(address).json()["results"]
    assert [row["properties"] for row in masked] == [{"phone": "138****8000", "till": 3}]
    assert (masked[0]["kind"], masked[0]["value"], masked[0]["item_id"]) == ("purchase", "12.50", house.item.pk)
    whole = api.bearer(api.token("events:read", "profiles:unmasked", of=api.application(name="b"))).get(address).json()
    assert whole["results"][0]["properties"]["phone"] == "13800138000"


def test_a_person_is_found_by_an_identifier_in_the_body() -> None:
    house = api.house()
    client = api.caller("profiles:read")
    found = client.post(
        "/api/v1/profiles/lookup/", {"type": "email", "value": "zhang@qq.com"}, content_type="application/json"
    )
    assert found.json()["id"] == house.profile.pk
    nobody = client.post(
        "/api/v1/profiles/lookup/", {"type": "email", "value": "li@qq.com"}, content_type="application/json"
    )
    assert api.error(nobody) == (404, "not_found", None)


def test_an_address_that_only_a_browser_claimed_finds_nobody() -> None:
    browser = factories.source("page", kind="browser")
    claimed = factories.profile()
    Identifier.objects.create(type="email", value="ceo@shop.cn", profile=claimed, source=browser, created_at=NOW)
    asked = {"type": "email", "value": "ceo@shop.cn"}
    answer = api.caller("profiles:read").post("/api/v1/profiles/lookup/", asked, content_type="application/json")
    assert answer.status_code == 404
    asking = api.bearer(api.token("person-tokens:create", of=api.application(name="b")))
    assert (
        asking.post("/api/v1/person-tokens/", {"identifier": asked}, content_type="application/json").status_code == 400
    )


def merged(duplicate: Profile, canonical: Profile) -> None:
    merging.merge(duplicate.pk, canonical.pk, now=NOW, reason="test", source=factories.source())


def test_a_merged_profile_answers_as_the_one_that_was_kept() -> None:
    first, second, kept = (factories.profile(name) for name in ("first-1", "second-2", "kept-3"))
    api.event(first, NOW)
    api.event(second, NOW + timedelta(hours=1))
    api.event(kept, NOW + timedelta(hours=2))
    merged(first, second)
    merged(second, kept)
    client = api.caller("profiles:read", "events:read", "profiles:unmasked")
    for asked in (first, second, kept):
        told = client.get(f"/api/v1/profiles/{asked.pk}/").json()
        assert told["id"] == kept.pk
        assert [one["value"] for one in told["identifiers"]] == ["first-1", "second-2", "kept-3"]
        events = client.get(f"/api/v1/profiles/{asked.pk}/events/").json()["results"]
        assert [row["occurred_at"][:13] for row in events] == ["2026-03-01T22", "2026-03-01T21", "2026-03-01T20"]
    assert [row["id"] for row in client.get("/api/v1/profiles/").json()["results"]] == [kept.pk]


def test_a_merge_that_was_undone_is_forgotten(django_user_model) -> None:  # type: ignore[no-untyped-def]
    first, kept = factories.profile(), factories.profile()
    alias = merging.merge(first.pk, kept.pk, now=NOW, reason="test", source=factories.source())
    assert alias
    merging.undo(alias, now=NOW, user=django_user_model.objects.create(username="ann"))
    assert api.caller("profiles:read").get(f"/api/v1/profiles/{first.pk}/").json()["id"] == first.pk


def test_events_are_chosen_by_kind_and_time() -> None:
    profile = factories.profile()
    for hours, kind in enumerate(["view", "purchase", "view", "purchase"]):
        api.event(profile, NOW + timedelta(hours=hours), kind=kind)
    client = api.caller("events:read")

    def asked(**query: str) -> list[str]:
        rows = client.get(f"/api/v1/profiles/{profile.pk}/events/", query).json()["results"]
        return [row["kind"] for row in rows]

    assert asked() == ["purchase", "view", "purchase", "view"]
    assert asked(kind="purchase") == ["purchase", "purchase"]
    assert asked(since="2026-03-01T13:00:00Z", until="2026-03-01T15:00:00Z") == ["view", "purchase"]


@pytest.mark.parametrize(
    ("path", "queries"),
    # the token; who is meant, with all merges; then the rows: the profile and its identifiers, or the events; the key
    [("", 5), ("events/", 3)],
)
def test_reading_one_person_takes_few_queries(path: str, queries: int, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    house = api.house()
    for minute in range(30):
        api.event(house.profile, NOW + timedelta(minutes=minute), item=house.item)
    client = api.caller("profiles:read", "events:read")
    with django_assert_num_queries(queries):
        assert client.get(f"/api/v1/profiles/{house.profile.pk}/{path}").status_code == 200


def test_listing_people_takes_as_many_queries_for_fifty_as_for_one(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for number in range(50):
        factories.profile(f"p-{number}")
    client = api.caller("profiles:read")
    with django_assert_num_queries(4):
        assert len(client.get("/api/v1/profiles/").json()["results"]) == 50


def test_every_event_comes_once_however_many_are_added_meanwhile() -> None:
    profile = factories.profile()
    # Forty at one moment: a cursor over the time alone would lose its place among them.
    first = {str(api.event(profile, NOW).pk) for _ in range(40)}
    first |= {str(api.event(profile, NOW - timedelta(seconds=s)).pk) for s in range(1, 20)}
    client = api.caller("events:read")
    address, seen = f"/api/v1/profiles/{profile.pk}/events/?limit=7", []
    while address:
        page = client.get(address).json()
        seen += [row["id"] for row in page["results"]]
        address = page["next"]
        api.event(profile, NOW + timedelta(hours=1))
        api.event(profile, NOW)
    assert len(seen) == len(set(seen))
    assert first <= set(seen)


def test_the_last_page_says_so() -> None:
    profile = factories.profile()
    for _ in range(4):
        api.event(profile)
    client = api.caller("events:read")
    first = client.get(f"/api/v1/profiles/{profile.pk}/events/?limit=2").json()
    second = client.get(first["next"]).json()
    assert (len(first["results"]), len(second["results"]), second["next"]) == (2, 2, None)
