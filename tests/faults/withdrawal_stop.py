"""From "no" to silence: 100,000 messages are queued and being sent while 1,000 people withdraw by five routes.

Four senders empty the queue, as the next step's will, by batches of a purpose and a channel. For each person who
withdrew, no message that the withdrawal means may commit after it was acknowledged.
"""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from random import Random
from typing import Any
from uuid import UUID, uuid4

PEOPLE, PER_PERSON, WITHDRAWING, SENDERS, BATCH = 10_000, 10, 1_000, 4, 100
CHANNELS = ("sms", "email", "wechat", "mini_program", "app")
PURPOSES = ("offers", "birthday")
LONGEST = 60.0  # seconds from the wish to the last message
# Which messages a route's withdrawal means: (purposes, channels).
EVERYTHING = (PURPOSES, CHANNELS)
MEANT = {
    "preference link": EVERYTHING,
    "SMS reply": (PURPOSES, ("sms",)),
    "one click": (("offers",), ("email",)),
    "unfollow": (PURPOSES, ("wechat",)),
    "REST": EVERYTHING,
}


def run(people: int = PEOPLE, withdrawing: int = WITHDRAWING) -> list[dict[str, Any]]:
    """Return what was done and what came wrong."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    house = House(people, withdrawing)
    house.prepare()
    house.torment()
    row = {"name": "from withdrawal to full stop", "done": house.done(), "wrong": house.wrong()}
    connections.close_all()
    return [row]


class House:
    """A queue, its senders, and people who want no more."""

    def __init__(self, people: int, withdrawing: int) -> None:
        self.people, self.withdrawing = people, withdrawing
        self.batches: SimpleQueue[tuple[str, str, list[tuple[UUID, int]]]] = SimpleQueue()
        self.sent: list[tuple[float, int, str, str]] = []  # when it was committed, whose, purpose, channel
        self.refused = 0
        self.asked: dict[int, tuple[str, float, float]] = {}  # route, asked, acknowledged
        self.errors: list[str] = []

    def prepare(self) -> None:
        from django.utils import timezone

        from crm import consent
        from crm.models import Identifier, Profile, Source
        from tests import api, factories
        from tests.crm import consents

        for code in PURPOSES:
            consents.purpose(code)
        now = timezone.now()
        Profile.objects.bulk_create(
            Profile(pk=number, created_at=now, updated_at=now) for number in range(1, self.people + 1)
        )
        for number in range(1, self.withdrawing + 1):
            refs = {"phone": f"+86138{number:08}", "external_id": f"u{number}"}
            for type_, value in refs.items():
                Identifier.objects.create(type=type_, value=value, profile_id=number, created_at=now)
        wanted = [
            consent.Wanted(person, consent.NewConsent(purpose=code))
            for person in range(1, self.people + 1)
            for code in PURPOSES
        ]
        for start in range(0, len(wanted), 5000):
            consent.record_many(wanted[start : start + 5000], source=None, now=now - timedelta(days=1))
        self.server = factories.source("shop", kind=Source.Kind.SERVER)
        self.token = api.token("consent:write")
        self.queue()

    def queue(self) -> None:
        random = Random(11)
        each = [(purpose, channel) for purpose in PURPOSES for channel in CHANNELS]
        batches = []
        for purpose, channel in each:
            people = random.sample(range(1, self.people + 1), self.people)
            batches += [
                (purpose, channel, [(uuid4(), person) for person in people[start : start + BATCH]])
                for start in range(0, self.people, BATCH)
            ]
        random.shuffle(batches)
        for batch in batches:
            self.batches.put(batch)

    def torment(self) -> None:
        threads = [threading.Thread(target=self.guarded, args=[self.send]) for _ in range(SENDERS)]
        threads += [threading.Thread(target=self.guarded, args=[self.withdraw, route]) for route in MEANT]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def guarded(self, work: Callable[..., None], *arguments: str) -> None:
        from django.db import connection

        try:
            work(*arguments)
        except Exception as error:
            self.errors.append(repr(error))
        finally:
            connection.close()

    def send(self) -> None:
        from crm.consent_gate import ToSend, hand_off

        while True:
            try:
                purpose, channel, messages = self.batches.get_nowait()
            except Empty:
                return
            to_send = [ToSend(delivery, person) for delivery, person in messages]
            before = time.monotonic()  # it committed at or after this
            bases = hand_off(to_send, purpose, channel, datetime.now(UTC))
            for delivery, person in messages:
                if bases[delivery].allowed:
                    self.sent.append((before, person, purpose, channel))
                else:
                    self.refused += 1

    def withdraw(self, route: str) -> None:
        from tests import api

        caller = api.bearer(self.token)
        verbs: dict[str, Callable[[int], object]] = {
            "preference link": lambda person: self.verb(person, None, "", "preference_centre"),
            "SMS reply": self.reply,
            "one click": lambda person: self.verb(person, "offers", "email", "one_click"),
            "unfollow": self.unfollow,
            "REST": lambda person: caller.post(
                "/api/v1/consents/withdraw/", {"profile_id": person}, "application/json", SERVER_NAME="localhost"
            ),
        }
        for person in range(1 + list(MEANT).index(route), self.withdrawing + 1, len(MEANT)):
            begun = time.monotonic()
            answer = verbs[route](person)
            status = getattr(answer, "status_code", 200)
            if status != 200:
                self.errors.append(f"{route}: {status}")
            self.asked[person] = (route, begun, time.monotonic())

    def verb(self, person: int, purpose: str | None, channel: str, method: str) -> None:
        from crm import consent

        consent.withdraw(person, purpose, channel, method, datetime.now(UTC))

    def reply(self, person: int) -> None:
        from crm import replies

        now, text = datetime.now(UTC), f"{person}"
        replies.take_reply(f"+86138{person:08}", "ＴＤ", source=self.server, now=now, message_id=text)

    def unfollow(self, person: int) -> None:
        from crm import intake
        from crm.segment import Reception

        message = {"type": "track", "event": "unfollow", "userId": f"u{person}", "messageId": f"f{person}"}
        intake.take(self.server, [message], Reception(received_at=datetime.now(UTC)))

    def done(self) -> dict[str, int]:
        waits = sorted(acknowledged - begun for _, begun, acknowledged in self.asked.values())
        return {
            "queued": self.people * len(PURPOSES) * len(CHANNELS),
            "sent": len(self.sent),
            "refused": self.refused,
            "people who withdrew": len(self.asked),
            "routes": len(MEANT),
            "ms to a withdrawal, median": round(waits[len(waits) // 2] * 1000),
            "ms to a withdrawal, longest": round(waits[-1] * 1000),
        }

    def wrong(self) -> dict[str, int]:
        after, slowest = 0, 0.0
        for at, person, purpose, channel in self.sent:
            if person not in self.asked:
                continue
            route, begun, acknowledged = self.asked[person]
            purposes, channels = MEANT[route]
            if purpose in purposes and channel in channels:
                # Only who began after the acknowledgement is certain to have committed after it.
                after += at > acknowledged
                slowest = max(slowest, at - begun)
        slow = sum(acknowledged - begun > LONGEST for _, begun, acknowledged in self.asked.values())
        return {
            "messages after a withdrawal": after,
            "people who waited over 60 s": slow + int(slowest > LONGEST),
            "people not heard": self.withdrawing - len(self.asked),
            "errors": len(self.errors),
        }
