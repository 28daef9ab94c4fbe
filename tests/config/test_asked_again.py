"""Who it is, asked again before what is sensitive: each role against each such page, and what waits meanwhile."""

from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import Application

from crm import approvals
from crm.models import PersonalDataAccess, RowExport
from crm.role_matrix import ROLES, permissions
from tests import factories
from tests.crm.test_assessments import draft
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db

LONG_AGO = settings.ACCOUNT_REAUTHENTICATION_TIMEOUT + 1
ASKS = "/accounts/reauthenticate/"
# What asks again: how it is reached, and the permission that it needs besides.
SENSITIVE: dict[str, tuple[str, dict[str, Any], str]] = {
    "crm_profile_reveal": ("post", {}, "crm.view_unmasked"),
    "crm_profile_preference_link": ("post", {}, "crm.record_consent"),
    "crm_approval_decide": ("post", {"verb": "approve"}, "crm.decide_approval"),
    "crm_impactassessment_approve": ("post", {}, "crm.approve_impactassessment"),
    "crm_audit_order": ("get", {}, "crm.export_audit_bundle"),
    "crm_audit_approved": ("post", {"pk": UUID(int=1)}, "crm.export_audit_bundle"),
    "crm_audit_download": ("get", {"pk": 10**9, "kind": "zip"}, "crm.export_audit_bundle"),
    "crm_privacyrequest_pack": ("post", {"pk": 10**9}, "crm.handle_privacyrequest"),
    "crm_rowexport_add": ("get", {}, "crm.add_rowexport"),
    "crm_source_renew": ("post", {"pk": 10**9}, "crm.change_source"),
    "auth_user_add": ("get", {}, "auth.add_user"),
    "auth_user_change": ("get", {"object_id": "1000000000"}, "auth.change_user"),
    "auth_user_password_change": ("get", {"id": "1000000000"}, "auth.change_user"),
    "oauth2_provider_application_add": ("get", {}, "oauth2_provider.add_application"),
    "oauth2_provider_application_delete": (
        *("get", {"object_id": "1000000000"}),
        "oauth2_provider.delete_application",
    ),
}
DONE = {"begin": "handle", "approve": "check", "answer": "handle"}
SENSITIVE |= {
    f"crm_privacyrequest_do {verb}": ("post", {"pk": 10**9, "verb": verb}, f"crm.{what}_privacyrequest")
    for verb, what in DONE.items()
}


def is_asked(answer: Any) -> bool:
    return bool(answer.status_code == 302 and answer["Location"].startswith(ASKS))


@pytest.fixture
def waiting() -> dict[str, dict[str, Any]]:
    """Return what waits for a second person: a request for approval, and an assessment."""
    now = timezone.now()
    asker = User.objects.create_user("asker")
    asked = approvals.ask("clear_export", "segment 12", {}, by=asker, reason="For the courier.", now=now)
    assessment = draft("connector:courier").pk
    return {"crm_approval_decide": {"pk": str(asked.pk)}, "crm_impactassessment_approve": {"pk": assessment}}


@pytest.mark.parametrize("role", ROLES)
def test_who_may_do_it_is_asked_again_who_it_is_and_who_may_not_is_sent_away(
    role: str, waiting: dict[str, dict[str, Any]]
) -> None:
    late = logged_in(member(role), seconds_ago=LONG_AGO)
    fresh = logged_in(member(role, "fresh"))
    for name, (method, arguments, permission) in SENSITIVE.items():
        there = {**arguments, **({"pk": factories.profile().pk} if name.startswith("crm_profile_") else {})}
        there |= waiting.get(name, {})
        for browser in (late, fresh):
            browser.raise_request_exception = False
            answer = getattr(browser, method)(reverse(f"admin:{name.split()[0]}", kwargs=there))
            may = permission in permissions(role)
            assert is_asked(answer) == (may and browser is late), name
            assert may or answer.status_code in {403, 404}, name


def test_what_is_not_sensitive_asks_nobody_again() -> None:
    pages = {
        "Support": ["crm_profile_changelist"],
        "Marketing": ["crm_profile_changelist", "crm_event_changelist", "crm_import"],
        "Compliance": [
            "crm_compliance",
            "crm_privacyrequest_changelist",
            "crm_consentevent_changelist",
            "crm_privacyrequest_add",
        ],
        "Admin": ["auth_user_changelist", "auth_group_changelist", "oauth2_provider_application_changelist"],
        "Analyst": ["crm_release_changelist", "mlengine_modelversion_changelist"],
    }
    for role, names in pages.items():
        browser = logged_in(member(role), seconds_ago=LONG_AGO)
        for name in names:
            answer = browser.get(reverse(f"admin:{name}"))
            assert answer.status_code in {200, 403}, name


@pytest.fixture
def officer() -> User:
    user = member("Compliance", "officer")
    user.set_password("correct horse battery")
    user.save()
    return user


def prove(browser: Client, asked: Any, password: str = "correct horse battery") -> Any:
    back = parse_qs(urlsplit(asked["Location"]).query)["next"][0]
    return browser.post(asked["Location"], {"password": password, "next": back})


def test_what_was_asked_for_is_done_after_the_proof_and_only_then(officer: User) -> None:
    person = factories.profile("canary-1", name="康娜瑞")
    browser = logged_in(officer, seconds_ago=LONG_AGO)
    address = reverse("admin:crm_profile_reveal", args=[person.pk])
    asked = browser.post(address, {"reason": "She asked on the phone."})
    assert is_asked(asked)
    wrong = prove(browser, asked, "wrong")
    assert "康娜瑞" not in wrong.content.decode()
    assert not PersonalDataAccess.objects.exists()
    assert "康娜瑞" in prove(browser, asked).content.decode()
    assert PersonalDataAccess.objects.get().reason == "She asked on the phone."
    assert not is_asked(browser.post(address, {"reason": "She asked once more."}))  # not again for some minutes


def test_an_export_of_rows_waits_for_the_proof(officer: User) -> None:
    browser = logged_in(officer, seconds_ago=LONG_AGO)
    address = reverse("admin:crm_rowexport_add")
    assert is_asked(browser.post(address, {"purpose": "x", "recipient": "y", "columns": "gender"}))
    assert not RowExport.objects.exists()
    assert prove(browser, browser.get(address))["Location"] == address
    # What was posted first and given up was not done by the proof for something else.
    assert browser.get(address).status_code == 200
    assert not RowExport.objects.exists()


def test_a_password_that_was_typed_into_a_form_never_waits_in_the_session() -> None:
    boss, other = member("Admin", "boss"), User.objects.create_user("other", is_staff=True)
    browser = logged_in(boss, seconds_ago=LONG_AGO)
    typed = {"password1": "another staple 42", "password2": "another staple 42", "usable_password": "true"}
    for address in (
        reverse("admin:auth_user_password_change", args=[other.pk]),
        reverse("admin:auth_user_add"),
        reverse("admin:oauth2_provider_application_add"),
    ):
        asked = browser.post(address, {**typed, "username": "x", "client_secret": "another staple 42"})
        assert is_asked(asked)
        assert parse_qs(urlsplit(asked["Location"]).query)["next"] == [address]
    for row in Session.objects.all():
        assert "another staple 42" not in str(row.get_decoded())
    assert not User.objects.filter(username="x").exists()
    assert not Application.objects.exists()


def test_a_role_is_given_only_minutes_after_a_proof() -> None:
    boss, other = member("Admin", "boss"), User.objects.create_user("other", is_staff=True)
    address = reverse("admin:auth_user_change", args=[other.pk])
    date = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    data = {"username": "other", "is_active": "on", "groups": [Group.objects.get(name="Compliance").pk], **date}
    assert is_asked(logged_in(boss, seconds_ago=LONG_AGO).post(address, data))
    assert not other.groups.exists()
    assert logged_in(boss).post(address, data).status_code == 302
    assert other.groups.exists()


def test_a_superuser_takes_a_second_factor_away_only_minutes_after_a_proof() -> None:
    boss = User.objects.create_superuser("boss", password="correct horse battery")
    browser = logged_in(boss, seconds_ago=LONG_AGO)
    taken = {"action": "delete_selected", "_selected_action": ["1"]}
    assert is_asked(browser.post(reverse("admin:mfa_authenticator_changelist"), taken))
    assert is_asked(browser.post(reverse("admin:auth_group_change", args=[1]), {"name": "x"}))
