"""The emergency stop and the pause, while workers are in the middle of sending."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import connection, transaction

from campaigns.channels import Answer, Message, Outcome
from campaigns.delivering.worker import Worker
from campaigns.models import Campaign, Delivery, SendingPolicy
from campaigns.reach import policies
from campaigns.runs import planning, running
from crm.models import LedgerNote
from tests.campaigns import factories
from tests.campaigns.providers import Peer, desk
from tests.crm import consents
from tests.staff import member

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)  # in Shanghai
LIMIT = 5.0
TAKES = 0.2  # seconds of a call: what is planned lasts longer than a slow machine needs for the verb


def planned(people: int, name: str = "spring", **facts: object) -> None:
    who = [factories.person(number, consent=True) for number in range(people)]
    run = planning.begin(factories.campaign(name, holdout="0", **facts), "once", NOON)
    planning.plan(run, iter([[one.pk for one in who]]), NOON)


class Timed(Peer):
    """Takes its time for each message, and remembers when it was done."""

    def __init__(self) -> None:
        super().__init__(self._slowly)
        self.times: list[float] = []

    def _slowly(self, _message: Message) -> Outcome:
        time.sleep(TAKES)
        self.times.append(time.monotonic())
        return Outcome(answer=Answer.ACCEPTED)


def sending_in_the_middle_of(stop: Callable[[], object], people: int = 120) -> tuple[float, float]:
    """Let two workers send, do it in the middle; return the seconds until the last message and of the verb itself."""
    factories.account()
    consents.purpose()
    planned(people)
    peer, over = Timed(), Event()

    def work() -> None:
        try:
            while not over.is_set():
                Worker(lambda: NOON, at=desk(email=peer), threads=2).run(1)
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        until = time.monotonic() + 240
        while len(peer.times) < 8 and time.monotonic() < until:
            time.sleep(0.01)
        clicked = time.monotonic()
        stop()
        took = time.monotonic() - clicked
        time.sleep(2.5)
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert Delivery.objects.filter(status="queued").count() > 8
    assert not Delivery.objects.filter(status__in=["reserved", "calling"]).exists()
    assert Delivery.objects.filter(status="accepted").count() == len(peer.times) == len(set(peer.taken))
    return max(peer.times) - clicked, took


def test_the_stop_bites_at_once_while_workers_send() -> None:
    boss = member("Support", "help")
    last, took = sending_in_the_middle_of(lambda: policies.stop_everything(boss, "fire", NOON))
    assert last < LIMIT
    assert took < LIMIT


def test_a_pause_bites_at_once_while_workers_send() -> None:
    last, took = sending_in_the_middle_of(lambda: running.pause(Campaign.objects.get(), None, "", NOON))
    assert last < LIMIT
    assert took < LIMIT


def test_the_stop_waits_for_nobody_who_holds_rows_of_a_sending() -> None:
    """A hand-off that hangs in the database holds its person and its delivery: the stop needs neither."""
    factories.account()
    consents.purpose()
    planned(2)
    boss = member("Support", "help")
    held, done = Event(), Event()

    def hang() -> None:
        try:
            with transaction.atomic():
                list(Delivery.objects.select_for_update())
                list(Campaign.objects.select_for_update(of=("self",)))
                held.set()
                done.wait(120)
        finally:
            connection.close()

    thread = Thread(target=hang)
    thread.start()
    try:
        assert held.wait(120)
        begun = time.monotonic()
        assert policies.stop_everything(boss, "fire", NOON)
        assert time.monotonic() - begun < LIMIT
    finally:
        done.set()
        thread.join()


def test_of_two_who_stop_the_first_is_named_and_fewer_may_let_it_go_on() -> None:
    helper, boss, late = member("Support", "help"), member("Marketing", "bo"), member("Compliance", "cy")
    assert policies.stop_everything(helper, "wrong price", NOON)
    assert not policies.stop_everything(late, "me too", NOON + timedelta(minutes=1))
    policy = SendingPolicy.objects.get()
    assert (policy.stopped_by, policy.stop_reason, policy.stopped_at) == (helper, "wrong price", NOON)
    with pytest.raises(PermissionDenied):
        policies.go_on(User.objects.get(pk=helper.pk), "all is well", NOON)
    with pytest.raises(ValueError, match="Say why"):
        policies.go_on(boss, " ", NOON)
    assert policies.go_on(boss, "the price is right", NOON + timedelta(minutes=2))
    assert not policies.go_on(boss, "again", NOON + timedelta(minutes=3))
    notes = LedgerNote.objects.filter(reference="sending").order_by("recorded_at", "pk")
    assert ["stopped" in note.facts_json for note in notes] == [True, False]


def test_what_a_stop_kept_waits_and_a_paused_campaign_stays_paused() -> None:
    factories.account()
    consents.purpose()
    planned(3)
    boss = member("Marketing", "bo")
    policies.stop_everything(boss, "", NOON)
    Campaign.objects.update(status="paused")
    assert Worker(lambda: NOON, at=desk(email=Peer())).run(5) == {}
    policies.go_on(boss, "all is well", NOON)
    assert Worker(lambda: NOON, at=desk(email=Peer())).run(5) == {}
    Campaign.objects.update(status="running")
    assert Worker(lambda: NOON, at=desk(email=Peer())).run(5) == {"accepted": 3}
