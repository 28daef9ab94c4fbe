"""Campaigns over the REST API: by the admin's own verbs, with four eyes, and no more told than may be known."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, Delivery, Figures, Segment, SegmentVersion, Template
from campaigns.reach import policies
from campaigns.reporting import figures
from campaigns.segmenting import lists
from crm import consent, sequencer
from crm.models import ConsentEvent, Profile, Release
from tests import api
from tests.api import own_counters, three_models  # noqa: F401
from tests.campaigns import factories
from tests.campaigns.factories import NOW
from tests.crm import consents
from tests.staff import member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("three_models", "own_counters")]

WRITES = ("campaigns:read", "campaigns:write", "campaigns:run", "campaigns:approve")
V1 = "/api/v1"


def post(client: Client, path: str, body: object = None, method: str = "post", **headers: str) -> Any:
    return getattr(client, method)(f"{V1}/{path}", body or {}, content_type="application/json", headers=headers)


def draft(**facts: Any) -> dict[str, Any]:
    consents.purpose()
    version = factories.template("words")
    told = {"name": "autumn", "purpose": "offers", "segment": factories.segment().pk, "channels": ["email"]}
    return told | {"variants": [{"name": "A", "template": version.template_id}]} | facts


def test_a_campaign_is_drafted_approved_by_another_and_runs_until_it_is_cancelled() -> None:
    factories.account()
    writer, boss = member("Marketing", "writer"), member("Marketing", "boss")
    one, two = api.acting(writer, *WRITES), api.acting(boss, *WRITES)
    made = post(one, "campaigns/", draft(holdout="0.2", starts_at="2099-01-01T10:00:00+08:00"))
    assert made.status_code == 201, made.content
    address = f"campaigns/{made.json()['id']}"
    assert made.json()["status"] == "draft"
    assert made.json()["holdout"] == "0.200"
    assert [row["version"] for row in made.json()["variants"]] == [1]
    assert one.get(f"{V1}/{address}/problems/").json() == {"problems": []}
    submitted = post(one, f"{address}/submit/").json()
    assert submitted["status"] == "in_review"
    seen = {"seen": submitted["digest"]}
    assert api.error(post(one, f"{address}/approve/", seen)) == (403, "permission_denied", None)
    assert api.error(post(two, f"{address}/approve/", {"seen": "0" * 64})) == (409, "conflict", None)
    assert post(two, f"{address}/approve/", seen).json()["status"] == "approved"
    assert post(one, f"{address}/schedule/").json()["status"] == "scheduled"
    assert post(one, f"{address}/pause/", {"reason": "wait"}).json()["status_reason"] == "wait"
    assert post(one, f"{address}/resume/").json()["status"] == "running"
    assert post(one, f"{address}/cancel/").json()["status"] == "cancelled"
    assert api.error(post(one, f"{address}/cancel/")) == (409, "conflict", None)
    kept = Campaign.objects.get()
    assert (kept.created_by, kept.submitted_by, kept.approved_by) == (writer, writer, boss)
    history = list(LogEntry.objects.order_by("pk").values_list("user__username", "change_message"))
    assert [(who, said.partition(": ")[2]) for who, said in history] == [
        *(("writer", verb) for verb in ("create", "submit")),
        ("boss", "approve"),
        *(("writer", verb) for verb in ("schedule", "pause", "resume", "cancel")),
    ]


def test_a_change_after_an_approval_needs_another_one() -> None:
    house, client = api.house(), api.acting(member("Marketing"), *WRITES)
    address = f"campaigns/{house.campaign.pk}/"
    post(client, address + "submit/")
    changed = post(client, address, {"priority": 70, "timing": {}}, "patch")
    assert changed.status_code == 200, changed.content
    assert (changed.json()["status"], changed.json()["priority"]) == ("draft", 70)
    house.campaign.status = Campaign.Status.RUNNING
    house.campaign.approved_by_id = house.campaign.created_by_id
    house.campaign.submitted_by = None
    house.campaign.save()
    assert api.error(post(client, address, {"priority": 1}, "patch")) == (409, "conflict", None)


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"purpose": "none"}, "purpose"),
        ({"segment": 10**18}, "segment"),
        ({"segment": 10**30}, "segment"),
        ({"segment": True}, "segment"),
        ({"channels": []}, "channels"),
        ({"channels": ["email", "email"]}, "channels"),
        ({"channels": ["telepathy"]}, "channels.0"),
        ({"holdout": "0.95"}, "holdout"),
        ({"holdout": "NaN"}, "holdout"),
        ({"kind": "recurring", "timing": {"every": 0}}, "timing"),
        ({"kind": "triggered", "timing": {"event": "sent"}}, "timing"),
        ({"timing": {"a": "\x00"}}, "timing"),
        ({"timing": {"a": 2**70}}, "timing"),
        ({"timing": {"a": "x" * 3000}}, "timing"),
        ({"timing": []}, "timing"),
        ({"kind": "triggered", "timing": {"event": ["purchase"]}}, "timing"),
        ({"starts_at": "2099-01-02T00:00Z", "ends_at": "2099-01-01T00:00Z"}, "ends_at"),
        ({"send_rate": 2**31}, "send_rate"),
        ({"variants": [{"name": "A", "template": 10**18}]}, "variants.0.template"),
        ({"variants": [{"name": "A"}]}, "variants.0.template"),
    ],
)
def test_what_is_not_valid_is_named_and_nothing_is_kept(facts: dict[str, Any], field: str) -> None:
    client = api.acting(member("Marketing"), *WRITES)
    assert api.error(post(client, "campaigns/", draft(**facts))) == (400, "invalid", field)
    assert not Campaign.objects.exists()


def test_a_name_that_is_taken_and_two_variants_of_one_name_are_named() -> None:
    client, told = api.acting(member("Marketing"), *WRITES), draft()
    twice = told | {"variants": told["variants"] * 2}
    assert api.error(post(client, "campaigns/", twice)) == (400, "invalid", "variants")
    assert post(client, "campaigns/", told).status_code == 201
    assert api.error(post(client, "campaigns/", told)) == (400, "invalid", "name")
    assert Campaign.objects.count() == 1


def test_a_draft_that_is_sent_again_with_its_key_is_made_once() -> None:
    client, told = api.acting(member("Marketing"), *WRITES), draft()
    first, again = (post(client, "campaigns/", told, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    told["priority"] = 1
    assert api.error(post(client, "campaigns/", told, **{"Idempotency-Key": "k1"})) == (409, "conflict", None)
    assert Campaign.objects.count() == 1


def test_segments_are_counted_exactly_by_who_may_read_people_and_with_noise_by_others() -> None:
    for number in range(40):
        factories.person(number, email=False, consent=False, city="Shanghai" if number % 4 else "Beijing")
    rule = {"rule": {"all": [{"field": "city", "is": "in", "value": ["Beijing"]}]}}
    exact = post(api.caller("segments:read", "profiles:read"), "segments/count/", rule)
    assert exact.json() == {"value": 10, "low": 10, "high": 10, "exact": True, "private": False}
    client = api.caller("segments:read")
    first, again = (post(client, "segments/count/", rule).json() for _ in range(2))
    assert first == again  # the noise is drawn once
    assert (first["exact"], first["private"]) == (False, True)
    assert first["low"] <= first["value"] <= first["high"]
    assert first["high"] - first["low"] > 10
    assert Release.objects.count() == 1
    other = {"rule": {"all": [{"field": "city", "is": "in", "value": ["Shanghai"]}]}}
    post(client, "segments/count/", other)
    assert Release.objects.count() == 2


def test_a_months_budget_of_noise_ends_with_429_and_a_time(settings: Any) -> None:
    settings.PRIVATE_FIGURES_EPSILON = 0.3
    client = api.caller("segments:read")
    rules = [{"rule": {"all": [{"field": "city", "is": "in", "value": [city]}]}} for city in "abc"]
    answers = [post(client, "segments/count/", rule) for rule in rules]
    assert [answer.status_code for answer in answers] == [200, 429, 429]
    assert int(answers[1].headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "rule",
    [
        {"all": [{"field": "name", "is": "is", "value": "Zhang"}]},
        {"all": [{"field": "password", "is": "is", "value": "x"}]},
        {"all": [{"field": "city__startswith", "is": "is", "value": "x"}]},
        {"all": [{"field": "city'; DROP TABLE crm_profile; --", "is": "is", "value": "x"}]},
        {"all": [{"segment": 10**18}]},
        {"all": [{"segment": "1 OR 1=1"}]},
        {"any": "x"},
        {"x": []},
    ],
)
def test_a_rule_that_is_not_understood_is_the_senders_mistake_wherever_it_is_told(rule: dict[str, Any]) -> None:
    reader = api.caller("segments:read", "segments:members", "profiles:read")
    writer = api.acting(member("Marketing"), "segments:write")
    for client, path, more in (
        (reader, "segments/count/", {}),
        (reader, "segments/preview/", {}),
        (writer, "segments/", {"name": "x"}),
    ):
        status, code, field = api.error(post(client, path, {"rule": rule} | more))
        assert (status, code) == (400, "invalid")
        assert str(field).startswith("rule")
    assert not Segment.objects.exists()


def test_a_rule_gets_a_next_version_and_what_it_says_is_told_in_words() -> None:
    client = api.acting(member("Marketing"), "segments:read", "segments:write")
    made = post(client, "segments/", {"name": "beijing", "rule": {"all": []}}).json()
    rule = {"all": [{"field": "city", "is": "in", "value": ["Beijing"]}]}
    changed = post(client, f"segments/{made['id']}/", {"rule": rule}, "patch").json()
    assert (changed["version"], changed["rule"]) == (2, rule)
    assert "Beijing" in changed["sentence"]
    versions = client.get(f"{V1}/segments/{made['id']}/versions/").json()["results"]
    assert [row["number"] for row in versions] == [2, 1]
    assert SegmentVersion.objects.count() == 2


def test_members_are_walked_as_of_the_first_page_and_the_preview_is_masked() -> None:
    people = [factories.person(number, consent=False, name=f"康娜瑞{number}") for number in range(7)]
    one, client = factories.segment(), api.caller("segments:members")
    address, seen = f"{V1}/segments/{one.pk}/members/?limit=3", []
    while address:
        page = client.get(address).json()
        seen += [row["profile_id"] for row in page["results"]]
        address = page["next"]
    assert seen == [person.pk for person in people]
    Profile.objects.filter(pk=people[0].pk).update(restricted_at=NOW)
    shown = post(client, "segments/preview/", {"rule": {"all": []}})
    assert [row["id"] for row in shown.json()["people"]] == seen[1:]
    assert "康娜瑞" not in shown.content.decode()


def test_people_come_to_a_list_and_go_and_a_rule_takes_nobody_by_hand() -> None:
    person = factories.person(1, consent=False)
    client = api.acting(member("Marketing"), "segments:write")
    made = post(client, "segments/", {"name": "guests", "kind": "list"}).json()
    for verb, changed in (("add", 1), ("add", 0), ("remove", 1)):
        answer = post(client, f"segments/{made['id']}/members/{verb}/", {"profile_ids": [person.pk, 10**17]})
        assert answer.json() == {"changed": changed}
    assert lists.size(Segment.objects.get()) == 0
    rule = factories.segment()
    refused = post(client, f"segments/{rule.pk}/members/add/", {"profile_ids": [person.pk]})
    assert api.error(refused) == (409, "conflict", None)


def test_a_template_is_checked_saved_in_versions_and_previewed_masked() -> None:
    house = api.house()
    client = api.acting(member("Marketing"), "templates:read", "templates:write")
    forms = {"email": {"en": {"subject": "Hi {{ profile.name }}", "html": "<p>Hello</p>", "text": "Hello"}}}
    made = post(client, "templates/", {"name": "news", "forms": forms, "fallbacks": {"profile.name": "friend"}})
    assert made.status_code == 201, made.content
    address = f"templates/{made.json()['id']}"
    bad = {"forms": {"email": {"en": {"subject": "{% for %}", "html": "<p>x</p>"}}}}
    assert post(client, "templates/check/", bad).json()["problems"][0]["grave"]
    assert api.error(post(client, "templates/", {"name": "x", "forms": {"pigeon": {}}}))[:2] == (400, "invalid")
    hostile: tuple[Any, ...] = ({"a\x00": "b"}, {"a": "\x00"}, {"a": 1}, [], {"a": "x" * 20_001})
    for fallbacks in hostile:
        refused = post(client, "templates/check/", {"forms": forms, "fallbacks": fallbacks})
        assert api.error(refused) == (400, "invalid", "fallbacks")
    assert post(client, f"{address}/versions/", {"forms": forms}).json()["number"] == 2
    asked = {"channel": "email", "language": "en", "profile_id": house.profile.pk}
    assert api.error(post(client, f"{address}/preview/", asked)) == (403, "permission_denied", None)
    reader = api.caller("templates:read", "profiles:read")
    told = post(reader, f"{address}/preview/", asked)
    assert told.status_code == 200, told.content
    assert "Zhang Wei" not in told.content.decode()
    assert Template.objects.count() == 2


def test_deliveries_are_filtered_and_tell_no_address_and_nobody_who_may_only_be_stored() -> None:
    house, client = api.house(), api.caller("deliveries:read")
    campaign, run = house.campaign.pk, house.delivery.run_id
    for query in (f"campaign={campaign}", f"run={run}", "status=suppressed", f"profile_id={house.profile.pk}", ""):
        answer = client.get(f"{V1}/deliveries/?{query}")
        assert [row["id"] for row in answer.json()["results"]] == [str(house.delivery.pk)], query
        assert "qq.com" not in answer.content.decode()
    assert client.get(f"{V1}/deliveries/?campaign={campaign + 1}").json()["results"] == []
    for query in ("campaign=x", "run=1", "status=lost", f"profile_id={10**30}"):
        assert client.get(f"{V1}/deliveries/?{query}").status_code == 400, query
    Profile.objects.update(restricted_at=NOW)
    assert client.get(f"{V1}/deliveries/").json()["results"] == []
    assert client.get(f"{V1}/deliveries/{house.delivery.pk}/").status_code == 404


def test_unsubscribes_are_taken_in_once_and_read_on_by_their_number() -> None:
    consents.purpose()
    person = factories.person(1)
    client = api.caller("unsubscribes:read", "unsubscribes:write")
    told = {"profile_id": person.pk, "channel": "email"}
    taken, again = (post(client, "unsubscribes/", told, **{"Idempotency-Key": "u1"}) for _ in range(2))
    assert taken.json() == again.json() == {"profile_id": person.pk, "purposes": ["offers"]}
    assert ConsentEvent.objects.filter(state="withdrawn").count() == 1
    assert client.get(f"{V1}/unsubscribes/").json()["results"] == []  # the ledger has not numbered it yet
    sequencer.sequence(NOW)
    [row] = client.get(f"{V1}/unsubscribes/").json()["results"]
    assert (row["profile_id"], row["purpose"], row["channel"], row["method"]) == (person.pk, "offers", "email", "api")
    assert client.get(f"{V1}/unsubscribes/?after={row['sequence']}").json()["results"] == []
    assert client.get(f"{V1}/unsubscribes/?channel=sms").json()["results"] == []
    later = factories.person(2)
    consent.withdraw(later.pk, "offers", "", "preference_centre", NOW)
    sequencer.sequence(NOW)
    [other] = client.get(f"{V1}/unsubscribes/?after={row['sequence']}&channel=sms").json()["results"]
    assert other["profile_id"] == later.pk


def test_a_report_has_the_numbers_of_the_admin_and_noise_for_who_may_not_count() -> None:
    house = api.house()
    Delivery.objects.update(status="accepted", reason="", call=house.delivery.pk, called_at=NOW)
    figures.count(house.campaign, NOW)
    exact = api.caller("reports:read", "profiles:read").get(f"{V1}/reports/{house.campaign.pk}/").json()
    assert (exact["private"], exact["margin"]) == (False, 0)
    assert [(group["people"], group["converted"]) for group in exact["groups"]] == [(1, 1)]
    assert [step["accepted"] for step in exact["funnel"]] == [1]
    client = api.caller("reports:read")
    noisy, again = (client.get(f"{V1}/reports/{house.campaign.pk}/").json() for _ in range(2))
    assert noisy == again
    assert (noisy["private"], noisy["funnel"], noisy["lift"], noisy["reasons"]) == (True, [], None, [])
    assert noisy["margin"] > 0
    assert noisy["groups"][0]["revenue"] is None
    assert len(exact["cohorts"]) >= 1
    assert [noisy[name] for name in ("cohorts", "parts", "curves", "machines", "observed")] == [[], [], [], [], None]
    listed = client.get(f"{V1}/reports/").json()["results"]
    assert [(row["id"], row["name"]) for row in listed] == [(house.campaign.pk, "spring")]


def test_a_large_report_that_nobody_counted_is_answered_later(monkeypatch: pytest.MonkeyPatch) -> None:
    house = api.house()
    monkeypatch.setattr(figures, "AT_ONCE", 0)
    client, address = api.caller("reports:read", "profiles:read"), f"{V1}/reports/{house.campaign.pk}/"
    answer = client.get(address)
    assert api.error(answer) == (503, "being_counted", None)
    assert answer.headers["Retry-After"] == "10"
    assert not Figures.objects.exists()
    assert figures.update_once(house.campaign, timezone.now())
    assert client.get(address).status_code == 200


def test_any_program_may_stop_everything_and_only_a_person_lets_it_go_on() -> None:
    client = api.caller("sending:stop", "campaigns:read")
    assert client.get(f"{V1}/sending/").json()["stopped"] is False
    stopped = post(client, "sending/stop/", {"reason": "Everything bounces."}).json()
    assert stopped["stopped"]
    assert stopped["stop_reason"].endswith("Everything bounces.")
    assert policies.policy().stopped_at
    assert api.error(post(client, "sending/go-on/")) == (403, "permission_denied", None)
    officer, why = api.acting(member("Compliance"), "sending:stop"), {"reason": "The server was mended."}
    assert api.error(post(officer, "sending/go-on/")) == (409, "conflict", None)
    assert post(officer, "sending/go-on/", why).json()["stopped"] is False


@pytest.mark.parametrize(
    ("path", "queries"),
    [("campaigns/", 4), ("segments/", 2), ("templates/", 2), ("deliveries/", 2), ("reports/", 2), ("webhooks/", 2)],
)
def test_a_page_takes_as_many_queries_however_long_it_is(
    path: str, queries: int, django_assert_num_queries: Any
) -> None:
    house = api.house()
    client = api.caller(
        "campaigns:read", "segments:read", "templates:read", "deliveries:read", "reports:read", "webhooks:read"
    )
    for number in range(5):
        made = factories.campaign(f"c{number}", status="draft")
        run = made.runs.create(id=uuid4(), key="once", salt="s", starts_at=NOW, planned_at=NOW)
        Delivery.objects.create(
            id=uuid4(), occasion=run.pk, run=run, profile=house.profile, channel="sms", status="held_out",
            planned_at=NOW, due_at=NOW, expires_at=NOW,
        )  # fmt: skip
    with django_assert_num_queries(queries):
        assert client.get(f"{V1}/{path}").status_code == 200


@pytest.mark.parametrize("path", ["campaigns/", "segments/", "deliveries/", "unsubscribes/", "reports/", "webhooks/"])
def test_hostile_pages_are_refused(path: str) -> None:
    client = api.caller(
        "campaigns:read", "segments:read", "deliveries:read", "unsubscribes:read", "reports:read", "webhooks:read"
    )
    for query in ("cursor=x", "limit=0", "limit=201", "limit=１", "cursor=WzFd:1:2"):
        assert client.get(f"{V1}/{path}?{query}").status_code == 400, query
