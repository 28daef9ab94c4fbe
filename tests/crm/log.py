"""Events for tests that need many, or need them in an open transaction."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from crm import partitions
from crm.models import Event, Profile
from tests import factories


def bought(profile: Profile, at: datetime, value: str = "10", **facts: Any) -> Event:
    """Return a purchase that is not in the database yet; ``record`` gives it the shop's source, if it has none."""
    return Event(
        id=uuid4(),
        profile=profile,
        value=Decimal(value),
        occurred_at=at,
        **{"received_at": at, "kind": Event.Kind.PURCHASE} | facts,
    )


def record(events: Iterable[Event]) -> None:
    """Write events as the importer would: many at once, received when they occurred unless they say otherwise."""
    listed, shop = list(events), factories.source()
    for event in listed:
        event.source_id = event.source_id or shop.pk
    partitions.ensure({partitions.month_of(event.occurred_at) for event in listed})
    Event.objects.bulk_create(listed, batch_size=5000)
