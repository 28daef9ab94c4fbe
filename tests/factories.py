"""Rows for tests, as plain functions."""

from datetime import UTC, datetime
from typing import Any

from crm.models import Identifier, ImpactAssessment, Item, Profile, Source
from mlengine.specs import SPECS

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


def assess(*specs: str) -> None:
    """Let specs be trained and predict, all of the product by default: each gets an approved impact assessment."""
    begins, ends = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    words = {"purposes": ["test"], "data_types": ["purchases"], "necessity": "-", "risks": "-", "measures": "-"}
    ImpactAssessment.objects.bulk_create(
        ImpactAssessment(
            subject=f"spec:{name}",
            level="low",
            conclusion="proceed",
            is_synthetic=True,
            created_at=begins,
            approved_at=begins,
            valid_until=ends,
            **words,
        )
        for name in specs or SPECS
    )


def identifiers(of: Profile | None = None) -> set[tuple[str, str]]:
    """Return type and value of the identifiers of a profile, or of all."""
    rows = Identifier.objects.all() if of is None else of.identifiers.all()
    return {(one.type, one.value) for one in rows}


def known_as(external_id: str) -> Profile:
    """Return the profile that an external id names."""
    return Profile.objects.identified("external_id", external_id).get()
