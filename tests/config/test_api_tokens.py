"""Clients and their tokens, from the command line to the first answer."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from oauth2_provider.models import AccessToken, Application

from tests import api
from tests.api import own_counters  # noqa: F401

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_counters")]


def create(name: str, *scopes: str) -> dict[str, str]:
    out = StringIO()
    call_command("create_api_client", name, "--scopes", *scopes, stdout=out)
    return dict(line.split("=", 1) for line in out.getvalue().splitlines())


def ask_token(client: dict[str, str], **more: str):  # type: ignore[no-untyped-def]
    return Client().post("/o/token/", {"grant_type": "client_credentials", **client, **more})


def test_a_client_made_by_the_command_gets_a_token_and_an_answer() -> None:
    answer = ask_token(create("web shop", "items:read", "jobs:read"))
    assert answer.status_code == 200
    assert set(answer.json()["scope"].split()) == {"items:read", "jobs:read"}
    assert answer.json()["expires_in"] == 3600
    assert api.bearer(answer.json()["access_token"]).get("/api/v1/items/").json() == {"next": None, "results": []}


def test_neither_secret_nor_token_is_stored() -> None:
    client = create("web shop", "items:read")
    text = ask_token(client).json()["access_token"]
    application = Application.objects.get(client_id=client["client_id"])
    assert application.client_secret.startswith("argon2$")
    stored = str(list(AccessToken.objects.values())) + str(list(Application.objects.values()))
    assert client["client_secret"] not in stored
    assert text not in stored


def test_a_client_may_ask_for_less_than_it_has_but_not_for_more() -> None:
    client = create("web shop", "items:read", "jobs:read")
    assert ask_token(client, scope="jobs:read").json()["scope"] == "jobs:read"
    refused = ask_token(client, scope="jobs:read profiles:read")
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_scope")


def test_a_wrong_secret_gets_nothing() -> None:
    refused = ask_token(create("web shop", "items:read") | {"client_secret": "guess"})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("grant", ["password", "authorization_code", "refresh_token", "implicit", ""])
def test_no_other_grant_is_given(grant: str) -> None:
    refused = ask_token(create("web shop", "items:read"), grant_type=grant, username="a", password="b", code="c")
    assert refused.status_code in {400, 401}
    assert not AccessToken.objects.exists()


def test_asking_for_tokens_too_often_has_to_wait() -> None:
    answers = [Client().post("/o/token/", {"grant_type": "client_credentials"}) for _ in range(31)]
    assert [answer.status_code for answer in answers[:30]] == [401] * 30
    assert answers[30].status_code == 429
    assert 1 <= int(answers[30].headers["Retry-After"]) <= 60


def test_a_client_needs_scopes_that_exist_and_a_name_of_its_own() -> None:
    with pytest.raises(CommandError, match="No such scope: items:write"):
        create("web shop", "items:write")
    create("web shop", "items:read")
    with pytest.raises(CommandError, match="There is a client named 'web shop' already"):
        create("web shop", "items:read")
