import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crm import ingest, partitions
from crm.ingest import NewEvent
from crm.models import Event, EventKey
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def new(profile: int, message_id: str, at: datetime = NOW, **facts: object) -> NewEvent:
    whole = {"kind": "track", "profile_id": profile, "occurred_at": at, "received_at": NOW, "message_id": message_id}
    return NewEvent(**whole | facts)  # type: ignore[arg-type]


def test_every_value_arrives_as_it_was_given() -> None:
    person, thing = factories.profile(), factories.item()
    odd = 'tab\t, line\n, return\r, \\N, \\., "quoted", 知音 \x7f'
    event = new(
        person.pk,
        "m1",
        item_id=thing.pk,
        name=odd,
        session=odd,
        value=Decimal("12.34"),
        quantity=Decimal("0.125"),
        discount=Decimal(0),
        currency="CNY",
        properties=json.dumps({"text": odd, "list": [1, None]}),
    )
    assert ingest.record(factories.source(), event, now=NOW) is True
    kept = Event.objects.get()
    assert (kept.profile, kept.item, kept.name, kept.session) == (person, thing, odd, odd)
    assert (kept.value, kept.quantity, kept.discount, kept.currency) == (
        Decimal("12.34"),
        Decimal("0.125"),
        Decimal(0),
        "CNY",
    )
    assert kept.properties == {"text": odd, "list": [1, None]}
    assert (kept.occurred_at, kept.received_at, kept.id.version) == (NOW, NOW, 7)


def test_a_message_is_taken_once_whatever_its_time() -> None:
    person, source = factories.profile().pk, factories.source()
    assert ingest.record_many(source, [new(person, "m1"), new(person, "m1"), new(person, "m2")], now=NOW) == 2
    later = datetime(2026, 4, 2, tzinfo=UTC)
    assert ingest.record(source, new(person, "m1", later), now=NOW) is False
    assert (Event.objects.count(), EventKey.objects.count()) == (2, 2)


def test_each_month_has_its_partition() -> None:
    person = factories.profile().pk
    days = [datetime(1999, 12, 31, 23, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), datetime(2031, 7, 1, tzinfo=UTC)]
    events = [new(person, str(day), day) for day in days]
    assert ingest.record_many(factories.source(), events, now=NOW) == 3
    assert {partitions.month_of(day) for day in days} <= partitions.existing()
    assert list(Event.objects.order_by("occurred_at").values_list("occurred_at", flat=True)) == days


def test_nothing_is_written_of_nothing() -> None:
    assert ingest.record_many(factories.source(), [], now=NOW) == 0
