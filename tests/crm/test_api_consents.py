"""Applications record consents once however often they send them, and are told what follows and what is wrong."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from crm import person_tokens
from crm.models import AnsweredRequest, ConsentEvent, Profile
from crm.tasks import forget_answers
from tests import api, factories
from tests.crm.consents import notice, purpose, say

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_counters")]
own_counters = api.own_counters
GIVEN = {"purpose": "offers", "state": "given", "method": "form"}


@pytest.fixture
def caller() -> Client:
    purpose()
    return api.caller("consent:read", "consent:write")


def post(caller: Client, address: str, body: Any, key: str | None = None) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return caller.post(f"/api/v1/consents/{address}", body, "application/json", headers=headers)


def basis(caller: Client, profile: Profile, channel: str = "sms") -> dict[str, Any]:
    answer = caller.get(f"/api/v1/profiles/{profile.pk}/basis/", {"purpose": "offers", "channel": channel})
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def test_a_recorded_consent_is_a_basis(caller: Client) -> None:
    person = factories.profile("u1")
    answer = post(caller, "", GIVEN | {"profile_id": person.pk})
    assert answer.status_code == 201, answer.content
    event = ConsentEvent.objects.get()
    told = answer.json()
    assert (told["event"]["id"], told["counts"], told["profile_id"]) == (str(event.pk), True, person.pk)
    found = basis(caller, person)
    assert (found["allowed"], found["event_id"], found["reason"]) == (True, str(event.pk), None)
    assert event.source is not None
    assert event.source.name.startswith("API client ")


def test_the_same_request_again_is_answered_again_and_done_once(caller: Client) -> None:
    person = factories.profile("u1")
    first, second = (post(caller, "", GIVEN | {"profile_id": person.pk}, key="k1") for _ in range(2))
    assert first.json() == second.json()
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ConsentEvent.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(caller: Client) -> None:
    person = factories.profile("u1")
    post(caller, "", GIVEN | {"profile_id": person.pk}, key="k1")
    answer = post(caller, "", GIVEN | {"profile_id": person.pk, "state": "refused"}, key="k1")
    assert api.error(answer)[:2] == (409, "conflict")
    assert ConsentEvent.objects.count() == 1


def test_a_key_of_one_application_is_not_anothers(caller: Client) -> None:
    person = factories.profile("u1")
    other = api.bearer(api.token("consent:write", of=api.application("consent:write", name="other")))
    for one in (caller, other):
        assert post(one, "", GIVEN | {"profile_id": person.pk}, key="k1").status_code == 201
    assert ConsentEvent.objects.count() == 2


def test_a_refused_request_may_be_corrected_under_its_key(caller: Client) -> None:
    person = factories.profile("u1")
    wrong = GIVEN | {"profile_id": person.pk, "notice": "none/1"}
    assert api.error(post(caller, "", wrong, key="k1")) == (400, "invalid", "notice")
    assert post(caller, "", GIVEN | {"profile_id": person.pk}, key="k1").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_racing_requests_with_one_key_are_done_once_and_told_so(caller: Client) -> None:
    person = factories.profile("u1")
    token = api.token("consent:write", of=api.application("consent:write", name="racer"))
    start, seen = threading.Barrier(8), []

    def race() -> None:
        start.wait()
        seen.append(post(api.bearer(token), "", GIVEN | {"profile_id": person.pk}, key="k1").status_code)
        connection.close()

    threads = [threading.Thread(target=race) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) <= {201, 409}
    assert 201 in seen
    assert (ConsentEvent.objects.count(), AnsweredRequest.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"purpose": "none"}, "purpose"),
        ({"state": "maybe"}, "state"),
        ({"channel": "pigeon"}, "channel"),
        ({"method": "import"}, "method"),
        ({"claimed_at": "2999-01-01T00:00:00Z"}, "claimed_at"),
        ({"claimed_at": "yesterday"}, "claimed_at"),
        ({"valid_until": "2000-01-01T00:00:00Z"}, "valid_until"),
        ({"rendered_digest": "abc"}, "rendered_digest"),
        ({"proof": {"score": 0.5}}, "proof"),
        ({"proof": {"text": "x" * 9000}}, "proof"),
        ({"proof": {"text": "\x00"}}, "proof"),
        ({"notice": "privacy/1", "notice_digest": "0" * 64}, "notice_digest"),
        ({"consent_kind": "guardian"}, "guardian"),
        ({"profile_id": 10**15}, "profile_id"),
        ({"identifier": {"type": "email", "value": "a@b.c"}}, "profile_id"),
        ({"state": "renewed"}, "state"),
    ],
)
def test_whatever_is_wrong_is_named_by_field(caller: Client, change: dict[str, Any], field: str) -> None:
    notice("offers")
    person = factories.profile("u1")
    answer = post(caller, "", GIVEN | {"profile_id": person.pk} | change)
    assert api.error(answer)[0::2] == (400, field)
    assert not ConsentEvent.objects.exists()


def test_of_a_batch_what_is_good_is_kept(caller: Client) -> None:
    person = factories.profile("u1")
    good = GIVEN | {"profile_id": person.pk}
    bad = [good | {"profile_id": 10**15}, good | {"claimed_at": "2999-01-01T00:00:00Z"}, good | {"purpose": "none"}]
    answer = post(caller, "batch/", {"events": [good, *bad]}, key="b1")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert [row["index"] for row in told["recorded"]] == [0]
    assert [(row["index"], row["code"], row["field"]) for row in told["refused"]] == [
        (1, "invalid", "profile_id"),
        (2, "future", "claimed_at"),
        (3, "invalid", "purpose"),
    ]
    assert post(caller, "batch/", {"events": [good, *bad]}, key="b1").json() == told
    assert ConsentEvent.objects.count() == 1


def test_agreeing_to_all_cannot_hold_separate_consent(caller: Client) -> None:
    purpose("sharing", kind="sharing", recipient="Partner", separate=True), notice("sharing")
    who = {"profile_id": factories.profile("u1").pk}
    separate = GIVEN | who | {"purpose": "sharing", "consent_kind": "separate", "notice": "privacy/1"}
    answer = post(caller, "batch/", {"events": [GIVEN | who, separate], "all_at_once": True})
    assert api.error(answer) == (400, "invalid", "consent_kind")
    assert not ConsentEvent.objects.exists()
    assert len(post(caller, "batch/", {"events": [GIVEN | who, separate]}).json()["recorded"]) == 2


def test_a_withdrawal_of_everything_ends_every_consent(caller: Client) -> None:
    purpose("birthday")
    person = factories.profile("u1")
    for code in ("offers", "birthday"):
        post(caller, "", GIVEN | {"profile_id": person.pk, "purpose": code})
    answer = post(caller, "withdraw/", {"profile_id": person.pk})
    assert [row["event"]["purpose"] for row in answer.json()["recorded"]] == ["birthday", "offers"]
    assert basis(caller, person)["reason"] == "withdrawn"


def test_a_late_event_is_kept_and_told_not_to_count(caller: Client) -> None:
    person = factories.profile("u1")
    now = datetime.now(UTC)
    claim = {"profile_id": person.pk, "claimed_at": (now - timedelta(days=1)).isoformat()}
    post(caller, "withdraw/", {"profile_id": person.pk, "purpose": "offers"})
    answer = post(caller, "", GIVEN | claim)
    assert (answer.status_code, answer.json()["counts"]) == (201, False)
    assert basis(caller, person)["reason"] == "withdrawn"


def test_many_bases_are_answered_at_once(caller: Client) -> None:
    one, other = factories.profile("u1"), factories.profile("u2")
    say(one, now=datetime.now(UTC))
    answer = post(caller, "basis/", {"profile_ids": [one.pk, other.pk, 10**15], "purpose": "offers", "channel": "sms"})
    found = [(row["profile_id"], row["allowed"], row["reason"]) for row in answer.json()["results"]]
    assert found == [(one.pk, True, None), (other.pk, False, "no_consent"), (10**15, False, "no_consent")]


def test_state_and_history_tell_the_past(caller: Client) -> None:
    person = factories.profile("u1")
    post(caller, "", GIVEN | {"profile_id": person.pk})
    between = datetime.now(UTC).isoformat()
    post(caller, "withdraw/", {"profile_id": person.pk, "purpose": "offers"})
    address = f"/api/v1/profiles/{person.pk}"
    states = [caller.get(f"{address}/consents/", told).json()["results"] for told in ({}, {"at": between})]
    assert [[(row["state"], row["allowed"], row["reason"]) for row in rows] for rows in states] == [
        [("withdrawn", False, "withdrawn")],
        [("given", True, None)],
    ]
    history = caller.get(f"{address}/consent-history/").json()["results"]
    assert [row["state"] for row in history] == ["withdrawn", "given"]


def test_purposes_and_published_notices_are_listed(caller: Client) -> None:
    made = notice("offers")
    (one,) = caller.get("/api/v1/purposes/").json()["results"]
    assert (one["code"], one["kind"], one["separate"]) == ("offers", "marketing", False)
    (told,) = caller.get("/api/v1/notices/", {"purpose": "offers"}).json()["results"]
    assert (told["reference"], told["digest"]) == ("privacy/1", made.digest)
    assert caller.get("/api/v1/notices/", {"purpose": "none"}).json()["results"] == []


def test_a_persons_browser_sees_and_changes_its_own_consents_only(caller: Client) -> None:
    person, other = factories.profile("u1"), factories.profile("u2")
    now = datetime.now(UTC)
    token = person_tokens.PersonToken(
        client_id=api.application(name="site").pk,
        profile_id=person.pk,
        purpose="consents",
        expires_at=now + timedelta(minutes=5),
    )
    browser = api.bearer(person_tokens.mint(token, now))
    assert post(browser, "", GIVEN).status_code == 201
    assert basis(browser, person)["allowed"]
    assert post(browser, "", GIVEN | {"profile_id": other.pk}).status_code == 403
    assert post(browser, "", GIVEN | {"method": "phone_call"}).status_code == 400
    assert post(browser, "batch/", {"events": [GIVEN]}).status_code == 403
    assert browser.get(f"/api/v1/profiles/{other.pk}/consents/").status_code == 403
    assert post(browser, "withdraw/", {}).status_code == 200
    assert basis(browser, person)["reason"] == "withdrawn"


@pytest.mark.parametrize(
    ("told", "field"),
    [
        (
            {"consent_kind": "guardian", "guardian": {"relation": "mother", "evidence": "x", "contact": "y"}},
            "consent_kind",
        ),
        ({"consent_kind": "written"}, "consent_kind"),
        *[({"state": state}, "state") for state in ("revoked", "invalidated", "expired", "requested", "deferred")],
        ({"claimed_at": "2020-01-01T00:00:00Z"}, "claimed_at"),
        ({"valid_until": "2090-01-01T00:00:00Z"}, "valid_until"),
        ({"guardian": {"relation": "mother"}}, "guardian"),
        ({"proof": {"id": "made up"}}, "proof"),
    ],
)
def test_a_persons_browser_cannot_speak_for_guardians_for_us_or_for_another_time(
    caller: Client, told: dict[str, Any], field: str
) -> None:
    person = factories.profile("u1")
    now = datetime.now(UTC)
    facts = {"client_id": api.application(name="site").pk, "purpose": "consents"}
    token = person_tokens.PersonToken(profile_id=person.pk, expires_at=now + timedelta(minutes=5), **facts)
    answer = post(api.bearer(person_tokens.mint(token, now)), "", GIVEN | told)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert not ConsentEvent.objects.exists()


@pytest.mark.parametrize(
    ("age_class", "code", "status"),
    [
        ("child", "club", 400),
        ("child", "offers", 400),
        ("minor", "club", 201),
        ("minor", "offers", 400),
        ("adult", "offers", 201),
    ],
)
def test_a_form_takes_no_yes_from_who_is_too_young_and_every_no(
    caller: Client, age_class: str, code: str, status: int
) -> None:
    purpose("club", kind="service")
    person = factories.profile("u1", age_class=age_class)
    now = datetime.now(UTC)
    facts = {"client_id": api.application(name="site").pk, "purpose": "consents"}
    token = person_tokens.PersonToken(profile_id=person.pk, expires_at=now + timedelta(minutes=5), **facts)
    browser = api.bearer(person_tokens.mint(token, now))
    assert post(browser, "", GIVEN | {"purpose": code}).status_code == status
    assert post(browser, "", GIVEN | {"purpose": code, "state": "refused"}).status_code == 201


@pytest.mark.parametrize(
    ("ahead", "status"), [(timedelta(seconds=50), 201), (timedelta(seconds=70), 400), (timedelta(days=400), 400)]
)
def test_a_clock_may_be_a_minute_ahead_and_no_consent_comes_from_the_future(
    caller: Client, ahead: timedelta, status: int
) -> None:
    person = factories.profile("u1")
    claimed = datetime.now(UTC) + ahead
    answer = post(caller, "", GIVEN | {"profile_id": person.pk, "claimed_at": claimed.isoformat()})
    assert answer.status_code == status
    for event in ConsentEvent.objects.all():
        assert event.claimed_at <= event.received_at < claimed


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("batch/", {"events": [GIVEN | {"profile_id": 1}] * 501}),
        ("basis/", {"purpose": "offers", "profile_ids": list(range(1, 10_002))}),
        ("basis/", {"purpose": "offers", "profile_ids": [2**63]}),
        ("basis/", {"purpose": "offers", "profile_ids": []}),
        ("basis/", {"purpose": "offers\x00", "profile_ids": [1]}),
        ("basis/", {"purpose": "nothing", "profile_ids": [1]}),
        ("withdraw/", {"profile_id": 2**62}),
        ("", GIVEN | {"profile_id": 2**62}),
        ("", GIVEN | {"profile_id": 1, "proof": {"a": "x" * 9000}}),
    ],
)
def test_what_is_too_large_unknown_or_malformed_is_refused_whole(caller: Client, address: str, body: Any) -> None:
    answer = post(caller, address, body)
    assert answer.status_code == 400, answer.content[:300]
    assert not ConsentEvent.objects.exists()


def test_unknown_people_have_not_consented_and_differ_in_nothing_from_those_who_said_nothing(caller: Client) -> None:
    person = factories.profile("u1")
    rows = post(caller, "basis/", {"purpose": "offers", "profile_ids": [person.pk, 2**62]}).json()["results"]
    assert len({tuple((k, v) for k, v in row.items() if k != "profile_id") for row in rows}) == 1
    assert [caller.get(f"/api/v1/profiles/{2**62}/{tail}/").status_code for tail in ("consents", "basis")] == [404, 404]


def test_reading_does_not_allow_writing() -> None:
    person = factories.profile("u1")
    assert post(api.caller("consent:read"), "", GIVEN | {"profile_id": person.pk}).status_code == 403


def test_answers_are_forgotten_after_a_week_and_their_work_is_not_done_again(caller: Client) -> None:
    person = factories.profile("u1")
    first = post(caller, "", GIVEN | {"profile_id": person.pk}, key="k1")
    AnsweredRequest.objects.update(answered_at=datetime.now(UTC) - timedelta(days=8))
    assert forget_answers() == 1
    again = post(caller, "", GIVEN | {"profile_id": person.pk}, key="k1")
    assert again.json()["event"]["id"] == first.json()["event"]["id"]
    assert ConsentEvent.objects.count() == 1
