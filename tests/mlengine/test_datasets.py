from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from crm import lake
from crm.models import Profile, ProfileAlias
from mlengine import datasets
from mlengine.columns import Log
from tests import factories
from tests.crm.log import bought, record

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
JANUARY, FEBRUARY = datetime(2026, 1, 10, 4, tzinfo=UTC), datetime(2026, 2, 10, 4, tzinfo=UTC)


def exported() -> Log:
    lake.export(NOW)
    return datasets.log(until=NOW)


def users(log: Log) -> list[int]:
    return sorted(log.events.collect()["user"].to_list())


def merge(duplicate: Profile, canonical: Profile) -> ProfileAlias:
    return ProfileAlias.objects.create(duplicate=duplicate, canonical=canonical, reason="same", merged_at=NOW)


def test_an_empty_house_is_an_empty_log() -> None:
    log = datasets.log(until=NOW)
    assert log.events.collect().shape == (0, 10)
    assert datasets.known_until(NOW) is None


def test_merged_profiles_are_one_person_however_long_the_chain_and_until_undone() -> None:
    a, b, c = (factories.profile() for _ in range(3))
    record([bought(person, JANUARY) for person in (a, b, c)])
    merge(a, b)
    second = merge(b, c)
    assert users(exported()) == [c.pk, c.pk, c.pk]
    assert exported().profiles.collect()["user"].to_list() == [c.pk]
    second.undone_at = NOW
    second.save()
    assert users(exported()) == [b.pk, b.pk, c.pk]


def test_who_wants_no_personalisation_is_learned_from_by_nothing_under_any_of_their_profiles() -> None:
    stays, a, b = (factories.profile() for _ in range(3))
    record([bought(person, JANUARY) for person in (stays, a, b)])
    merge(a, b)
    Profile.objects.filter(pk=a.pk).update(personalisation=False)
    log = exported()
    assert users(log) == [stays.pk]
    assert log.profiles.collect()["user"].to_list() == [stays.pk]


def test_the_erased_are_gone_before_the_lake_is_compacted() -> None:
    stays, leaves = factories.profile(), factories.profile()
    record([bought(stays, JANUARY), bought(leaves, JANUARY)])
    lake.export(NOW)
    leaves.delete()
    assert users(datasets.log(until=NOW)) == [stays.pk]


def test_a_log_until_a_date_has_what_had_happened_and_had_arrived() -> None:
    person = factories.profile()
    late = {"received_at": FEBRUARY + timedelta(days=2)}
    record([bought(person, JANUARY, "1"), bought(person, JANUARY, "2", **late), bought(person, FEBRUARY, "3")])
    lake.export(NOW)
    assert datasets.log(until=FEBRUARY).events.collect()["value"].to_list() == [1.0]
    assert datasets.log(until=FEBRUARY + timedelta(seconds=1)).events.collect()["value"].to_list() == [1.0, 3.0]


def test_only_coarse_facts_and_the_traits_that_settings_name_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LEARNED_ATTRIBUTES", ["income"])
    attributes = {"income": "50-74K", "diary": "Dear diary"}
    person = factories.profile("card-1", name="Li Lei", age_band="35-44", attributes=attributes)
    record([bought(person, JANUARY)])
    assert exported().profiles.collect().rows(named=True) == [
        {
            "user": person.pk,
            "age_band": "35-44",
            "gender": None,
            "province": None,
            "city": None,
            "language": None,
            "income": "50-74K",
        }
    ]


def test_items_come_with_their_broadest_categories_and_local_times() -> None:
    coat = factories.item("coat", categories=["clothes", "coats", "warm"], price="99.50", available_from=JANUARY)
    (row,) = exported().items.collect().rows(named=True)
    assert row == {
        "item": coat.pk,
        "kind": "product",
        "category": "clothes",
        "subcategory": "coats",
        "brand": None,
        "price": 99.5,
        "available_from": datetime(2026, 1, 10, 12),
        "available_to": None,
    }


def test_the_end_of_the_data_is_the_midnight_before_the_last_event_or_now() -> None:
    record([bought(factories.profile(), FEBRUARY)])
    lake.export(NOW)
    assert datasets.known_until(NOW) == datetime.fromisoformat("2026-02-10T00:00:00+08:00")
    assert datasets.known_until(JANUARY) == datetime.fromisoformat("2026-01-10T00:00:00+08:00")


@pytest.mark.spark
@pytest.mark.slow
def test_spark_reads_the_same_log(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark")
    a, b = factories.profile(), factories.profile()
    record([bought(a, JANUARY, "1", item=factories.item()), bought(b, FEBRUARY, "2", session="basket")])
    merge(a, b)
    polars = exported()
    monkeypatch.setattr(settings, "ENGINE", "spark")
    spark = datasets.log(until=NOW)
    for one, two in ((polars.events, spark.events), (polars.items, spark.items), (polars.profiles, spark.profiles)):
        rows = [sorted(frame.collect("polars").rows(), key=str) for frame in (one, two)]
        assert rows[0] == rows[1]


def test_an_engine_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ENGINE", "abacus")
    with pytest.raises(ValueError, match="ENGINE is 'abacus'; known are 'polars' and 'spark'"):
        datasets.log(until=NOW)
