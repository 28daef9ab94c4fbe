"""Kill workers, beat, PostgreSQL and Valkey while messages go out through a peer that is as bad as peers are.

Celery's own workers and its beat run here, each in a process that is killed with SIGKILL at any moment; Valkey comes
back empty, PostgreSQL as after a power cut. The peer is a process of its own. It times out before it takes a message
and after, answers busy and refusing, and tells what became of messages twice and in the wrong order. What it took
stands in a file that nobody else writes. At the end no key was taken twice, each message is accepted, failed,
suppressed or shown as unknown, and no more are unknown because somebody was killed than calls were under way then.
"""

import os
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

KILLS, MESSAGES, WORKERS = 500, 20_000, 3
DATABASE_EACH, BROKER_EACH = 20, 25  # every so-manieth kill is one of PostgreSQL, or of Valkey
TOLD: tuple[list[str], ...] = (["sent", "delivered"], ["delivered", "sent", "delivered"], ["delivered"], [])
LEASE_SECONDS, WHILE_SECONDS = 5, 3.0  # instead of two minutes and 25 seconds: what was lost is found in time
TICKS = {"send": 0.5, "recover": 1.0, "work_on_callbacks": 1.0, "tell_log": 2.0, "tick": 2.0}
PATIENCE = 0.3  # seconds that an adapter waits for the peer


def run(kills: int = 0, messages: int = 0) -> list[dict[str, Any]]:
    """Return what was done and what came wrong; smaller by SENDING_KILLS and SENDING_MESSAGES."""
    kills = kills or int(os.environ.get("SENDING_KILLS", KILLS))
    messages = messages or int(os.environ.get("SENDING_MESSAGES", MESSAGES))
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    prepare(messages)
    connections.close_all()  # forked children must not share a connection
    with TemporaryDirectory() as directory:
        house = House(Path(directory), kills)
        done = house.torment()
        return [{"name": "sending under SIGKILL", "done": done | house.done(), "wrong": house.wrong(messages)}]


def prepare(messages: int) -> None:
    """Plan a campaign for so many people."""
    from django.utils import timezone

    from campaigns.runs import planning
    from tests.campaigns import factories

    people, now = known(messages), timezone.now()
    run = planning.begin(factories.campaign(holdout="0"), "once", now)
    planning.plan(run, iter([people]), now)


def known(number: int) -> list[int]:
    """Return so many people who may be written to at any hour, by an account that can."""
    from datetime import time as clock
    from datetime import timedelta

    from django.utils import timezone

    from campaigns.models import SendingPolicy
    from crm import consent
    from crm.models import Identifier, Profile
    from tests.campaigns import factories
    from tests.crm import consents

    now = timezone.now()
    SendingPolicy.objects.update_or_create(
        pk=1, defaults={"quiet_from": clock(0), "quiet_until": clock(0), "salt": "s"}
    )
    consents.purpose()
    factories.account()
    people = Profile.objects.bulk_create(
        Profile(created_at=now, updated_at=now, age_class="adult") for _ in range(number)
    )
    Identifier.objects.bulk_create(
        Identifier(type="email", value=f"p{one.pk}@example.com", profile=one, created_at=now) for one in people
    )
    wanted = [consent.Wanted(one.pk, consent.NewConsent(purpose="offers", channel="email")) for one in people]
    for start in range(0, len(wanted), 5000):
        consent.record_many(wanted[start : start + 5000], source=None, now=now - timedelta(days=1))
    return [one.pk for one in people]


def peer(path: Path, taken: Path) -> None:
    """Take messages at a socket, one line of a key each, as badly as a provider may; write down what was taken."""
    import threading

    log = os.open(taken, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen(200)

    def serve(client: socket.socket) -> None:
        with client, suppress(OSError):
            if len(key := client.recv(64)) == 36:
                answer(client, key, log)

    while True:
        client, _ = server.accept()
        threading.Thread(target=serve, args=[client], daemon=True).start()


def answer(client: socket.socket, key: bytes, log: int) -> None:
    """Treat one key, the same each time that it comes."""
    mood = Random(key).random()
    if mood < 0.02:  # times out before it takes the message
        time.sleep(2 * PATIENCE)
    elif mood < 0.06:
        client.sendall(b"busy")
    elif mood < 0.09:
        client.sendall(b"refused")
    else:
        time.sleep(mood / 50)
        os.write(log, key + b"\n")
        if mood < 0.12:  # and after it
            time.sleep(2 * PATIENCE)
        else:
            client.sendall(b"accepted")


class Adapter:
    """Speaks to the peer."""

    channel, identifier = "email", "email"
    idempotent = asynchronous = needs_staff = False

    def __init__(self, path: Path) -> None:
        self.path = path

    def send(self, _account: Any, _message: Any, key: UUID) -> Any:
        from datetime import timedelta

        from campaigns.channels import Answer, Outcome

        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            try:
                client.connect(str(self.path))
                client.sendall(str(key).encode())
                said = client.recv(16)
            except OSError:
                said = b""
        answers = {b"accepted": Answer.ACCEPTED, b"refused": Answer.REFUSED, b"busy": Answer.BUSY}
        answer = answers.get(said, Answer.UNKNOWN)
        return Outcome(answer=answer, provider_id=key.hex, reason=said.decode(), again_after=timedelta(seconds=0.5))


class House:
    """The workers, beat, the peer, and who tells of its messages."""

    ticks = TICKS
    queues: Sequence[str] = ("send", "default")

    def __init__(self, directory: Path, kills: int) -> None:
        self.socket, self.file, self.kills = directory / "peer", directory / "taken", kills
        self.random, self.children = Random(5), dict[int, Callable[[], None]]()
        self.counts: Counter[str] = Counter()

    def torment(self) -> dict[str, int]:
        """Kill until enough were killed, then let the work come to its end."""
        self.surround()
        others = set(self.children)
        for work in self.crew():
            self.start(work)
        while self.counts.total() < self.kills:
            time.sleep(self.random.uniform(0.1, 0.8))
            self.counts[self.kill_one(others, self.counts.total() + 1)] += 1
        deadline = time.monotonic() + 900
        while self.waiting() and time.monotonic() < deadline:
            time.sleep(1)
        for pid in list(self.children):
            self.kill(pid)
        return dict(self.counts)

    def crew(self) -> list[Callable[[], None]]:
        """Return what those do who are killed."""
        return [*[self.work] * WORKERS, self.beat]

    def surround(self) -> None:
        """Start whom nobody kills."""
        self.start(lambda: peer(self.socket, self.file))
        while not self.socket.exists():
            time.sleep(0.05)
        self.start(self.tell)

    def kill_one(self, others: set[int], turn: int) -> str:
        if turn % DATABASE_EACH == 0:
            from tests.faults.ledger_kills import stop_immediately

            stop_immediately()
            return "immediate stops of PostgreSQL"
        if turn % BROKER_EACH == 1:
            return kill_broker()
        pid = self.random.choice([pid for pid in self.children if pid not in others])
        work = self.kill(pid)
        self.start(work)
        return "kills of beat" if work == self.beat else "kills of workers"

    def start(self, work: Callable[[], None]) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                work()
            finally:
                os._exit(1)
        self.children[pid] = work

    def kill(self, pid: int) -> Callable[[], None]:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "A process ended by itself: see its traceback above."
        return self.children.pop(pid)

    def work(self) -> None:
        """Be a worker of Celery's, in this process, whose desk stands before the peer."""
        from campaigns.delivering import worker
        from campaigns.delivering.writing import Desk, renderer

        adapter: Any = Adapter(self.socket)
        desk = Desk(
            adapter=lambda _: adapter,
            take=lambda _, wanted, __: wanted,
            give_back=lambda *_: None,
            renderer=renderer,
        )
        setattr(worker, "desk", lambda: desk)  # noqa: B010  # it is not its own name there
        serve(self.queues)

    def beat(self) -> None:
        """Be Celery's beat, with a schedule that ticks faster than the house's."""
        from celery.beat import Scheduler, Service

        own = app()
        own.conf.beat_schedule = {
            name: {"task": f"campaigns.tasks.{name}", "schedule": each, "options": {"expires": 5.0}}
            for name, each in self.ticks.items()
        }
        Service(own, max_interval=1, scheduler_cls=Scheduler).start()

    def tell(self) -> None:
        """Tell what became of messages, some twice, some in the wrong order, again where nobody took it."""
        from tests.faults.ledger_kills import survived

        random, seen = Random(9), 0
        while True:
            keys = self.taken()[seen:]
            told = [(key, kind) for key in keys for kind in random.choice(TOLD)] * 2
            random.shuffle(told)
            for start in range(0, len(told), 100):
                while survived(lambda some=told[start : start + 100]: tell_some(some)) is None:  # type: ignore[misc]
                    time.sleep(0.1)
            seen += len(keys)
            time.sleep(0.2)

    def taken(self) -> list[str]:
        return self.file.read_text().split() if self.file.exists() else []

    def waiting(self) -> int:
        from campaigns.models import Delivery
        from tests.faults.ledger_kills import survived

        left = survived(lambda: Delivery.objects.filter(status__in=["queued", "reserved", "calling"]).count())
        return 1 if left is None else int(left)

    def done(self) -> dict[str, int]:
        from campaigns.models import Delivery

        statuses = Counter(Delivery.objects.values_list("status", flat=True))
        lost = Delivery.objects.filter(status="unknown", reason="worker_lost").count()
        return {"taken by the peer": len(self.taken())} | dict(statuses) | {"of these unknown by a kill": lost}

    def wrong(self, messages: int) -> dict[str, int]:
        from campaigns.models import Delivery
        from crm.models import HandOff

        keys = Counter(self.taken())
        rows = list(Delivery.objects.values_list("pk", "status", "call", "reason"))
        known = {str(leaf) for leaf in HandOff.objects.values_list("delivery", flat=True)}
        from uuid import uuid5

        of = {str(uuid5(pk, str(attempt))): pk for pk, *_ in rows for attempt in range(8)}
        people = Counter(of.get(key) for key in keys)
        lost = [row for row in rows if row[1] not in ("accepted", "delivered", "failed", "suppressed", "unknown")]
        unknown = sum(status == "unknown" and reason == "worker_lost" for _, status, _, reason in rows)
        accepted = {pk for pk, status, *_ in rows if status in ("accepted", "delivered")}
        return {
            "taken twice by one key": sum(number > 1 for number in keys.values()),
            "people who got it twice": sum(number > 1 for number in people.values()),
            "lost": len(lost) + messages - len(rows),
            "said to be accepted and not taken": len(accepted - set(people)),
            "taken without a leaf": len(set(keys) - known),
            "unknown beyond the calls under way": max(0, unknown - self.under_way()),
        }

    def under_way(self) -> int:
        """Return how many calls may have been under way when somebody was killed."""
        from campaigns.delivering.worker import THREADS

        stops = self.counts["immediate stops of PostgreSQL"] * WORKERS
        return (self.counts["kills of workers"] + stops) * THREADS


def serve(queues: Sequence[str] = ("send", "default")) -> None:
    """Be a worker of Celery's, in this process, that holds everything for seconds only."""
    from datetime import timedelta

    from campaigns import tasks
    from campaigns.delivering import handing_off, sending

    handing_off.LEASE = sending.LEASE = timedelta(seconds=LEASE_SECONDS)
    tasks.A_WHILE = WHILE_SECONDS
    app().WorkController(pool="solo", queues=list(queues), loglevel="CRITICAL").start()


def app() -> Any:
    """Return Celery's application without the connections of the process that this one was forked from."""
    import logging

    from config.celery import app as own

    logging.disable(logging.CRITICAL)  # of servers that go away, which is what happens here
    own._after_fork()  # type: ignore[attr-defined]  # what its own pools call
    return own


def tell_some(told: list[tuple[str, str]]) -> int:
    """Tell of some messages as a provider's callback does."""
    from campaigns.channels.base import Feedback, Told
    from campaigns.models import ChannelAccount
    from campaigns.responses import feedback

    now = datetime.now(UTC)
    said = [
        Told(key=f"{key} {kind}", feedback=Feedback(kind), happened_at=now, delivery=UUID(key)) for key, kind in told
    ]
    return feedback.take(ChannelAccount.objects.get(), said, now)


def kill_broker() -> str:
    """Kill Valkey and start it again, with nothing in it."""
    from django.conf import settings

    from config.embedded import valkey

    if pid := valkey._pid(settings.EMBEDDED):
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.2)
    valkey.ensure(settings.EMBEDDED)
    return "kills of Valkey"
