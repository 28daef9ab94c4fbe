"""Rows for tests, as plain functions."""

from datetime import UTC, datetime
from typing import Any

from crm.models import Identifier, Item, Profile, Source

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def source(name: str = "shop", **facts: Any) -> Source:
    """Return a source, the same one for the same name."""
    return Source.objects.get_or_create(name=name, defaults=facts)[0]


def profile(external_id: str = "", **facts: Any) -> Profile:
    """Return a new profile, known by an external id where one is given."""
    made = Profile.objects.create(**{"created_at": NOW, "updated_at": NOW} | facts)
    if external_id:
        Identifier.objects.create(type="external_id", value=external_id, profile=made, created_at=NOW)
    return made


def item(code: str = "A1", **facts: Any) -> Item:
    """Return a new product."""
    return Item.objects.create(**{"code": code, "title": code, "created_at": NOW, "updated_at": NOW} | facts)
