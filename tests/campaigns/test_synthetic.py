"""What the demonstration gives a visitor to try: complete, made up, and harmless."""

from datetime import timedelta
from typing import Any

import pytest

from campaigns.demonstration import synthetic
from campaigns.models import Campaign, ChannelAccount
from campaigns.runs.readiness import problems
from crm.models import Identifier, Source
from tests import factories
from tests.crm import consents

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def test_each_household_gets_one_address_that_no_server_can_deliver_to() -> None:
    sample_with(2)
    synthetic.seed(NOW)
    found = Identifier.objects.filter(type="email").order_by("profile_id")
    assert [one.value for one in found] == ["household-1@example.invalid", "household-2@example.invalid"]
    assert len({one.profile_id for one in found}) == 2


def test_the_draft_lacks_nothing_and_its_one_account_lets_nothing_leave(settings: Any) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    sample_with(1)
    synthetic.seed(NOW)
    assert problems(Campaign.objects.get(), NOW) == []
    assert Campaign.objects.get().status == Campaign.Status.DRAFT
    assert [(one.provider, one.settings) for one in ChannelAccount.objects.all()] == [("stub", {})]


def test_where_nobody_knows_this_server_s_address_the_draft_says_so(settings: Any) -> None:
    settings.PUBLIC_URL = ""
    sample_with(1)
    synthetic.seed(NOW)
    (said,) = problems(Campaign.objects.get(), NOW)
    assert "PUBLIC_URL" in said


def test_seeding_again_changes_nothing() -> None:
    sample_with(1)
    assert synthetic.seed(NOW)
    assert not synthetic.seed(NOW + timedelta(days=1))
    assert Campaign.objects.count() == ChannelAccount.objects.count() == 1


def sample_with(households: int) -> None:
    source = Source.objects.create(name=synthetic.SAMPLE, kind=Source.Kind.IMPORT)
    consents.purpose(code="marketing")
    for number in range(1, households + 1):
        made = factories.profile()
        Identifier.objects.create(type="external_id", value=str(number), profile=made, source=source, created_at=NOW)
