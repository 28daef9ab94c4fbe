"""Nobody sees a person unmasked without a row that says who, when and why."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from crm import access_log, approvals
from crm.access_log import RevealRefused
from crm.models import Approval, Identifier, PersonalDataAccess
from tests import api, factories, staff
from tests.factories import NOW

pytestmark = pytest.mark.django_db
NAME, PHONE, EMAIL = "欧阳娜娜", "13800138000", "canary@qq.com"


def person() -> Any:
    made = factories.profile("customer-0042", name=NAME, attributes={"email": EMAIL, "income": "high"})
    Identifier.objects.create(type="phone", value=PHONE, profile=made, created_at=NOW)
    return made


def member(group: str, name: str = "officer") -> tuple[User, Client]:
    user = staff.member(group, name)
    return user, staff.logged_in(user)


def rows() -> list[tuple[Any, ...]]:
    return list(PersonalDataAccess.objects.order_by("pk").values_list("action", "actor", "profile", "count", "reason"))


def test_a_reveal_shows_the_person_once_and_is_logged_before() -> None:
    made = person()
    _user, client = member("Compliance")
    address = reverse("admin:crm_profile_reveal", args=[made.pk])
    answer = client.post(address, {"reason": "complaint 2214"})
    page = answer.content.decode()
    assert all(value in page for value in (NAME, PHONE, EMAIL, "customer-0042"))
    assert "no-store" in answer["Cache-Control"]
    assert rows() == [("reveal", "officer", made.pk, 1, "complaint 2214")]
    again = client.get(reverse("admin:crm_profile_change", args=[made.pk])).content.decode()
    assert not any(value in again for value in (NAME, PHONE, EMAIL, "customer-0042"))
    assert "complaint 2214" in again
    assert client.get(address).status_code == 405


@pytest.mark.parametrize("reason", ["", "   ", "x"])
def test_without_a_reason_nothing_is_shown_and_nothing_logged(reason: str) -> None:
    made = person()
    _user, client = member("Compliance")
    answer = client.post(reverse("admin:crm_profile_reveal", args=[made.pk]), {"reason": reason}, follow=True)
    assert "Say why" in answer.content.decode()
    assert NAME not in answer.content.decode()
    assert rows() == []


@pytest.mark.parametrize("group", ["Marketing", "Analyst"])
def test_without_the_permission_there_is_no_button_and_no_reveal(group: str) -> None:
    made = person()
    _user, client = member(group)
    address = reverse("admin:crm_profile_reveal", args=[made.pk])
    assert address not in client.get(reverse("admin:crm_profile_change", args=[made.pk])).content.decode()
    answer = client.post(address, {"reason": "complaint 2214"}, follow=True)
    assert NAME not in answer.content.decode()
    assert rows() == []


def test_the_name_is_corrected_from_the_revealed_page_and_kept_by_every_other_form() -> None:
    made = person()
    _user, client = member("Compliance")
    address = reverse("admin:crm_profile_change", args=[made.pk])
    client.post(address, {"city": "上海"})
    made.refresh_from_db()
    assert (made.name, made.city) == (NAME, "上海")
    revealed = client.post(reverse("admin:crm_profile_reveal", args=[made.pk]), {"reason": "correction"})
    assert f'action="{address}"' in revealed.content.decode()
    client.post(address, {"name": "欧阳娜", "city": "上海"})
    made.refresh_from_db()
    assert made.name == "欧阳娜"


def test_personal_data_in_a_reason_is_masked() -> None:
    row = access_log.note("export", "a list", user=member("Compliance")[0], reason=f"asked by {PHONE}", now=NOW)
    assert row.reason == "asked by 138****8000"
    with pytest.raises(ValueError, match="somebody"):
        access_log.note("export", "a list", now=NOW)
    with pytest.raises(ValueError, match="peek"):
        access_log.note("peek", "a list", actor="x", now=NOW)


def test_a_minor_is_revealed_after_a_second_person_approved_and_once() -> None:
    minor = factories.profile(name=NAME, age_class="minor")
    asker, other = member("Compliance")[0], User.objects.create_superuser("second")
    with pytest.raises(RevealRefused, match="minor"):
        access_log.reveal(minor, user=asker, reason="complaint 2214", now=NOW)
    assert rows() == []
    asked = Approval.objects.get(action="minor_access", requested_by=asker)
    approvals.approve(asked.pk, by=other, now=NOW)
    access_log.reveal(minor, user=asker, reason="complaint 2214", now=NOW)
    assert [row[0] for row in rows()] == ["reveal"]
    with pytest.raises(RevealRefused, match="minor"):
        access_log.reveal(minor, user=asker, reason="complaint 2214", now=NOW)
    assert len(rows()) == 1


@pytest.mark.parametrize("page", ["crm_profile", "crm_identifier", "crm_event"])
def test_a_search_by_identifier_is_posted_logged_and_leaves_no_identifier_in_the_address(page: str) -> None:
    made = person()
    _user, client = member("Compliance")
    address = reverse(f"admin:{page}_changelist")
    answer = client.post(address, {"q": f" {PHONE} "})
    assert answer.status_code == 302
    assert answer["Location"].endswith(f"?q=%23{made.pk}")
    assert rows() == [("search", "officer", made.pk, 1, "")]
    assert client.get(answer["Location"]).status_code == 200
    assert 'method="post"' in client.get(address).content.decode()
    nobody = client.post(address, {"q": "13900139000"}, follow=True)
    assert "Nobody is known by this" in nobody.content.decode()
    assert nobody.context["cl"].result_count == 0
    assert rows()[1] == ("search", "officer", None, 0, "")


def test_an_identifier_in_an_address_finds_nobody() -> None:
    person()
    _user, client = member("Compliance")
    assert client.get(reverse("admin:crm_profile_changelist"), {"q": PHONE}).context["cl"].result_count == 0


@pytest.mark.parametrize("address", ["/api/v1/profiles/", "/api/v1/profiles/{}/", "/api/v1/profiles/{}/events/"])
def test_a_program_that_reads_people_unmasked_is_logged_and_one_that_reads_them_masked_is_not(address: str) -> None:
    made = person()
    client = api.caller("profiles:read", "events:read", "profiles:unmasked")
    assert client.get(address.format(made.pk)).status_code == 200
    (row,) = rows()
    assert (row[0], row[2], row[3]) == ("api", None if address.endswith("profiles/") else made.pk, 1)
    masked = api.bearer(api.token("profiles:read", "events:read", of=api.application(name="b")))
    assert masked.get(address.format(made.pk)).status_code == 200
    assert len(rows()) == 1


def test_the_log_outlives_the_person_and_the_user_for_three_years() -> None:
    made, user = factories.profile(name=NAME), User.objects.create_superuser("leaver")
    number = made.pk
    access_log.note("view", "name", user=user, profile=number, now=NOW)
    user.delete()
    made.delete()
    row = PersonalDataAccess.objects.get()
    assert (row.actor, row.user, row.profile_id) == ("leaver", None, number)
    past = PersonalDataAccess.objects.past_retention
    assert not past(NOW + timedelta(days=3 * 365)).exists()
    assert past(NOW + timedelta(days=3 * 365 + 2)).exists()


def test_compliance_sees_who_looked_at_a_person() -> None:
    made = person()
    _user, client = member("Compliance")
    client.post(reverse("admin:crm_profile_reveal", args=[made.pk]), {"reason": "complaint 2214"})
    client.post(reverse("admin:crm_profile_changelist"), {"q": "13900139000"})
    found = client.get(reverse("admin:crm_personaldataaccess_changelist"), {"q": f"#{made.pk}"})
    assert [row.action for row in found.context["cl"].result_list] == ["reveal"]
    assert "complaint 2214" in found.content.decode()
