"""What was opened with a password or a secret ends with it: sessions, access tokens, persons' tokens."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from oauth2_provider.models import Application

from config.models import ApiAccess
from config.scopes import ClientScopes
from crm import person_tokens
from crm.role_matrix import ROLES
from tests import api, factories
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def by_the_page(user: User) -> None:
    answer = logged_in(user).post(
        "/accounts/password/change/",
        {"oldpassword": "correct horse battery", "password1": "another staple 42", "password2": "another staple 42"},
    )
    assert answer.status_code == 302


def by_an_administrator(user: User) -> None:
    boss = User.objects.create_superuser("boss")
    address = f"/admin/auth/user/{user.pk}/password/"
    data = {"password1": "another staple 42", "password2": "another staple 42", "usable_password": "true"}
    assert logged_in(boss).post(address, data).status_code == 302


def in_code(user: User) -> None:
    user.set_password("another")
    user.save()


def in_bulk(user: User) -> None:
    User.objects.update(password=make_password("another"))


def switched_off(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


WAYS: dict[str, Callable[[User], None]] = {
    "changed on the page": by_the_page,
    "changed by an administrator": by_an_administrator,
    "changed in code": in_code,
    "changed in bulk": in_bulk,
    "changed by SQL": lambda user: sql(f"UPDATE auth_user SET password = '!x' WHERE id = {user.pk}"),
    "switched off": switched_off,
}


class Opened:
    """Three doors that one person of the staff has opened."""

    def __init__(self) -> None:
        self.user = User.objects.create_superuser("li", password="correct horse battery")
        self.application = api.application("items:read", "person-tokens:create")
        Application.objects.filter(pk=self.application.pk).update(user=self.user)
        self.session = logged_in(self.user)
        self.program = api.bearer(api.token("items:read", "person-tokens:create", of=self.application))
        self.person = factories.profile()
        made = self.program.post(
            "/api/v1/person-tokens/", {"profile_id": self.person.pk}, content_type="application/json"
        )
        self.browser = api.bearer(made.json()["token"])

    def answers(self) -> list[int]:
        return [
            self.session.get("/admin/").status_code,
            self.program.get("/api/v1/items/").status_code,
            self.browser.get(f"/api/v1/profiles/{self.person.pk}/recommendations/").status_code,
        ]


@pytest.mark.parametrize("way", WAYS)
def test_all_three_kinds_end_when_the_password_or_the_account_does(way: str) -> None:
    opened = Opened()
    assert opened.answers() == [200, 200, 200]
    WAYS[way](opened.user)
    assert opened.answers() == [302, 401, 401]


def test_nothing_ends_when_something_else_about_the_person_changes() -> None:
    opened = Opened()
    User.objects.update(email="li@example.org", last_login=timezone.now(), first_name="Li")
    assert opened.answers() == [200, 200, 200]


def test_another_persons_change_ends_nothing_here() -> None:
    opened = Opened()
    other = User.objects.create_user("wang", password="x")
    WAYS["changed in code"](other)
    assert opened.answers() == [200, 200, 200]


def test_a_new_secret_or_another_owner_ends_a_clients_tokens() -> None:
    for change in ({"client_secret": "x"}, {"user": None}):
        opened = Opened()
        Application.objects.filter(pk=opened.application.pk).update(**change)
        assert opened.answers() == [200, 401, 401]
        opened.user.delete()
        opened.application.delete()


def test_a_client_whose_owner_left_gets_no_new_token() -> None:
    opened = Opened()
    scopes = ClientScopes()
    assert scopes.get_available_scopes(opened.application) == ["items:read", "person-tokens:create"]
    WAYS["switched off"](opened.user)
    assert scopes.get_available_scopes(opened.application) == []


def test_a_client_can_be_told_to_begin_anew() -> None:
    opened = Opened()
    ApiAccess.objects.get(application=opened.application).revoke(timezone.now())
    assert opened.answers() == [200, 401, 401]
    again = api.bearer(api.token("items:read", of=opened.application))
    assert again.get("/api/v1/items/").status_code == 200


def test_the_button_ends_a_programs_tokens_at_once_and_is_logged() -> None:
    opened, boss = Opened(), member("Admin", "boss")
    page = logged_in(boss).get(f"/admin/oauth2_provider/application/{opened.application.pk}/change/").content.decode()
    address = reverse("admin:oauth2_provider_application_revoke", args=[opened.application.pk])
    assert address in page
    assert "1 live token" in page
    assert logged_in(boss).get(address).status_code == 405
    assert opened.answers() == [200, 200, 200]
    assert logged_in(boss).post(address).status_code == 302
    assert opened.answers() == [200, 401, 401]
    assert LogEntry.objects.get().get_change_message() == "All tokens were ended."
    assert api.bearer(api.token("items:read", of=opened.application)).get("/api/v1/items/").status_code == 200


def test_the_button_works_for_several_and_for_one_that_never_had_scopes() -> None:
    opened, boss = Opened(), member("Admin", "boss")
    bare = Application.objects.create(name="bare", client_type="confidential", authorization_grant_type="x")
    chosen = {"action": "revoke_selected", "_selected_action": [opened.application.pk, bare.pk]}
    assert logged_in(boss).post("/admin/oauth2_provider/application/", chosen).status_code == 302
    assert opened.answers() == [200, 401, 401]
    assert LogEntry.objects.count() == 2


@pytest.mark.parametrize("role", [role for role in ROLES if role != "Admin"])
def test_nobody_else_presses_the_button(role: str) -> None:
    opened = Opened()
    address = reverse("admin:oauth2_provider_application_revoke", args=[opened.application.pk])
    assert logged_in(member(role)).post(address).status_code == 403
    assert Client().post(address)["Location"].startswith("/admin/login/")
    assert opened.answers() == [200, 200, 200]
    assert not LogEntry.objects.exists()


def test_what_was_taken_from_a_group_or_a_person_is_gone_at_the_next_click() -> None:
    user = member("Marketing", "wang")
    session = logged_in(user)
    assert session.get("/admin/crm/profile/").status_code == 200
    Group.objects.get(name="Marketing").permissions.remove(Permission.objects.get(codename="view_profile"))
    assert session.get("/admin/crm/profile/").status_code == 403
    assert session.get("/admin/crm/event/").status_code == 200
    user.groups.clear()
    assert session.get("/admin/crm/event/").status_code == 403
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert session.get("/admin/").status_code == 302


def test_of_many_open_sessions_none_outlives_the_account() -> None:
    user = member("Marketing", "wang")
    sessions = [logged_in(user) for _ in range(3)]
    boss = member("Admin", "boss")
    date = {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
    data = {"username": "wang", "is_staff": "on", "groups": [Group.objects.get(name="Marketing").pk], **date}
    assert logged_in(boss).post(f"/admin/auth/user/{user.pk}/change/", data).status_code == 302
    assert [session.get("/admin/").status_code for session in sessions] == [302] * 3
    User.objects.filter(pk=user.pk).update(is_active=True)
    login = {"login": "wang", "password": "whatever"}
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert Client().post("/accounts/login/", login).status_code == 200  # the form again


def test_a_token_loses_a_scope_that_its_client_may_no_longer_ask_for() -> None:
    opened = Opened()
    ApiAccess.objects.filter(application=opened.application).update(scopes=["person-tokens:create"])
    assert opened.program.get("/api/v1/items/").status_code == 403


def test_a_token_of_a_client_that_is_gone_is_refused() -> None:
    opened = Opened()
    opened.application.delete()
    assert opened.answers() == [200, 401, 401]


def test_the_page_where_one_changes_the_password_keeps_its_own_session() -> None:
    user = User.objects.create_superuser("li", password="correct horse battery")
    here = logged_in(user)
    data = {"oldpassword": "correct horse battery", "password1": "another staple 42", "password2": "another staple 42"}
    assert here.post("/accounts/password/change/", data).status_code == 302
    assert here.get("/admin/").status_code == 200


def test_a_well_signed_token_of_a_client_that_never_was_is_refused() -> None:
    now = timezone.now().replace(microsecond=0)
    said = person_tokens.PersonToken(client_id=1, profile_id=1, purpose="x", expires_at=now + timedelta(minutes=5))
    text = person_tokens.mint(said, now)
    assert person_tokens.read(text, now) == said
    assert Client(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/items/").status_code == 401
