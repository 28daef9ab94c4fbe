"""What the Segment HTTP API answers when it is too much, and what races leave behind."""

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from crm import ingestion_api, intake
from crm.models import Event, Identifier, Profile, Source
from tests.crm.senders import Send, error, key_of, rejected, track

pytestmark = pytest.mark.django_db


def test_beyond_capacity_it_says_when_to_come_again(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingestion_api, "SLOTS", threading.BoundedSemaphore(1))
    monkeypatch.setattr(ingestion_api, "SLOT_PATIENCE", 0.01)
    assert ingestion_api.SLOTS.acquire()
    response = send("track", track())
    assert (error(response), response["Retry-After"]) == ((429, "busy"), "2")
    ingestion_api.SLOTS.release()
    assert rejected(send("track", track())) == []


@pytest.mark.django_db(transaction=True)
def test_a_lock_that_is_not_given_is_answered_with_later(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "PATIENCE", "SET LOCAL lock_timeout = '50ms'")
    rejected(send("track", track()))
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN; LOCK TABLE crm_eventkey")
            holding.set()
            done.wait(120)
            cursor.execute("ROLLBACK")
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert holding.wait(120)
    response = send("track", track(messageId="m1"))
    done.set()
    holder.join()
    assert (error(response), response["Retry-After"]) == ((503, "unavailable"), "2")
    assert rejected(send("track", track(messageId="m1"))) == []
    assert Event.objects.count() == 2


def test_a_database_that_is_away_is_answered_with_later(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the connection was refused")

    monkeypatch.setattr(ingestion_api, "_source", away)
    assert error(send("track", track())) == (503, "unavailable")


@pytest.mark.django_db(transaction=True)
def test_racing_senders_of_the_same_messages_write_one_event_and_one_profile(source: Source) -> None:
    headers, start = key_of(source), threading.Barrier(6)
    people = [f"u{n}" for n in range(40)]
    statuses = []

    def race(number: int) -> None:
        order = people if number % 2 else people[::-1]
        batch = [track(userId=u, anonymousId=f"a-{u}", messageId=f"m-{u}") for u in order]
        start.wait()
        statuses.append(Client().post("/v1/batch", {"batch": batch}, "application/json", headers=headers).status_code)
        connection.close()

    threads = [threading.Thread(target=race, args=[n]) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 6
    assert (Event.objects.count(), Profile.objects.count(), Identifier.objects.count()) == (40, 40, 80)
