"""A sender of messages to the Segment HTTP API, and what it reads of the answers."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from crm.models import Source
from tests import factories


def key_of(source: Source) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{source.renew_key()}:".encode()).decode()}


@pytest.fixture
def source() -> Source:
    return factories.source("shop", kind=Source.Kind.SERVER)


Send = Callable[..., Any]


@pytest.fixture
def send(source: Source) -> Send:
    """Return a function that posts a body (or raw bytes) to ``/v1/<type>`` with the source's key."""
    headers = key_of(source)

    def post(type_: str, body: Any, **extra: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body)
        return Client().generic("POST", f"/v1/{type_}", data, "application/json", headers=headers | extra)

    return post


def rejected(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    answer = json.loads(response.content)
    assert answer["success"] is True
    return list(answer["rejected"])


def error(response: Any) -> tuple[int, str]:
    body = json.loads(response.content)["error"]
    assert set(body) == {"code", "message", "field"}
    return response.status_code, body["code"]


def track(**facts: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "u1", "event": "Signed up"} | facts
