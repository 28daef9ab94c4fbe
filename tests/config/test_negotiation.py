"""In which form the API answers: who takes anything gets what anybody who asks for it by name gets."""

import pytest
from rest_framework.negotiation import DefaultContentNegotiation

from config.negotiation import FirstForAnybody
from tests import api

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "accept",
    [None, "", "*/*", "application/json", "application/*", "text/html, */*;q=0.1", "application/json; indent=2"],
)
def test_every_wish_is_answered_as_the_framework_answers_it(
    accept: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, headers = api.caller("items:read"), {} if accept is None else {"Accept": accept}
    ours = client.get("/api/v1/items/", headers=headers)
    monkeypatch.setattr(FirstForAnybody, "select_renderer", DefaultContentNegotiation.select_renderer)
    theirs = client.get("/api/v1/items/", headers=headers)
    assert ours.status_code == theirs.status_code == (406 if accept == "" else 200)
    assert (ours.content, dict(ours.headers)) == (theirs.content, dict(theirs.headers))
