"""Writers and sequencers at the same time: nothing waits for another writer, nothing is lost, numbers have no gaps."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from config.celery import app
from crm import evidence, fsck, handoffs, sequencer
from crm.models import Checkpoint, Leaf, LedgerNote, PendingLeaf
from tests.crm.mutations import hand_off
from tests.factories import NOW, profile

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]


def note(text: str = "file", now: Any = NOW) -> LedgerNote:
    return evidence.note("disclosure", text, {}, now=now)


def numbered() -> list[str]:
    order = Leaf.objects.order_by("sequence").values_list("record", flat=True)
    notes = {made.pk: made.reference for made in LedgerNote.objects.all()}
    return [notes[record] for record in order]


def in_thread(work: Any) -> Thread:
    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = Thread(target=run)
    thread.start()
    return thread


@contextmanager
def open_append(text: str, now: Any = NOW) -> Iterator[None]:
    """Hold a transaction open that has appended, in another session; it commits when the block ends."""
    appended, end = Event(), Event()

    def append() -> None:
        with transaction.atomic():
            note(text, now)
            appended.set()
            assert end.wait(120)

    thread = in_thread(append)
    assert appended.wait(120)
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_an_append_waits_for_no_other_and_one_that_commits_late_is_not_lost() -> None:
    with open_append("early id, late commit"):
        note("late id, early commit", NOW + timedelta(seconds=1))  # returns: there is no lock to wait for
        assert sequencer.sequence(NOW) == 1
    assert sequencer.sequence(NOW) == 1
    assert numbered() == ["late id, early commit", "early id, late commit"]
    assert fsck.check().sound


def test_what_is_rolled_back_leaves_nothing() -> None:
    with transaction.atomic():
        note()
        transaction.set_rollback(True)
    assert (LedgerNote.objects.count(), PendingLeaf.objects.count(), sequencer.sequence(NOW)) == (0, 0, 0)


def test_a_delivery_is_handed_off_once_and_a_second_record_leaves_nothing_of_its_batch() -> None:
    person = profile().pk
    first, second = hand_off(person, NOW), hand_off(person, NOW)
    handoffs.record([first], NOW)
    with pytest.raises(IntegrityError), transaction.atomic():
        handoffs.record([second, first], NOW)
    assert sequencer.sequence(NOW) == 1
    assert fsck.check().counts["crm_handoff"] == 1


def test_clocks_that_go_wrong_do_no_harm() -> None:
    for hours in (0, -500, 30, -1, 100_000):
        note(f"{hours}", NOW + timedelta(hours=hours))
        sequencer.sequence(NOW - timedelta(hours=hours))
    assert numbered() == ["0", "-500", "30", "-1", "100000"]
    assert fsck.check().sound
    assert all(0 <= checkpoint.waited_ms < 60_000 for checkpoint in Checkpoint.objects.all())


def test_two_sequencers_at_once_number_everything_once() -> None:
    for n in range(300):
        note(f"{n}")
    start, counts = Barrier(2), list[int]()

    def sequence() -> None:
        start.wait()
        counts.append(sequencer.sequence(NOW))

    threads = [in_thread(sequence) for _ in range(2)]
    for thread in threads:
        thread.join()
    assert sum(counts) == 300
    assert list(Leaf.objects.order_by("sequence").values_list("sequence", flat=True)) == list(range(300))


def test_a_sequencer_that_finds_another_at_work_gives_up_in_time_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sequencer, "PATIENCE", "100ms")
    note()
    held, end = Event(), Event()

    def hold() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [sequencer.LOCK])
            held.set()
            assert end.wait(120)

    thread = in_thread(hold)
    assert held.wait(120)
    assert sequencer.sequence(NOW) == 0
    end.set()
    thread.join()
    assert sequencer.sequence(NOW) == 1


def test_a_large_backlog_is_numbered_in_batches_each_signed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH", 40)
    for n in range(100):
        note(f"{n}")
    assert sequencer.sequence(NOW) == 100
    assert list(Checkpoint.objects.order_by("size").values_list("size", "leaves")) == [(40, 40), (80, 40), (100, 20)]


def test_health_tells_what_waits_and_since_when() -> None:
    assert sequencer.health(NOW) == sequencer.Health(leaves=0, signed_at=None, waiting=0, waits=timedelta(), p99=None)
    note()
    waiting = sequencer.health(NOW)
    assert (waiting.waiting, waiting.late, waiting.keeps_promise) == (1, False, True)
    PendingLeaf.objects.update(queued_at=waiting_since(61))
    late = sequencer.health(NOW)
    assert (late.late, late.keeps_promise) == (True, False)
    assert timedelta(seconds=61) <= late.waits < timedelta(seconds=120)
    sequencer.sequence(NOW)
    done = sequencer.health(NOW)
    assert (done.leaves, done.signed_at, done.waiting, done.late) == (1, NOW, 0, False)
    assert done.p99 is not None
    assert (done.p99 > timedelta(seconds=61), done.keeps_promise) == (True, False)


def waiting_since(seconds: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp() - make_interval(secs => %s)", [seconds])
        return cursor.fetchone()[0]


def test_the_slowest_hundredth_decides_about_the_promise() -> None:
    for size, leaves, waited_ms in ((99, 99, 100), (100, 1, 50_000)):
        checkpoint = {"size": size, "leaves": leaves, "waited_ms": waited_ms, "created_at": NOW}
        Checkpoint.objects.create(root=bytes(32), note="", **checkpoint)
    assert sequencer.health(NOW).p99 == timedelta(milliseconds=100)
    Checkpoint.objects.create(root=bytes(32), note="", size=102, leaves=2, waited_ms=6000, created_at=NOW)
    assert sequencer.health(NOW).p99 == timedelta(seconds=6)
    assert sequencer.health(NOW + timedelta(hours=2)).p99 is None


@pytest.fixture
def bells() -> Iterator[Any]:
    """Return a function that counts the tasks waiting for the sequencer's worker, in the real broker."""
    with app.connection_for_write() as broker:
        channel: Any = broker.default_channel
        channel.queue_purge("ledger")
        yield lambda: channel.client.llen("ledger")


def test_the_bell_rings_after_the_commit_and_once_until_it_is_answered(bells: Any) -> None:
    with transaction.atomic():
        note()
        assert bells() == 0
    assert bells() == 1
    note()
    assert bells() == 1
    sequencer.sequence(NOW)
    note()
    assert bells() == 2


def test_nothing_rings_for_what_was_rolled_back(bells: Any) -> None:
    with transaction.atomic():
        note()
        transaction.set_rollback(True)
    assert bells() == 0


def test_an_append_stands_when_the_bell_is_broken(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:9/0"}
    }
    note()
    assert "bell could not be rung" in caplog.text
    assert sequencer.sequence(NOW) == 1


@pytest.mark.nightly
def test_kills_of_writers_sequencers_and_postgresql_lose_nothing(tmp_path: Path) -> None:
    code = "import json; from tests.faults import ledger_kills; print(json.dumps(ledger_kills.run(10, 1, 300)))"
    environment = os.environ | {"VAR_DIR": str(tmp_path / "var"), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    (row,) = json.loads(done.stdout.splitlines()[-1])
    assert set(row["wrong"].values()) == {0}, row
    assert row["done"]["kills of writers"] + row["done"]["kills of sequencers"] == 10
    assert row["done"]["appends acknowledged"] >= 300
    assert row["done"]["checkpoints held elsewhere"] > 0
