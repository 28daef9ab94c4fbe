"""Lists stay fast: queries do not grow with the rows, counts are estimated, search is exact and uses its index."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm import partitions
from crm.admin import timeline
from crm.admin.lists import COUNTED_EXACTLY, EstimatingPaginator
from crm.admin.profiles import matches
from crm.database_roles import as_owner
from crm.models import Event, Identifier, Item, JobRun, Profile, ProfileAlias, RejectedEvent, Relation
from mlengine.models import Cluster, ModelVersion, PredictionRun
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def event(profile: Profile, *, minutes_ago: int = 0, session: str = "", **facts: Any) -> Event:
    at = NOW - timedelta(minutes=minutes_ago)
    partitions.ensure([partitions.month_of(at)])
    given = {"kind": "purchase", "session": session, "occurred_at": at, "received_at": at} | facts
    return Event.objects.create(id=uuid4(), source=factories.source(), profile=profile, **given)


def one_of_each(number: int) -> None:
    """Make one more row for every list."""
    person, other = factories.profile(f"person-{number}"), factories.profile()
    item = factories.item(f"A{number}")
    event(person, item=item)
    job = JobRun.objects.create(kind="import", title=f"file {number}", status="running", created_at=NOW)
    RejectedEvent.objects.create(
        source=factories.source(), job=job, index=1, reason="no kind", payload="{}", received_at=NOW
    )
    ProfileAlias.objects.create(duplicate=other, canonical=person, reason="same", merged_at=NOW)
    Relation.objects.create(from_profile=person, to_profile=other, kind="household", created_at=NOW)
    factories.source(f"source {number}")
    version = ModelVersion.objects.create(
        spec="churn", number=number, artifact=f"churn/{number}", sha256="0" * 64, cutoff=NOW, trained_at=NOW
    )
    PredictionRun.objects.create(spec="churn", version=version, cutoff=NOW, started_at=NOW, finished_at=NOW)
    Cluster.objects.create(spec="rfm", code=number, name={"en": f"Group {number}"}, first_seen_at=NOW)


LISTS = [
    *("crm_profile", "crm_identifier", "crm_profilealias", "crm_relation", "crm_source", "crm_item", "crm_event"),
    *("crm_rejectedevent", "crm_jobrun", "mlengine_modelversion", "mlengine_predictionrun", "mlengine_cluster"),
]


@pytest.mark.parametrize("name", LISTS)
def test_a_list_asks_no_more_queries_for_more_rows(browser: Client, name: str) -> None:
    address = reverse(f"admin:{name}_changelist")
    browser.get(address)  # content types and the like are remembered by the process
    counts = []
    for numbers in (range(1, 3), range(3, 9)):
        for number in numbers:
            one_of_each(number)
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(address).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert counts[1] <= 30


@pytest.mark.django_db(transaction=True)
def test_few_rows_are_counted_and_many_are_estimated() -> None:
    Item.objects.bulk_create(Item(code=f"I{n}", created_at=NOW, updated_at=NOW) for n in range(COUNTED_EXACTLY + 2000))
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_item")
    assert EstimatingPaginator(Item.objects.filter(code__in=["I1", "I2"]).order_by("code"), 50).count == 2
    with CaptureQueriesContext(connection) as queries:
        counted = EstimatingPaginator(Item.objects.order_by("code"), 50).count
    assert counted == pytest.approx(COUNTED_EXACTLY + 2000, rel=0.02)
    assert any(query["sql"].startswith("EXPLAIN") for query in queries.captured_queries)
    assert f"LIMIT {COUNTED_EXACTLY + 1}" in queries.captured_queries[0]["sql"]


def test_a_person_is_found_by_number_and_by_any_identifier_exactly() -> None:
    person = factories.profile("13800138000")
    Identifier.objects.create(type="email", value="li@example.org", profile=person, created_at=NOW)
    factories.profile("13800138001")
    for term in (f"#{person.pk}", str(person.pk), "13800138000", "li@example.org"):
        assert list(Profile.objects.filter(matches(term))) == [person], term
    for term in ("1380013800", "LI@", "#99999999", "#abc", "9" * 30):
        assert not Profile.objects.filter(matches(term)), term


@pytest.mark.django_db(transaction=True)
def test_the_search_for_a_person_uses_the_unique_index() -> None:
    Profile.objects.bulk_create(Profile(created_at=NOW, updated_at=NOW) for _ in range(3000))
    Identifier.objects.bulk_create(
        Identifier(type="external_id", value=f"customer-{profile.pk}", profile=profile, created_at=NOW)
        for profile in Profile.objects.all()
    )
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE crm_profile, crm_identifier")
    plan = Profile.objects.filter(matches("customer-77")).explain()
    assert "crm_identifier_means_one_profile" in plan
    assert "Seq Scan on crm_identifier" not in plan


def test_the_log_is_read_a_month_at_a_time_the_newest_first(browser: Client) -> None:
    person = factories.profile()
    event(person, session="this month")
    event(person, minutes_ago=60 * 24 * 40, session="earlier")
    partitions.ensure([partitions.month_of(NOW + timedelta(days=days)) for days in (40, 80)])  # made ahead, empty
    address = reverse("admin:crm_event_changelist")
    page = browser.get(address).content.decode()
    assert ("this month" in page, "earlier" in page) == (True, False)
    page = browser.get(address, {"month": "2026-01"}).content.decode()
    assert ("this month" in page, "earlier" in page) == (False, True)
    assert browser.get(address, {"month": "never"}).status_code == 200


def test_a_timeline_is_paged_without_cutting_a_basket_or_losing_an_event() -> None:
    person, merged = factories.profile(), factories.profile()
    for basket in range(9):
        for _line in range(10):
            event(merged if basket == 4 else person, minutes_ago=basket * 100, session=f"basket {basket}")
    ProfileAlias.objects.create(duplicate=merged, canonical=person, reason="same", merged_at=NOW)
    seen, after = [], ""
    for _page in range(5):
        page = timeline.page(person, after)
        seen += [(group.session, len(group.events)) for _day, groups in page.days for group in groups]
        after = page.after
        if not after:
            break
    assert seen == [(f"basket {basket}", 10) for basket in range(9)]
    assert timeline.facts(person).baskets == 9


def test_a_wrong_place_in_a_timeline_is_a_bad_request(browser: Client) -> None:
    person = factories.profile()
    address = reverse("admin:crm_profile_timeline", args=[person.pk])
    assert browser.get(address, {"after": "yesterday"}).status_code == 400
    assert browser.get(address).status_code == 200
