"""Every address of the API, asked by every role and every scope: only what both tables allow is opened."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from oauth2_provider.models import Application

from config.models import ApiAccess
from config.scopes import SCOPES
from crm.role_matrix import ROLES, permissions
from tests import api
from tests.api import own_counters, three_models  # noqa: F401
from tests.config.test_api_access import ADDRESSES, ask, permission_of
from tests.emptying import undone
from tests.staff import member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("three_models", "own_counters")]

CLOSED = {401, 403}


def status(client: Any, method: str, path: str, body: object, house: api.House) -> int:
    """Return what an address answers; what it did is undone, so that each is asked of the same house."""
    with undone():
        answer = ask(client, method, path, body, house)
    assert answer.status_code < 500, (method, path, answer.content)
    return int(answer.status_code)


@pytest.mark.parametrize("role", ROLES)
def test_a_client_does_in_somebodys_name_what_her_role_and_its_scope_allow_both(role: str) -> None:
    house, may = api.house(), set(permissions(role))
    client = api.acting(member(role), *SCOPES)
    allowed = 0
    for method, path, _scope, body in ADDRESSES:
        wanted = permission_of(method, path)
        opened = status(client, method, path, body, house) not in CLOSED
        assert opened == (not wanted or wanted in may), (role, method, path)
        allowed += bool(wanted) and opened
    assert allowed == {"Marketing": 19, "Analyst": 0, "Support": 0, "Compliance": 3, "Admin": 8}[role]


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_a_scope_opens_its_own_addresses_and_no_other(scope: str) -> None:
    house = api.house()
    client = api.acting(User.objects.create(username="chief", is_staff=True, is_superuser=True), scope)
    for method, path, needed, body in ADDRESSES:
        opened = status(client, method, path, body, house) not in CLOSED
        assert opened == (needed == scope), (scope, method, path)


def test_without_a_person_who_agreed_nothing_is_done_in_anybodys_name() -> None:
    house = api.house()
    chief = User.objects.create(username="chief", is_staff=True, is_superuser=True)
    given = api.application(*SCOPES, name="given to her, who never agreed")
    Application.objects.filter(pk=given.pk).update(user=chief)
    agreed_by_another = api.application(*SCOPES, name="agreed by somebody else")
    Application.objects.filter(pk=agreed_by_another.pk).update(user=chief)
    ApiAccess.objects.filter(pk=agreed_by_another.pk).update(agreed_by=member("Marketing"), agreed_scopes=list(SCOPES))
    agreed_to_less = api.application(*SCOPES, name="got more scopes since")
    Application.objects.filter(pk=agreed_to_less.pk).update(user=chief)
    ApiAccess.objects.filter(pk=agreed_to_less.pk).update(agreed_by=chief, agreed_scopes=["profiles:read"])
    for made in (api.application(*SCOPES, name="nobody's"), given, agreed_by_another, agreed_to_less):
        client = api.bearer(api.token(*SCOPES, of=made))
        for method, path, _scope, body in ADDRESSES:
            opened = status(client, method, path, body, house) not in CLOSED
            assert opened == (not permission_of(method, path)), (made.name, method, path)


def test_who_left_or_lost_her_role_does_nothing_any_more() -> None:
    house, one = api.house(), member("Marketing")
    text = api.acting_token(one, "campaigns:run")
    address = f"/api/v1/campaigns/{house.campaign.pk}/cancel/"
    one.groups.clear()
    assert api.error(api.bearer(text).post(address))[0] == 403
    one.is_active = False
    one.save()
    assert api.bearer(text).post(address).status_code in CLOSED
    house.campaign.refresh_from_db()
    assert house.campaign.status == "draft"


def test_nobody_agrees_for_somebody_else_and_who_agreed_takes_it_back() -> None:
    one, other = member("Marketing"), member("Marketing", "other")
    text = api.acting_token(one, "segments:write")
    access = ApiAccess.objects.get()
    with pytest.raises(PermissionError):
        access.agree(other)
    told = {"name": "teenagers", "rule": {"all": []}}
    assert api.bearer(text).post("/api/v1/segments/", told, content_type="application/json").status_code == 201
    access.take_back(other)
    access.take_back(one)
    told["name"] = "pensioners"
    assert api.bearer(text).post("/api/v1/segments/", told, content_type="application/json").status_code == 403
