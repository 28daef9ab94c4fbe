"""Withdraw while a worker sends: each person is written to and withdraws at the same moment, by many threads.

A hand-off that a withdrawal did not see, holding its locks, committed after it: there must be none. Unlike
``consent_races`` this goes the whole way of a delivery, whose row, caps and person are locked too: no thread may fail,
by a deadlock least of all. Both sides go through the same people in about the same order, and whichever is ahead waits
for the other, so that each wins many of the races: where one wins fewer than one in ten, nothing was tried.
"""

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from random import Random
from typing import Any
from uuid import UUID, uuid4

PAIRS, THREADS, BATCH = 50_000, 12, 8
# People by whom withdrawals may be ahead; and by how many they must be before hand-offs go on, where these have won
# more races so far: otherwise they may be as many behind.
APART, LEAD = 120, 40


def run(pairs: int = 0) -> list[dict[str, Any]]:
    """Return what was done and what came wrong; fewer by SEND_PAIRS."""
    import os

    from tests.benchmarks.databases import set_up
    from tests.faults.sending_kills import prepare

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    pairs = pairs or int(os.environ.get("SEND_PAIRS", PAIRS))
    prepare(pairs)
    race = Race()
    race.run()
    row = {"name": "withdrawing while a worker hands over", "done": race.done(), "wrong": race.wrong()}
    connections.close_all()
    return [row]


class Race:
    """People who withdraw, and workers who hand over, as fast as they can."""

    def __init__(self) -> None:
        self.people: SimpleQueue[int] = SimpleQueue()
        self.unseen: list[int] = []  # whose withdrawal saw no hand-off
        self.handed: list[UUID] = []
        self.errors: list[str] = []
        self.random, self.pairs = Random(3), 0
        self.turn, self.done_by = threading.Condition(), Counter[str]()

    def run(self) -> None:
        from datetime import timedelta

        from campaigns.models import Delivery, FrequencyCap

        FrequencyCap.objects.create(channel="", most=5, within=timedelta(days=1))
        # As they lie in the queue, a little shuffled: so that both come to a person at about the same time.
        queued = list(Delivery.objects.order_by("due_at", "pk").values_list("profile_id", flat=True))
        order = sorted(range(len(queued)), key=lambda place: place + self.random.uniform(-40, 40))
        self.pairs = len(queued)
        for place in order:
            self.people.put(queued[place])
        half = THREADS // 2
        threads = [threading.Thread(target=self.guarded, args=[work]) for work in [self.withdraw, self.send] * half]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def guarded(self, work: Callable[[], bool]) -> None:
        from django.db import connection

        try:
            while work():
                pass
        except Exception as error:  # counted: none is expected
            self.errors.append(repr(error))
        finally:
            connection.close()

    def wait_for(self, near: Callable[[], bool]) -> None:
        """Wait until the other side is near enough; there is always one that need not wait."""
        with self.turn:
            assert self.turn.wait_for(near, timeout=120), "The other side has stopped."

    def lead(self) -> int:
        return LEAD if len(self.handed) > len(self.unseen) else -LEAD

    def ahead(self, side: str, number: int) -> None:
        with self.turn:
            self.done_by[side] += number
            self.turn.notify_all()

    def withdraw(self) -> bool:
        from django.db import transaction

        from crm import consent
        from crm.models import HandOffPerson

        self.wait_for(lambda: self.done_by["withdraw"] <= self.done_by["send"] + APART)
        try:
            person = self.people.get_nowait()
        except Empty:
            return False
        self.ahead("withdraw", 1)
        with transaction.atomic():
            consent.withdraw(person, "offers", "email", "preference_centre", datetime.now(UTC))
            seen = HandOffPerson.objects.filter(profile=person).exists()
        if not seen:
            self.unseen.append(person)
        return True

    def send(self) -> bool:
        from campaigns.delivering import sending
        from campaigns.delivering.handing_off import Ready, hand_off_each
        from campaigns.models import ChannelAccount, Delivery

        self.wait_for(lambda: self.done_by["withdraw"] >= min(self.pairs, self.done_by["send"] + self.lead()))
        worker, now = uuid4(), datetime.now(UTC)
        taken = sending.reserve(worker, BATCH, now)
        self.ahead("send", len(taken))
        rows = Delivery.objects.filter(pk__in=taken).select_related("run__campaign__purpose")
        account = ChannelAccount.objects.get()
        facts: dict[str, Any] = {"account": account, "channel": None, "message": None}
        self.handed += hand_off_each([Ready(delivery=row, **facts) for row in rows], worker, datetime.now(UTC)).values()
        return bool(taken)

    def done(self) -> dict[str, int]:
        from campaigns.models import Delivery

        return {
            "handed over": len(self.handed),
            "refused": Delivery.objects.filter(status="suppressed").count(),
            "withdrawals that came first": len(self.unseen),
        }

    def wrong(self) -> dict[str, int]:
        from campaigns.models import Delivery
        from crm.models import HandOffPerson

        for error in self.errors[:5]:
            print(error)
        return {
            "hand-offs after a withdrawal": HandOffPerson.objects.filter(profile__in=self.unseen).count(),
            "neither handed over nor refused": Delivery.objects.exclude(status__in=["calling", "suppressed"]).count(),
            "errors": len(self.errors),
            "races that one side always won": int(min(len(self.handed), len(self.unseen)) < self.pairs / 10),
        }
