"""One person's browser learns nothing about another: every address of the schema, every purpose."""

from datetime import timedelta
from functools import cache
from typing import Any, cast

import pytest
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator
from rest_framework.serializers import ChoiceField

from crm import person_tokens
from crm.api.person_tokens import PersonTokenIn
from crm.models import ConsentEventPerson, Profile
from tests import api, factories
from tests.api import own_counters, three_models  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("three_models", "own_counters")]

PURPOSES = tuple(cast("ChoiceField", PersonTokenIn().fields["purpose"]).choices)
MISSING = 999_999_999_999
METHODS = ("get", "post", "put", "patch", "delete")


@cache
def operations() -> list[tuple[str, str]]:
    """Return method and path of each operation that the schema tells, or would if it told all methods."""
    made: Any = SchemaGenerator  # drf-spectacular's own has no types
    schema = made().get_schema(request=None, public=True)
    paths = [path for path in schema["paths"] if path.startswith("/api/v1/")]
    return [(method, path) for path in paths for method in METHODS]


def browser_of(profile: Profile, purpose: str, client_id: int) -> Any:
    now = timezone.now()
    said = person_tokens.PersonToken(
        client_id=client_id, profile_id=profile.pk, purpose=purpose, expires_at=now + timedelta(minutes=5)
    )
    return api.bearer(person_tokens.mint(said, now))


def filled(path: str, ids: dict[str, int], missing: bool) -> str:
    resource = path.removeprefix("/api/v1/").split("/")[0].rstrip("s")
    head, _, rest = path.partition("{")
    if not rest:
        return path
    return head + str(MISSING if missing else ids.get(resource, 1)) + rest.partition("}")[2]


def asked(browser: Any, method: str, address: str, about: int, known_as: str = "u-1001-secret") -> Any:
    identifier = {"type": "external_id", "value": known_as}
    body = {"profile_id": about, "identifier": identifier, "profile": {"id": about}, **identifier}
    return getattr(browser, method)(address, body if method != "get" else None, content_type="application/json")


def test_the_schema_has_the_addresses_that_this_is_about() -> None:
    paths = {path for _method, path in operations()}
    assert len(paths) >= 15
    assert "/api/v1/profiles/{id}/recommendations/" in paths


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_strangers_browser_gets_the_same_answer_for_a_person_and_for_nobody(purpose: str) -> None:
    house, client = api.house(), api.application("person-tokens:create", name="pages").pk
    for method, path in operations():
        stranger = browser_of(factories.profile(), purpose, client)  # each may ask so often only
        here = asked(stranger, method, filled(path, house.ids, missing=False), house.profile.pk)
        nowhere = asked(stranger, method, filled(path, house.ids, missing=True), MISSING, "u-nobody-secret")
        assert here.status_code == nowhere.status_code, (method, path)
        allowed = {400, 403, 404, 405}  # 400: its purpose opens this, for what is its own
        assert here.status_code in allowed, (method, path, here.content[:200])
        assert here.content == nowhere.content, (method, path)
        assert b"secret" not in here.content
    assert not ConsentEventPerson.objects.exists()


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_browser_of_one_purpose_opens_nothing_of_another(purpose: str) -> None:
    house, client = api.house(), api.application("person-tokens:create", name="pages").pk
    own = browser_of(house.profile, purpose, client)
    opened = {
        path
        for method, path in operations()
        if method == "get"
        and asked(own, method, filled(path, house.ids, missing=False), house.profile.pk).status_code == 200
    }
    others = {
        path
        for other in PURPOSES
        if other != purpose
        for method, path in operations()
        if method == "get"
        and asked(
            browser_of(house.profile, other, client), method, filled(path, house.ids, missing=False), house.profile.pk
        ).status_code
        == 200
    }
    assert opened or purpose == "mini_program"  # it only writes, what is its own
    assert not opened & others
