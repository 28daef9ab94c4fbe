"""What the planner says before anything is sent: how long a provider's limits let it take."""

from datetime import datetime, time, timedelta

import pytest
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.runs import planner
from tests.campaigns import factories
from tests.crm import consents

pytestmark = pytest.mark.django_db(transaction=True)
NOW = factories.NOW


def campaign_of(people: int) -> Campaign:
    consents.purpose()
    consents.notice("offers")
    for number in range(people):
        factories.person(number)
    return factories.campaign(holdout=0)


def test_with_a_quota_of_one_a_day_three_messages_end_on_the_third_morning() -> None:
    factories.account(per_day=1)
    third = timezone.localtime(NOW).date() + timedelta(days=2)
    nine = timezone.make_aware(datetime.combine(third, time(9)))
    assert planner.of(campaign_of(3), NOW).out_by == [("our email", nine)]


def test_a_quota_of_none_is_said_to_be_never() -> None:
    factories.account(per_day=0)
    assert planner.of(campaign_of(1), NOW).out_by == [("our email", None)]


def test_without_limits_nothing_is_foretold() -> None:
    factories.account()
    assert planner.of(campaign_of(1), NOW).out_by == []
