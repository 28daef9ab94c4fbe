from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crm import complete_journey
from crm.models import Event, Item, Profile
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.nightly]


def test_the_sample_is_loaded_once_and_with_its_facts() -> None:
    counts = [2469, 92_331, 1_469_307, 6_589, 2_102]
    first = complete_journey.load(factories.NOW)
    assert [table.rows for table in first] == [table.new for table in first] == counts
    assert [table.new for table in complete_journey.load(factories.NOW)] == [0] * 5
    household = Profile.objects.identified("external_id", "1").get()
    assert (household.age_band, household.attributes["income"]) == ("65+", "35-49K")
    line = Event.objects.get(session="31198570044", item__code="1095275")
    assert (line.kind, line.value, line.quantity, line.currency) == ("purchase", Decimal("0.50"), Decimal(1), "USD")
    # 11:53:26 on the shop's clock, which is the organisation's (Asia/Shanghai in tests).
    assert line.occurred_at == line.received_at == datetime(2017, 1, 1, 3, 53, 26, tzinfo=UTC)
    assert Item.objects.get(code="26093").title == "Bread: Italian/French"
    assert Event.objects.filter(kind="assigned", session="1").count() > 0
