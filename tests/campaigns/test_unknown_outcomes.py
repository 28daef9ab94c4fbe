"""The list of messages of which nobody knows whether they left."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.models import Delivery, Run
from campaigns.runs import planning
from tests.campaigns import factories
from tests.crm import consents
from tests.staff import logged_in, member

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unknown() -> Delivery:
    """Two messages were handed over; of one it is known what became of it."""
    consents.purpose()
    account = factories.account()
    people = [factories.person(number) for number in (1, 2)]
    run = planning.begin(factories.campaign(holdout="0"), "once", factories.NOW)
    planning.plan(run, iter([[one.pk for one in people]]), factories.NOW)
    one, two = Delivery.objects.order_by("profile")
    at = factories.NOW + timedelta(minutes=1)
    for row, status, reason in ((one, "unknown", "worker_lost"), (two, "accepted", "")):
        facts = {"call": uuid4(), "called_at": at, "account": account, "ended_at": at, "reason": reason}
        Delivery.objects.filter(pk=row.pk).update(status=status, **facts)
    assert Run.objects.count() == 1
    return Delivery.objects.get(pk=one.pk)


def listed(client: Client) -> str:
    return client.get(reverse("admin:campaigns_delivery_changelist")).content.decode()


def test_what_is_unknown_is_listed_with_its_reason_in_words(unknown: Delivery) -> None:
    page = listed(logged_in(member("Marketing", "ann"), second_factor=True))
    assert "our worker was lost in the call" in page
    assert f"#{unknown.profile_id}</a>" in page
    assert page.count("field-handed_over") == 1


def test_what_becomes_known_leaves_the_list(unknown: Delivery) -> None:
    Delivery.objects.filter(pk=unknown.pk).update(status="delivered", reason="")
    page = listed(logged_in(member("Marketing", "ann"), second_factor=True))
    assert "never sent a second time blindly" in page
    assert "our worker was lost" not in page


def test_analysts_see_no_row_of_it(unknown: Delivery) -> None:
    analyst = logged_in(member("Analyst", "mia"), second_factor=True)
    assert analyst.get(reverse("admin:campaigns_delivery_changelist")).status_code == 403
