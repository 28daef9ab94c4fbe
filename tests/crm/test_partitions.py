from datetime import UTC, date, datetime

import pytest

from crm import partitions

pytestmark = pytest.mark.django_db


def test_a_month_is_prepared_once() -> None:
    partitions.ensure([date(2017, 12, 1), date(2018, 1, 1)])
    partitions.ensure([date(2017, 12, 1)])
    assert {date(2017, 12, 1), date(2018, 1, 1)} <= partitions.existing()


def test_a_moment_belongs_to_its_month_in_utc() -> None:
    assert partitions.month_of(datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) == date(2026, 3, 1)
