"""The OpenAPI description is valid, names every error, and its page needs nothing from elsewhere."""

import re
from pathlib import Path

import pytest
import yaml
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from config.scopes import SCOPES


def schema() -> dict:  # type: ignore[type-arg]
    loaded = yaml.safe_load(Client().get("/api/schema/").content)
    assert isinstance(loaded, dict)
    return loaded


def test_the_schema_is_valid_without_a_warning(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yml"))


def test_every_operation_names_its_scope_and_its_errors() -> None:
    described = schema()
    operations = [
        (path, method, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    assert len(operations) == 103
    for path, method, operation in operations:
        [scope] = next(need["oauth2"] for need in operation["security"] if "oauth2" in need)
        assert scope in SCOPES, (path, method)
        assert {"400", "401", "403", "406", "429"} <= set(operation["responses"])
        assert operation["description"].splitlines()[0]
    flows = described["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["clientCredentials"]["scopes"] == SCOPES


def test_only_what_is_a_persons_own_is_open_to_persons() -> None:
    open_to_persons = [
        path
        for path, methods in schema()["paths"].items()
        for operation in methods.values()
        if {"personToken": []} in operation["security"]
    ]
    assert sorted(open_to_persons) == [
        "/api/v1/consent-forms/",
        "/api/v1/consents/",
        "/api/v1/consents/withdraw/",
        "/api/v1/mini-program/phone/",
        "/api/v1/mini-program/subscriptions/",
        "/api/v1/profiles/{id}/basis/",
        "/api/v1/profiles/{id}/consents/",
        "/api/v1/profiles/{id}/recommendations/",
    ]


@pytest.mark.django_db
def test_the_documentation_page_loads_nothing_from_elsewhere() -> None:
    page = Client().get("/api/docs/").content.decode()
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)
    assert "//" not in page.replace("://", "") or "cdn" not in page
    for address in loaded:
        assert finders.find(address.removeprefix("/static/")), address
