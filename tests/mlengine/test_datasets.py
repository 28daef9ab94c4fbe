from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings

from crm import lake
from crm.models import Event, Profile, ProfileAlias, Relation
from mlengine import datasets
from mlengine.columns import Log
from mlengine.specs import SPECS
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
        "text": "coat\nclothes coats warm",
        "added_at": datasets.wall_clock(coat.created_at),
    }


def test_what_anybody_may_read_about_an_item_is_its_text_whatever_stands_in_it() -> None:
    body = 'Warm, "dry"\nand light; 保暖' + "!" * 3000
    factories.item("coat", title="Coat", brand="Acme", body=body)
    (row,) = exported().items.collect().rows(named=True)
    assert row["text"] == "Coat\nAcme\n" + body[: datasets.ITEM_TEXT]


def relate(one: Profile, other: Profile, kind: str = "follows", at: datetime = JANUARY) -> Relation:
    return Relation.objects.create(from_profile=one, to_profile=other, kind=kind, created_at=at)


def related(log: Log) -> list[tuple[int, int, str]]:
    assert log.relations is not None
    return sorted((user, other, kind) for user, other, kind, _, _ in log.relations.collect().rows())


def test_who_knows_whom_is_told_by_person_and_of_nobody_who_wants_no_personalisation() -> None:
    a, b, c, refuses = (factories.profile() for _ in range(4))
    for one, other in ((a, b), (b, a), (a, c), (b, refuses), (refuses, c)):
        relate(one, other)
    assert (a.pk, refuses.pk, "follows") not in related(exported())
    Profile.objects.filter(pk=refuses.pk).update(personalisation=False)
    assert related(exported()) == [(a.pk, b.pk, "follows"), (a.pk, c.pk, "follows"), (b.pk, a.pk, "follows")]
    merge(b, a)  # nobody is their own friend
    assert related(exported()) == [(a.pk, c.pk, "follows")]


def test_a_log_until_a_date_knows_only_the_relations_of_then() -> None:
    a, b = factories.profile(), factories.profile()
    relate(a, b)
    relate(b, a, at=FEBRUARY)
    log = exported()
    assert related(log.until(datetime(2026, 2, 1))) == [(a.pk, b.pk, "follows")]
    assert len(related(log)) == 2


def test_the_end_of_the_data_is_the_midnight_before_the_last_event_or_now() -> None:
    record([bought(factories.profile(), FEBRUARY)])
    lake.export(NOW)
    assert datasets.known_until(NOW) == datetime.fromisoformat("2026-02-10T00:00:00+08:00")
    assert datasets.known_until(JANUARY) == datetime.fromisoformat("2026-01-10T00:00:00+08:00")


def test_what_is_told_of_messages_does_not_say_that_purchases_have_arrived() -> None:
    person = factories.profile()
    record([bought(person, JANUARY), bought(person, FEBRUARY, kind=Event.Kind.CLICKED)])
    lake.export(NOW)
    assert datasets.known_until(NOW, "purchase") == datetime.fromisoformat("2026-01-10T00:00:00+08:00")
    assert datasets.known_until(NOW, "clicked") == datetime.fromisoformat("2026-02-10T00:00:00+08:00")
    assert datasets.known_until(NOW, "clicked", "purchase") == datetime.fromisoformat("2026-01-10T00:00:00+08:00")
    assert datasets.known_until(NOW, "refund") is None
    assert datasets.known_until(NOW, "purchase", "clicked") == datasets.known_until(NOW, "clicked")
    assert datasets.known_until(NOW, "refund", "purchase") is None
    assert {name for name, spec in SPECS.items() if spec.reaches == ("sent", "purchase")} == {
        "conversion",
        "redemption",
    }
    assert {spec.kind for spec in SPECS.values()} <= set(Event.Kind.values)


@pytest.mark.spark
@pytest.mark.nightly
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
