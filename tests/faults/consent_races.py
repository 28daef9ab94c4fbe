"""Withdraw while sending: sixteen threads, each person withdrawn from and written to at the same moment.

Every thread has a clock of its own, wrong by up to a second. A hand-off that a withdrawal did not see, holding its
locks, committed after it: there must be none. And whoever reads the ledger only, with its times, must find none either.
The same race without the hand-off's lock must find some, or the race would prove nothing.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from queue import Empty, SimpleQueue
from random import Random
from typing import Any
from uuid import uuid4

PAIRS, WITHOUT_LOCKS, THREADS = 50_000, 2_000, 16
SKEW = 1.0  # seconds
Job = tuple[str, int]


def run(pairs: int = PAIRS, without_locks: int = WITHOUT_LOCKS) -> list[dict[str, Any]]:
    """Return what was done and what came wrong."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    rows = [Race(pairs, first=1).run("withdrawing while sending")]
    with unlocked():
        blind = Race(without_locks, first=pairs + 1).run("")
    caught = blind["wrong"]["hand-offs after a withdrawal"]
    rows.append(
        {
            "name": "the same without the hand-off's lock",
            "done": {"pairs": without_locks, "hand-offs after a withdrawal, seen": caught},
            "wrong": {"races that nobody lost": int(caught == 0), "errors": blind["wrong"]["errors"]},
        }
    )
    connections.close_all()
    return rows


@contextmanager
def unlocked() -> Iterator[None]:
    """Let hand-offs lock nobody."""
    from crm import consent_gate

    kept, consent_gate.SHARE = consent_gate.SHARE, "SELECT %s"
    try:
        yield
    finally:
        consent_gate.SHARE = kept


class Race:
    """Some people, each withdrawing and being written to once, in one order or the other."""

    def __init__(self, pairs: int, first: int) -> None:
        self.first, self.pairs = first, pairs
        self.jobs: SimpleQueue[Job] = SimpleQueue()
        self.unseen: list[int] = []  # people whose withdrawal saw no hand-off
        self.sent: list[int] = []
        self.errors: list[str] = []
        self.born = count(1)

    def run(self, name: str) -> dict[str, Any]:
        self.prepare()
        threads = [threading.Thread(target=self.work) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"name": name, "done": self.done(), "wrong": self.wrong()}

    def prepare(self) -> None:
        from django.utils import timezone

        from crm import consent
        from crm.models import Profile
        from tests.crm import consents

        consents.purpose()
        people = range(self.first, self.first + self.pairs)
        now = timezone.now()
        Profile.objects.bulk_create(Profile(pk=number, created_at=now, updated_at=now) for number in people)
        wanted = [consent.Wanted(person, consent.NewConsent(purpose="offers")) for person in people]
        for start in range(0, len(wanted), 5000):
            consent.record_many(wanted[start : start + 5000], source=None, now=now - timedelta(days=1))
        random = Random(7)
        for person in people:
            pair: list[Job] = [("withdraw", person), ("send", person)]
            random.shuffle(pair)
            for job in pair:
                self.jobs.put(job)

    def work(self) -> None:
        from django.db import connection

        random = Random(next(self.born))
        shift = timedelta(seconds=random.uniform(-SKEW, SKEW))
        verbs: dict[str, Callable[[int, datetime], None]] = {"withdraw": self.withdraw, "send": self.send}
        while True:
            try:
                verb, person = self.jobs.get_nowait()
            except Empty:
                break
            try:
                verbs[verb](person, datetime.now(UTC) + shift)
            except Exception as error:  # counted: none is expected
                self.errors.append(repr(error))
        connection.close()

    def withdraw(self, person: int, now: datetime) -> None:
        from django.db import transaction

        from crm import consent
        from crm.models import HandOffPerson

        with transaction.atomic():
            consent.withdraw(person, None, "", "preference_centre", now)
            seen = HandOffPerson.objects.filter(profile=person).exists()
        if not seen:
            self.unseen.append(person)

    def send(self, person: int, now: datetime) -> None:
        from crm.consent_gate import ToSend, hand_off

        (basis,) = hand_off([ToSend(uuid4(), person)], "offers", "sms", now).values()
        if basis.allowed:
            self.sent.append(person)

    def done(self) -> dict[str, int]:
        from crm.models import ConsentEvent, HandOffPerson

        people = range(self.first, self.first + self.pairs)
        return {
            "pairs": self.pairs,
            "threads": THREADS,
            "hand-offs": HandOffPerson.objects.filter(profile__in=people).count(),
            "refused": self.pairs - len(self.sent),
            "withdrawals": ConsentEvent.objects.filter(person__profile__in=people, state="withdrawn").count(),
        }

    def wrong(self) -> dict[str, int]:
        from django.db import connection

        from crm.models import HandOffPerson

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM crm_handoffperson hp JOIN crm_handoff h ON h.id = hp.hand_off_id"
                " JOIN crm_consenteventperson ep ON ep.profile_id = hp.profile_id"
                " JOIN crm_consentevent e ON e.id = ep.event_id AND e.state = 'withdrawn'"
                " WHERE hp.profile_id BETWEEN %s AND %s AND e.received_at <= h.handed_off_at",
                [self.first, self.first + self.pairs - 1],
            )
            (late,) = cursor.fetchone()
        return {
            "hand-offs after a withdrawal": HandOffPerson.objects.filter(profile__in=self.unseen).count(),
            "hand-offs after a withdrawal by the ledger's times": late,
            "errors": len(self.errors),
        }
