"""Journeys over the REST API: read, entered and left, and where a person is in one."""

from typing import Any

import pytest
from django.test import Client

from campaigns.journeys import walking
from campaigns.models import Journey, JourneyEntry, Run
from crm.merging import merge
from tests import api
from tests import factories as crm
from tests.api import own_counters, three_models  # noqa: F401
from tests.campaigns.journeys.factories import (
    DAY,
    NOW,
    condition,
    enter,
    entry,
    journey,
    people,
    tree,
    wait,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("three_models", "own_counters")]

BEIJING = {"field": "city", "is": "is", "value": "Beijing"}
TREE = tree("pause", pause=wait("where"), where=condition(BEIJING, yes="later", no="later"), later=wait(""))


def address(run: Run, rest: str = "") -> str:
    return f"/api/v1/journeys/{run.campaign_id}/{rest}"


def post(client: Client, run: Run, rest: str, **body: object) -> Any:
    return client.post(address(run, rest), body, content_type="application/json")


def test_a_journey_tells_its_steps_and_only_who_may_count_people_how_many_stand_there() -> None:
    run = journey(TREE, again="ended", again_after=DAY)
    enter(run, *people(3, city="Beijing"), *people(2))
    walking.walk(run, NOW + DAY)
    [row] = api.caller("journeys:read").get("/api/v1/journeys/").json()["results"]
    assert row == {
        "id": run.campaign_id,
        "name": "way",
        "status": run.campaign.status,
        "live": 1,
        "draining": False,
        "again": "ended",
        "again_after_minutes": 1440,
        "leave_at_goal": True,
    }
    told = api.caller("journeys:read").get(address(run)).json()
    assert told["steps"] is None
    assert told["graph"]["first"] == "pause"
    assert [version["number"] for version in told["versions"]] == [1]
    steps = api.caller("journeys:read", "profiles:read").get(address(run)).json()["steps"]
    assert steps[1] == {
        "step": "where",
        "kind": "condition",
        "walking": 0,
        "failed": 0,
        "ways": [{"outcome": "no", "passed": 2}, {"outcome": "yes", "passed": 3}],
    }
    assert [(step["step"], step["walking"]) for step in steps] == [("pause", 0), ("where", 0), ("later", 5)]
    assert api.caller("journeys:read").get("/api/v1/journeys/?status=draft").json()["results"] == []


def test_the_same_key_lets_a_person_in_once() -> None:
    run, client = journey(TREE), api.caller("journeys:enter")
    person = crm.profile("u-1")
    first = post(client, run, "enter/", identifier={"type": "external_id", "value": "u-1"}, key="order 7")
    again = post(client, run, "enter/", profile_id=person.pk, key="order 7")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert first.json()["id"] == str(entry(run, person).pk)
    assert (first.json()["status"], first.json()["step"], first.json()["journey"]) == (
        "walking",
        "pause",
        run.campaign_id,
    )
    assert JourneyEntry.objects.count() == 1


def test_who_may_not_enter_is_told_why() -> None:
    run, client = journey(TREE), api.caller("journeys:enter")
    person = crm.profile("u-1")
    assert post(client, run, "enter/", profile_id=person.pk, key="a").status_code == 201
    assert api.error(post(client, run, "enter/", profile_id=person.pk, key="b"))[:2] == (409, "on_the_way")
    JourneyEntry.objects.update(status="left", ended_at=NOW)
    assert api.error(post(client, run, "enter/", profile_id=person.pk, key="b"))[:2] == (409, "been_before")
    Journey.objects.update(draining=True)
    assert api.error(post(client, run, "enter/", profile_id=people(1)[0].pk, key="b"))[:2] == (409, "draining")
    run.status = "done"
    run.save()
    assert api.error(post(client, run, "enter/", profile_id=person.pk, key="c"))[:2] == (409, "not_running")
    other = journey({**TREE, "trigger": {"kind": "event", "event": "purchase"}}, "other")
    assert api.error(post(client, other, "enter/", profile_id=person.pk, key="c"))[:2] == (409, "not_by_call")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"key": "a"}, "profile_id"),
        ({"profile_id": 1}, "key"),
        ({"profile_id": 1, "key": ""}, "key"),
        ({"profile_id": 1, "key": "x" * 201}, "key"),
        ({"profile_id": 999999999, "key": "a"}, "profile_id"),
        ({"identifier": {"type": "external_id", "value": "nobody"}, "key": "a"}, "identifier"),
        ({"profile_id": 1, "identifier": {"type": "external_id", "value": "u"}, "key": "a"}, "profile_id"),
    ],
)
def test_a_call_that_names_nobody_or_nothing_is_refused_by_its_field(body: dict[str, object], field: str) -> None:
    run = journey(TREE)
    assert api.error(post(api.caller("journeys:enter"), run, "enter/", **body)) == (400, "invalid", field)
    assert not JourneyEntry.objects.exists()


def test_another_system_takes_a_person_out_once() -> None:
    run, client = journey(TREE), api.caller("journeys:enter")
    [person] = people(1)
    enter(run, person)
    assert post(client, run, "leave/", profile_id=person.pk).json() == {"left": True}
    assert entry(run, person).status == "left"
    assert post(client, run, "leave/", profile_id=person.pk).json() == {"left": False}


def test_a_persons_state_has_the_path_that_brought_her_there_even_after_a_merge() -> None:
    run, client = journey(TREE), api.caller("journeys:people")
    old, new = people(2, city="Beijing")
    enter(run, old)
    merge(old.pk, new.pk, reason="same", user=run.campaign.created_by, now=NOW)
    walking.walk(run, NOW + DAY)
    for one in (old, new):
        told = client.get(address(run, f"people/{one.pk}/")).json()
        assert told["profile_id"] == new.pk
        assert [row["step"] for row in told["entries"]] == ["later"]
        assert [(left["step"], left["outcome"], left["to"]) for left in told["path"]] == [
            ("pause", "next", "where"),
            ("where", "yes", "later"),
        ]


def test_whose_data_are_restricted_stands_in_no_list() -> None:
    run, client = journey(TREE), api.caller("journeys:people")
    one, other = people(2)
    enter(run, one, other)
    one.restricted_at = NOW
    one.save()
    assert [row["profile_id"] for row in client.get(address(run, "entries/")).json()["results"]] == [other.pk]
    assert api.error(client.get(address(run, f"people/{one.pk}/")))[:2] == (403, "permission_denied")


def test_entries_are_found_by_status_step_version_and_person() -> None:
    run, client = journey(TREE), api.caller("journeys:people")
    some = people(3)
    enter(run, *some)
    JourneyEntry.objects.filter(profile=some[0]).update(status="failed", reason="rule", ended_at=NOW)

    def found(**asked: str | int) -> int:
        return len(client.get(address(run, "entries/"), asked).json()["results"])

    assert found() == found(version=1) == found(step="pause") == 3
    assert (found(status="failed"), found(status="walking"), found(step="later"), found(version=2)) == (1, 2, 0, 0)
    assert found(profile_id=some[2].pk) == 1
    assert client.get(address(run, "entries/"), {"status": "lost"}).status_code == 400


def test_nobody_is_let_in_without_the_scope() -> None:
    run = journey(TREE)
    [person] = people(1)
    reader = api.caller("journeys:read", "journeys:people")
    assert post(reader, run, "enter/", profile_id=person.pk, key="a").status_code == 403
    assert post(Client(), run, "leave/", profile_id=person.pk).status_code == 401
