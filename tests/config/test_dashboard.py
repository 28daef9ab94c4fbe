"""The dashboard's figures: exact on events that were made for it, up to the last whole day, in few queries."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from config import dashboard
from crm import activity, partitions
from crm.models import Event, Profile, ProfileAlias
from mlengine.models import ModelVersion, PredictionRun
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)  # partitions are made outside of transactions

END = datetime(2026, 3, 1, 15, 30, tzinfo=UTC)  # 23:30 of the organisation's 1 March


def happened(person: Profile, days_ago: int, kind: str = "purchase", value: str = "10", at: datetime = END) -> None:
    when = at - timedelta(days=days_ago)
    partitions.ensure([partitions.month_of(when)])
    Event.objects.create(
        id=uuid4(),
        source=factories.source(),
        profile=person,
        kind=kind,
        value=Decimal(value),
        currency="CNY" if kind in {"purchase", "refund"} else "",
        occurred_at=when,
        received_at=when,
    )


def test_an_empty_house_says_what_to_do_next() -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:index"))
    assert page.status_code == 200
    assert "Nothing has happened yet." in page.content.decode()
    assert reverse("admin:crm_source_add") in page.content.decode()


def test_days_are_those_of_the_organisation_and_refunds_count_against_revenue() -> None:
    person = factories.profile()
    happened(person, 0, value="10")
    happened(person, 0, "refund", "4")
    happened(person, 1, value="5")
    happened(factories.profile(), 0, "assigned", "0")
    found = activity.by_day(END, days=3)
    assert [(day.day, day.events, day.revenue, day.people) for day in found] == [
        (date(2026, 2, 27), 0, Decimal(0), 0),
        (date(2026, 2, 28), 1, Decimal("5.00"), 1),
        (date(2026, 3, 1), 3, Decimal("6.00"), 1),
    ]


def test_people_are_counted_once_in_a_window_and_merged_ones_as_the_one_that_was_kept() -> None:
    kept, duplicate, other = factories.profile(), factories.profile(), factories.profile()
    first = factories.profile()
    for person, days_ago in ((kept, 0), (duplicate, 3), (first, 5), (other, 29), (other, 31)):
        happened(person, days_ago)
    for one, canonical in ((first, duplicate), (duplicate, kept)):
        ProfileAlias.objects.create(duplicate=one, canonical=canonical, reason="same", merged_at=END)
    assert activity.active_people(END, [(30, 0), (60, 30)]) == {(30, 0): 2, (60, 30): 1}


@pytest.mark.parametrize(
    ("latest", "shown"),
    [
        (datetime(2026, 3, 1, 15, 30, tzinfo=UTC), date(2026, 3, 1)),  # 23:30: the day is over
        (datetime(2026, 3, 1, 4, 0, tzinfo=UTC), date(2026, 2, 28)),  # noon: the day before was whole
    ],
)
def test_the_window_ends_with_the_last_whole_day(latest: datetime, shown: date) -> None:
    person = factories.profile()
    happened(person, 0, at=latest)
    happened(person, 1, at=latest)
    record = dashboard.read()
    assert record is not None
    assert record.days[-1].day == shown
    assert record.days[-1].events == 1


@pytest.mark.parametrize(
    ("kind", "days_ago", "shown"),
    [
        ("view", 0, date(2026, 3, 1)),
        ("view", 200, date(2025, 8, 13)),  # nothing was paid for a quarter: shown is what the models tell of
        ("purchase", 200, date(2026, 3, 1)),
    ],
)
def test_where_nothing_is_sold_any_more_the_window_ends_where_the_models_look_from(
    kind: str, days_ago: int, shown: date
) -> None:
    person = factories.profile()
    happened(person, days_ago or 1)
    happened(person, 0, kind)
    answered(END - timedelta(days=days_ago))
    record = dashboard.read()
    assert record is not None
    assert record.days[-1].day == shown
    assert record.days[-1].events


def answered(at: datetime) -> None:
    version = ModelVersion.objects.create(
        spec="churn", number=1, artifact="a", sha256="0" * 64, card={}, cutoff=at, trained_at=at
    )
    PredictionRun.objects.create(
        spec="churn", version=version, cutoff=at + timedelta(hours=1), started_at=at, finished_at=at
    )


def test_the_first_half_day_of_all_is_shown() -> None:
    happened(factories.profile(), 0, at=datetime(2026, 3, 1, 4, 0, tzinfo=UTC))
    record = dashboard.read()
    assert record is not None
    assert sum(day.events for day in record.days) == 1


def test_cards_compare_with_the_period_before() -> None:
    person = factories.profile()
    for days_ago, value in ((0, "300"), (45, "200")):
        happened(person, days_ago, value=value)
    record = dashboard.read()
    assert record is not None
    people, _quarter, revenue, _events = dashboard.cards(record)
    assert (people.value, people.change_text, people.direction) == ("1", "0.0 %", "flat")
    assert (revenue.value, revenue.change_text, revenue.direction) == ("300", "+50.0 %", "up")


def test_a_second_look_within_a_minute_counts_nothing_again() -> None:
    happened(factories.profile(), 0)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    page = client.get(reverse("admin:index")).content.decode()
    assert "Data up to 1 Mar 2026" in page
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(reverse("admin:index"))
    assert not [query for query in queries.captured_queries if "crm_event " in query["sql"]]
    assert len(queries) < 45  # one of whatever may wait for somebody who may do everything
