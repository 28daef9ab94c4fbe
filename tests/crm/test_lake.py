import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.conf import settings
from django.db import connection, transaction

from crm import lake, partitions
from crm.lake_manifest import GRACE
from crm.locks import Busy, only_one
from crm.models import Event, Profile, Source
from tests import factories
from tests.crm.log import bought, record

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 3, 1, tzinfo=UTC)
JANUARY, FEBRUARY = datetime(2026, 1, 10, 4, tzinfo=UTC), datetime(2026, 2, 10, 4, tzinfo=UTC)


def rows() -> pl.DataFrame:
    return pl.concat([pl.read_parquet(path) for path in lake.paths()]).sort("occurred_at", "value")


def in_thread(work: Any) -> None:
    """Run something on a connection of its own, to its end."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def test_an_event_is_exported_by_surrogates_at_the_hour_on_the_wall() -> None:
    person = factories.profile("card-1", name="Li Lei")
    coat = factories.item("coat")
    secret = {"session": "13800138000", "channel": "shop", "properties": {"phone": "13800138000"}, "name": "Bought"}
    record([bought(person, JANUARY, "12.50", item=coat, quantity=2, discount="0.50", **secret)])
    lake.export(NOW)
    found = rows().row(0, named=True)
    session = found.pop("session")
    assert found == {
        "user": person.pk,
        "item": coat.pk,
        "kind": "purchase",
        "occurred_at": datetime(2026, 1, 10, 12),
        "received_at": datetime(2026, 1, 10, 12),
        "value": 12.5,
        "quantity": 2.0,
        "discount": 0.5,
        "channel": "shop",
        **dict.fromkeys(("campaign", "variant", "propensity", "machine", "currency")),
    }
    assert len(session) == 16
    assert "13800138000" not in session


def test_what_the_house_wrote_of_its_messages_comes_as_numbers_and_nobody_else_is_believed() -> None:
    ours, shop = factories.source("Campaigns", kind=Source.Kind.SYSTEM), factories.source("A shop")
    told: list[tuple[Source, str, dict[str, Any]]] = [
        (ours, "assigned", {"campaign": 7, "variant": None, "propensity": 0.25}),
        (ours, "assigned", {"campaign": 7, "variant": 12, "propensity": 0.75}),
        (ours, "assigned", {"campaign": 8, "variant": "journey 3", "propensity": 0.9}),
        (ours, "clicked", {"campaign": 7, "variant": 12, "machine": True, "delivery": "0a"}),
        (ours, "assigned", {"campaign": "Li Lei", "propensity": "Li Lei"}),
        (shop, "assigned", {"campaign": 7, "variant": 12, "propensity": 0.75}),
    ]
    person = factories.profile()
    record(
        bought(person, JANUARY + timedelta(minutes=n), source=source, kind=kind, properties=facts)
        for n, (source, kind, facts) in enumerate(told)
    )
    lake.export(NOW)
    assert rows().select("campaign", "variant", "propensity", "machine").rows() == [
        (7, 0, 0.25, None),
        (7, 12, 0.75, None),
        (8, -1, 0.9, None),
        (7, 12, None, 1),
        (None, None, None, None),
        (None, None, None, None),
    ]


def test_one_session_has_one_name_in_every_export_and_no_session_has_none() -> None:
    person = factories.profile()
    record([bought(person, JANUARY, session="basket-7"), bought(person, JANUARY)])
    lake.export(NOW)
    record([bought(person, FEBRUARY, session="basket-7")])
    lake.export(NOW)
    first, second, third = rows().sort("occurred_at", "session", nulls_last=True)["session"]
    assert first == third
    assert second is None


def test_exporting_twice_changes_nothing() -> None:
    person = factories.profile()
    record([bought(person, JANUARY), bought(person, FEBRUARY)])
    first = lake.export(NOW)
    before = lake.paths()
    second = lake.export(NOW)
    assert (first.rows, first.files, first.anew) == (2, 2, True)
    assert (second.rows, second.files, second.anew) == (0, 0, False)
    assert lake.paths() == before


def test_a_row_that_commits_late_is_neither_lost_nor_taken_twice() -> None:
    person = factories.profile()
    record([bought(person, JANUARY, "1")])
    with transaction.atomic():
        record([bought(person, JANUARY, "2")])  # its transaction is the older one, and still open
        in_thread(lambda: record([bought(person, JANUARY, "3")]))
        in_thread(lambda: lake.export(NOW))
        assert rows()["value"].to_list() == [1.0, 3.0]
    lake.export(NOW)
    assert rows()["value"].to_list() == [1.0, 2.0, 3.0]
    lake.export(NOW)
    assert rows()["value"].to_list() == [1.0, 2.0, 3.0]


def test_a_row_that_is_rolled_back_never_appears() -> None:
    person = factories.profile()
    record([bought(person, JANUARY, "1")])
    with transaction.atomic():
        record([bought(person, JANUARY, "2")])
        in_thread(lambda: lake.export(NOW))
        transaction.set_rollback(True)
    lake.export(NOW)
    assert rows()["value"].to_list() == [1.0]


def test_a_lake_of_another_database_is_written_anew() -> None:
    person = factories.profile()
    record([bought(person, JANUARY)])
    lake.export(NOW)
    manifest = Path(settings.EVENT_LAKE_URL) / "manifest.json"
    known = lake.manifest()
    assert known is not None
    manifest.write_text(manifest.read_text().replace(known.cluster, "another/00000001/5"))
    assert lake.export(NOW).anew
    assert rows().height == 1


def test_rows_restored_from_a_database_that_counted_further_are_exported_once() -> None:
    person = factories.profile()
    record([bought(person, JANUARY, "1"), bought(person, JANUARY, "2")])
    with connection.cursor() as cursor:
        cursor.execute("UPDATE crm_event SET xid = '9000000000000000' WHERE value = 2")
    assert lake.export(NOW).rows == 2
    assert lake.export(NOW).rows == 0


def test_another_zone_writes_the_lake_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    record([bought(factories.profile(), JANUARY)])
    lake.export(NOW)
    monkeypatch.setattr(settings, "TIME_ZONE", "Europe/Berlin")
    assert lake.export(NOW).anew
    assert rows()["occurred_at"].to_list() == [datetime(2026, 1, 10, 5)]


def test_only_one_export_runs_at_a_time() -> None:
    held: list[type[Exception]] = []

    def export() -> None:
        try:
            lake.export(NOW)
        except Busy:
            held.append(Busy)

    with only_one(lake.LOCK):
        in_thread(export)
    assert held == [Busy]


def test_files_that_no_manifest_names_are_swept() -> None:
    record([bought(factories.profile(), JANUARY)])
    lake.export(NOW)
    left = Path(settings.EVENT_LAKE_URL) / "events" / "2026-01-killed.parquet.part"
    left.write_text("half")
    lake.export(NOW)
    assert not left.exists()
    assert rows().height == 1


def test_a_missing_file_is_noticed_by_readers_and_mended_by_the_next_export() -> None:
    record([bought(factories.profile(), JANUARY)])
    lake.export(NOW)
    lake.paths()[0].unlink()
    with pytest.raises(lake.LakeError, match="lacks"):
        lake.paths()
    assert lake.export(NOW).anew
    assert rows().height == 1


def test_a_changed_file_is_told_by_its_digest() -> None:
    record([bought(factories.profile(), JANUARY)])
    lake.export(NOW)
    assert lake.verify() == []
    path = lake.paths()[0]
    path.write_bytes(path.read_bytes() + b"x")
    assert lake.verify() == [f"events/{path.name}"]


def test_compaction_joins_files_and_drops_the_erased_for_good() -> None:
    stays, leaves = factories.profile("stays"), factories.profile("leaves")
    record([bought(stays, JANUARY, "1"), bought(leaves, JANUARY, "2")])
    lake.export(NOW)
    record([bought(stays, JANUARY + timedelta(days=1), "3"), bought(leaves, FEBRUARY, "4")])
    lake.export(NOW)
    old = lake.paths()
    Event.objects.filter(profile=leaves).delete()
    Profile.objects.filter(pk=leaves.pk).delete()
    assert lake.compact(NOW) == 2
    assert rows()["value"].to_list() == [1.0, 3.0]
    assert len(lake.paths()) == 1
    assert lake.verify() == []
    assert all(path.exists() for path in old)  # a reader may have begun
    assert lake.compact(NOW + GRACE) == 0
    assert not any(path.exists() for path in old)


def test_compaction_drops_the_months_that_retention_dropped() -> None:
    person = factories.profile()
    record([bought(person, JANUARY), bought(person, datetime(1999, 5, 5, tzinfo=UTC))])
    lake.export(NOW)
    partitions.drop(date(1999, 5, 1))
    assert lake.compact(NOW) == 1
    assert rows()["occurred_at"].to_list() == [datetime(2026, 1, 10, 12)]


def test_an_address_that_is_no_file_system_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "EVENT_LAKE_URL", "s3://bucket/lake")
    with pytest.raises(lake.LakeError, match="'s3://bucket/lake' is not a path"):
        lake.export(NOW)
