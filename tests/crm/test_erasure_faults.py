"""Erasure under kills and under live ingestion: it ends, once, and leaves nothing behind."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, connection, connections
from django.utils import timezone

from crm import carrying_out, identity, ingest, intake, lake, partitions, shred_journal
from crm.erasers import rows
from crm.locks import Busy
from crm.models import Event, Identifier, PersonKey, PrivacyRequest, Profile, Source
from crm.segment import Reception
from tests import api, factories
from tests.crm.requests import approved, carry_out
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).parents[2]
# Kills itself before its n-th statement: in a transaction, between two, or between the work and its receipt.
WORKER = """
import os, signal, sys
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from django.db import connection
from django.utils import timezone
from crm import carrying_out
left = int(sys.argv[3])
def count(execute, *args):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(*args)
with connection.execute_wrapper(count):
    carrying_out.run(int(sys.argv[2]), timezone.now)
"""


def work_until_killed(request: PrivacyRequest, statements: int) -> int:
    """Let another process work on the request, and die before so many statements; return how it ended."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "EVENT_LAKE_URL": settings.EVENT_LAKE_URL,
        "MEDIA_ROOT": str(settings.MEDIA_ROOT),
        "SHRED_JOURNAL": settings.SHRED_JOURNAL,
        "VAR_DIR": str(settings.VAR_DIR),
        "CACHE_URL": settings.CACHE_URL,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"]), str(request.pk), str(statements)]
    return subprocess.run(command, env=environment, cwd=ROOT, check=False, timeout=300).returncode


def finish(request: PrivacyRequest) -> None:
    """Go on in this process, once PostgreSQL has noticed that the killed one is gone."""
    for _ in range(1200):
        with suppress(Busy):
            carrying_out.run(request.pk, timezone.now)
        request.refresh_from_db()
        if request.status == "ready":
            return
        time.sleep(0.05)
    raise AssertionError([(step.store, step.error) for step in request.steps.exclude(status="done")])


def left_of(profile: int) -> list[str]:
    """Return which relations to a person still have rows of this one."""
    return [
        f"{relation.related_model._meta.label}.{relation.field.name}"
        for relation in rows.relations()
        if relation.related_model._default_manager.filter(**{relation.field.name: profile}).exists()
    ]


def test_an_erasure_that_is_killed_again_and_again_ends_with_nothing_left() -> None:
    person = api.house().profile
    lake.export(NOW)
    request = approved("erasure", person)
    chance = random.Random(3)
    ends = [work_until_killed(request, chance.randrange(8, 60)) for _ in range(4)]
    assert ends.count(-signal.SIGKILL) >= 3
    finish(request)
    request.refresh_from_db()
    assert (request.status, request.profiles) == ("ready", [])
    assert left_of(person.pk) == []
    assert [shred.request for shred in shred_journal.read()] == [str(request.reference)]


@pytest.mark.parametrize("store", ["person", "journal", "writers", "events", "lake", "request"])
def test_a_step_whose_receipt_was_lost_is_done_again_and_changes_nothing(store: str) -> None:
    person = api.house().profile
    lake.export(NOW)
    request = approved("erasure", person)
    carry_out(request, timezone.now)
    gone = [shred.request for shred in shred_journal.read()]
    # As if it had been killed after the work of this step, before its receipt was written.
    request.steps.filter(place__gte=request.steps.get(store=store).place).update(status="waiting")
    PrivacyRequest.objects.filter(pk=request.pk).update(status="executing", profiles=[person.pk])
    finish(request)
    assert left_of(person.pk) == []
    assert [shred.request for shred in shred_journal.read()] == gone


def test_erasing_twice_changes_nothing() -> None:
    person = api.house().profile
    for _ in range(2):
        request = approved("erasure", person) if Profile.objects.filter(pk=person.pk).exists() else None
        if request is not None:
            finish(request)
    assert left_of(person.pk) == []
    assert len(shred_journal.read()) == 1


def test_events_that_come_in_during_an_erasure_are_a_strangers() -> None:
    source = factories.source(kind=Source.Kind.SERVER)
    partitions.ensure([partitions.month_of(timezone.now())])
    people = [factories.profile(f"user-{number}") for number in range(12)]
    requests = [approved("erasure", person) for person in people]
    stop, failed = threading.Event(), list[BaseException]()

    def visit(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not stop.is_set():
                now = timezone.now()
                some = [{"type": "track", "userId": f"user-{chance.randrange(12)}", "event": "x"} for _ in range(5)]
                taken = intake.take(source, some, Reception(received_at=now))
                assert taken.rejected == ()
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    visitors = [threading.Thread(target=visit, args=(seed,)) for seed in range(4)]
    for visitor in visitors:
        visitor.start()
    time.sleep(0.3)
    for request in requests:
        finish(request)
    time.sleep(0.3)
    stop.set()
    for visitor in visitors:
        visitor.join()
    assert failed == []
    ids = [person.pk for person in people]
    assert not Event.objects.filter(profile__in=ids).exists()
    assert not Identifier.objects.filter(profile__in=ids).exists()
    assert not Event.objects.exclude(profile__in=Profile.objects.all()).exists()
    assert Event.objects.filter(profile__in=Profile.objects.exclude(pk__in=ids)).exists()


def test_a_writer_that_had_begun_is_waited_for_and_what_it_writes_goes_too() -> None:
    source = factories.source(kind=Source.Kind.SERVER)
    person = factories.profile("u-1")
    partitions.ensure([partitions.month_of(NOW)])
    request = approved("erasure", person)
    looked, go_on, written = threading.Event(), threading.Event(), threading.Event()
    checked = ingest._refuse_erased

    def slow(cursor: Any, profiles: Any, keys: Any) -> None:
        checked(cursor, profiles, keys)
        looked.set()
        go_on.wait(120)

    def write() -> None:
        event = ingest.NewEvent("view", person.pk, NOW, NOW)
        try:
            ingest.record(source, event, now=NOW)
            written.set()
        finally:
            connections.close_all()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "_refuse_erased", slow)
        writer = threading.Thread(target=write)
        writer.start()
        assert looked.wait(120)
        patch.setattr(rows, "PATIENCE", 0.2)
        patch.setattr(rows.settle, "__defaults__", (0.2,))
        # The writer saw the person alive and has not committed: the step waits, and a later run goes on.
        assert not carrying_out.run(request.pk, timezone.now)
        assert request.steps.get(store="writers").error == "a transaction that began before is still running"
        go_on.set()
        writer.join()
    assert written.is_set()
    assert Event.objects.filter(profile=person.pk).count() == 1
    finish(request)
    assert left_of(person.pk) == []


@pytest.mark.parametrize("moment", ["drawn", "looked", "sealed"])
def test_a_writer_that_began_while_the_rows_went_leaves_nothing_readable(moment: str) -> None:
    """Its number is later than the erasure's own, and yet it saw the person: it is waited for like all others."""
    source = factories.source(kind=Source.Kind.SERVER)
    person, other = factories.profile("u-1"), factories.profile("u-2")
    for profile in (person.pk, other.pk):
        ingest.record(source, told_by(profile, "before"), now=NOW)  # both have keys
    request = approved("erasure", person)
    paused, go_on, ended = threading.Event(), threading.Event(), list[str]()

    def pause() -> bool:
        paused.set()
        return go_on.wait(120)

    def write() -> None:
        try:
            ingest.record_many(source, [told_by(other.pk, "while"), told_by(person.pk, "while")], now=NOW)
            ended.append("written")
        except (ingest.Erased, IntegrityError) as error:
            ended.append(type(error).__name__)
        finally:
            connections.close_all()

    writer = threading.Thread(target=write)
    deleting = rows._rows

    def while_rows_go(name: str, field: str, ids: list[int]) -> Any:
        if not paused.is_set():  # the erasure's transaction has written, so it has its number; it has not ended
            writer.start()
            assert paused.wait(120)
        return deleting(name, field, ids)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "_rows", while_rows_go)
        patch.setattr(rows.settle, "__defaults__", (0.2,))
        patch.setattr(ingest, *PAUSES[moment](pause))
        finished = carrying_out.run(request.pk, timezone.now)
        assert not Profile.objects.filter(pk=person.pk).exists()
        assert not PersonKey.objects.filter(profile=person.pk).exists()
        go_on.set()
        writer.join()
    if moment == "drawn":  # it looks after the rows went
        assert ended == ["Erased"]
    else:
        assert (ended, finished) == (["written"], False)
        strays = [event.told for event in Event.objects.filter(profile=person.pk)]
        assert strays == [{}, {}]  # their key is gone, from the moment when the rows went
    finish(request)
    assert left_of(person.pk) == []
    notes = sorted(event.told["note"] for event in Event.objects.filter(profile=other.pk))
    assert notes == ["before"] + ["while"] * (ended == ["written"])


def told_by(profile: int, note: str) -> ingest.NewEvent:
    """Return an event with a personal part."""
    return ingest.NewEvent("view", profile, NOW, NOW, personal=json.dumps({"note": note}))


def _before(name: str, pause: Callable[[], object]) -> tuple[str, Any]:
    real = getattr(ingest, name)
    return name, lambda *args: (pause(), real(*args))[1]


def _after(name: str, pause: Callable[[], object]) -> tuple[str, Any]:
    real = getattr(ingest, name)
    return name, lambda *args: (real(*args), pause())[0]


PAUSES: dict[str, Callable[[Callable[[], object]], tuple[str, Any]]] = {
    "drawn": lambda pause: _before("_refuse_erased", pause),
    "looked": lambda pause: _after("_refuse_erased", pause),
    "sealed": lambda pause: _after("_copy", pause),
}


def test_a_writer_that_comes_too_late_is_refused_whole() -> None:
    source = factories.source(kind=Source.Kind.SERVER)
    gone, there = factories.profile("u-1"), factories.profile("u-2")
    finish(approved("erasure", gone))
    events = [ingest.NewEvent("view", profile, NOW, NOW, f"m{profile}") for profile in (there.pk, gone.pk)]
    with pytest.raises(ingest.Erased):
        ingest.record_many(source, events, now=NOW)
    assert not Event.objects.exists()
    assert ingest.record(source, events[0], now=NOW)
    assert identity.known([("external_id", "u-1")]) == {}
