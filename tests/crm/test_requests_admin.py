"""Officers work on requests: each button does one thing, for those who may, and the page tells what happened."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import holds
from crm.models import LegalHold, PersonalDataAccess, PrivacyRequest, Profile, RetentionRule, RetentionRun
from crm.roles import create_groups
from tests import api, factories
from tests.crm.requests import carried_out, carry_out
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def logged_in(name: str, group: str = "Compliance") -> Client:
    create_groups()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(user)
    return client


def do(client: Client, request: PrivacyRequest, verb: str, **facts: str) -> Any:
    answer = client.post(reverse("admin:crm_privacyrequest_do", args=[request.pk, verb]), facts, follow=True)
    request.refresh_from_db()
    return answer


def page(client: Client, request: PrivacyRequest) -> str:
    return client.get(reverse("admin:crm_privacyrequest_change", args=[request.pk])).content.decode()


def test_an_erasure_goes_through_two_officers_and_shows_its_receipts() -> None:
    person = api.house().profile
    ma, li = logged_in("ma"), logged_in("li")
    told = {"kind": "erasure", "profile": person.pk, "text": "please forget me"}
    ma.post(reverse("admin:crm_privacyrequest_add"), told)
    request = PrivacyRequest.objects.latest("pk")
    assert "please forget me" in page(ma, request)
    do(ma, request, "ask")
    do(ma, request, "call-back")
    do(ma, request, "tell", email="zhang@qq.com")
    assert (request.status, request.identity_shown_by) == ("verified", ["call_back", "email"])
    do(ma, request, "begin")
    refused = do(ma, request, "approve").content.decode()
    assert "A second person has to check this" in refused
    assert request.status == "checking"
    assert "Approve the erasure" not in page(ma, request)
    assert "Approve the erasure" in page(li, request)
    do(li, request, "approve")
    carry_out(request, timezone.now)
    shown = page(ma, request)
    assert "keys, identifiers, consents, profile" in shown
    assert "Identifier: 3" in shown
    assert "please forget me" not in shown
    do(ma, request, "answer")
    assert request.status == "answered"
    assert not Profile.objects.filter(pk=person.pk).exists()
    assert [one.what for one in request.entries.all()] == [
        *("received", "identity_asked", "identity_shown", "identity_shown", "identity_confirmed"),
        *("begun", "approved", "carried_out", "answered"),
    ]


def test_a_wrong_name_is_not_enough_and_what_was_right_is_not_told() -> None:
    person = api.house().profile
    ma = logged_in("ma")
    ma.post(reverse("admin:crm_privacyrequest_add"), {"kind": "copy", "profile": person.pk})
    request = PrivacyRequest.objects.latest("pk")
    answer = do(ma, request, "tell", phone="13800138000", email="zhang@wrong.com").content.decode()
    assert "What was named is not what we hold." in answer
    assert (request.identity_points, request.identity_failures) == (0, 1)


def test_a_refusal_needs_a_reason_that_the_law_knows() -> None:
    person = factories.profile("u-1")
    ma = logged_in("ma")
    ma.post(reverse("admin:crm_privacyrequest_add"), {"kind": "erasure", "profile": person.pk})
    request = PrivacyRequest.objects.latest("pk")
    do(ma, request, "refuse", reason="because")
    assert request.status == "received"
    do(ma, request, "refuse", reason="legal_duty")
    assert (request.status, request.refusal) == ("refused", "legal_duty")
    assert "A law obliges us to keep the data." in page(ma, request)


@pytest.mark.parametrize("group", ["Marketing", "Analyst"])
def test_others_see_no_requests_and_do_nothing(group: str) -> None:
    person = factories.profile("u-1")
    request = PrivacyRequest.objects.create(kind="access", method="api", profile=person, received_at=NOW)
    client = logged_in("zhou", group)
    assert client.get(reverse("admin:crm_privacyrequest_changelist")).status_code == 403
    assert client.get(reverse("admin:crm_privacyrequest_change", args=[request.pk])).status_code == 403
    assert client.get(reverse("admin:crm_privacyrequest_add")).status_code == 403
    for verb in ("begin", "approve", "refuse", "answer", "tell"):
        assert client.post(reverse("admin:crm_privacyrequest_do", args=[request.pk, verb])).status_code == 403
    assert client.post(reverse("admin:crm_privacyrequest_pack", args=[request.pk])).status_code == 403
    assert client.get(reverse("admin:crm_legalhold_changelist")).status_code == 403
    assert client.get(reverse("admin:crm_retentionrun_changelist")).status_code == 403


def test_a_pack_is_fetched_by_post_and_logged() -> None:
    person = api.house().profile
    ma = logged_in("ma")
    ma.post(reverse("admin:crm_privacyrequest_add"), {"kind": "access", "profile": person.pk})
    request = PrivacyRequest.objects.latest("pk")
    do(ma, request, "call-back")
    do(ma, request, "begin")
    carry_out(request, timezone.now)
    url = reverse("admin:crm_privacyrequest_pack", args=[request.pk])
    assert ma.get(url).status_code == 405
    answer = ma.post(url)
    assert (answer["Content-Type"], answer.content[:2]) == ("application/zip", b"PK")
    assert "no-store" in answer["Cache-Control"]
    logged = PersonalDataAccess.objects.get(action="export")
    assert (logged.profile_id, logged.actor) == (person.pk, "ma")


def test_a_hold_is_placed_keeps_a_person_from_erasure_and_is_released() -> None:
    person = factories.profile("u-1")
    ma = logged_in("ma")
    told = {"reference": "(2026) 沪 01", "reason": "court", "scope": "person", "profile": person.pk, "data_class": ""}
    assert ma.post(reverse("admin:crm_legalhold_add"), told).status_code == 302
    hold = LegalHold.objects.get()
    ma.post(reverse("admin:crm_privacyrequest_add"), {"kind": "erasure", "profile": person.pk})
    request = PrivacyRequest.objects.latest("pk")
    do(ma, request, "call-back")
    assert "A legal hold ((2026) 沪 01) keeps these data" in do(ma, request, "begin").content.decode()
    assert request.status == "verified"
    ma.post(reverse("admin:crm_legalhold_release", args=[hold.pk]))
    assert not holds.on_people([person.pk], timezone.now()).exists()
    do(ma, request, "begin")
    assert request.status == "checking"
    wrong = ma.post(reverse("admin:crm_legalhold_add"), told | {"profile": 999_999})
    assert "There is no profile with this number." in wrong.content.decode()
    assert LegalHold.objects.count() == 1


def test_the_page_of_retention_shows_what_is_kept_and_what_a_rehearsal_found() -> None:
    from crm import retention

    ma = logged_in("ma")
    rule = {"data_class": "behaviour", "purpose": "profiling", "days": "30"}
    assert ma.post(reverse("admin:crm_retentionrule_add"), rule).status_code == 302
    assert RetentionRule.objects.get().keep.days == 30
    run = retention.run(timezone.now, dry_run=True)
    listed = ma.get(reverse("admin:crm_retentionrun_changelist")).content.decode()
    assert "what was looked at and searched" in listed
    shown = ma.get(reverse("admin:crm_retentionrun_change", args=[run.pk])).content.decode()
    assert "Nothing was deleted" in shown
    assert RetentionRun.objects.get().report[0]["keep_days"] == 30


def test_a_restriction_ends_by_an_officer_with_a_reason_and_once() -> None:
    person = factories.profile("u-1")
    request = carried_out("restriction", person)
    client = logged_in("wang")
    assert "End the restriction" in page(client, request)
    for reason, left in (("", True), ("she asked", False), ("she asked", False)):
        do(client, request, "lift", reason=reason)
        person.refresh_from_db()
        assert (person.restricted_at is not None) == left
    assert request.entries.filter(what="lifted").count() == 1
    assert "End the restriction" not in page(client, request)
