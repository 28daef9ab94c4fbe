"""Kill writers, sequencers and PostgreSQL in the middle of appends: nothing acknowledged is lost, nothing is torn.

Six writers append in batches, each by a clock that is wrong by up to an hour, and write down the ids of what was
committed; three sequencers race for the queue; an observer keeps the checkpoints it saw, as an outsider would. One
after another is killed with SIGKILL and replaced, and PostgreSQL is stopped with ``-m immediate``, as by a power cut.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

WRITERS, SEQUENCERS = 6, 3
KILLS, STOPS, APPENDS = 200, 20, 100_000
LARGEST_BATCH = 12


def run(kills: int = KILLS, stops: int = STOPS, appends: int = APPENDS) -> list[dict[str, Any]]:
    """Return what was done and what came wrong."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    from crm.checkpoints import signer
    from tests import factories

    call_command("migrate", verbosity=0)
    person = factories.profile("handed off to").pk
    signer()
    connections.close_all()  # forked children must not share a connection
    with TemporaryDirectory() as directory:
        house = House(Path(directory), person)
        done = house.torment(kills, stops, appends)
        return [{"name": "ledger under SIGKILL", "done": done | house.kept(), "wrong": house.wrong()}]


class House:
    """The processes at work, and what each of them wrote down."""

    def __init__(self, directory: Path, person: int) -> None:
        self.directory, self.person = directory, person
        self.random = Random(3)
        self.work: dict[int, Callable[[], None]] = {}
        self.born = 0

    def torment(self, kills: int, stops: int, appends: int) -> dict[str, int]:
        """Kill and stop, evenly mixed, until there were enough appends too; return how many of each."""
        for work in [self.write] * WRITERS + [self.sequence] * SEQUENCERS + [self.observe]:
            self.start(work)
        done = Counter({"kills of writers": 0, "kills of sequencers": 0, "immediate stops of PostgreSQL": 0})
        for turn in range(1, kills + 1):
            time.sleep(self.random.uniform(0.05, 0.4))
            done[self.kill_one()] += 1
            if turn * stops // kills > (turn - 1) * stops // kills:
                stop_immediately()
                done["immediate stops of PostgreSQL"] += 1
        while len(self.acknowledged()) < appends:
            time.sleep(0.5)
        for pid in list(self.work):
            self.kill(pid)
        return dict(done)

    def kill_one(self) -> str:
        pid = self.random.choice([pid for pid, work in self.work.items() if work != self.observe])
        work = self.kill(pid)
        self.start(work)
        return "kills of writers" if work == self.write else "kills of sequencers"

    def start(self, work: Callable[[], None]) -> None:
        self.born += 1
        pid = os.fork()
        if pid == 0:
            self.random = Random(self.born)
            try:
                work()
            finally:
                os._exit(1)  # a child never returns into the parent's code
        self.work[pid] = work

    def kill(self, pid: int) -> Callable[[], None]:
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status), "A process ended by itself: see its traceback above."
        return self.work.pop(pid)

    def write(self) -> None:
        from django.utils import timezone

        from crm import handoffs

        skew = timedelta(seconds=self.random.uniform(-3600, 3600))
        log = os.open(self.directory / f"acknowledged-{self.born}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        while True:
            now = timezone.now() + skew
            batch = [self.hand_off(now) for _ in range(self.random.randint(1, LARGEST_BATCH))]
            if rows := survived(partial(committed, handoffs.record, batch, now)):
                os.write(log, b"".join(row.pk.bytes for row in rows))

    def hand_off(self, now: Any) -> Any:
        from crm.handoffs import NewHandOff

        facts = {"basis": "consent", "purpose": "news", "channel": "sms", "handed_off_at": now}
        return NewHandOff(delivery=uuid4(), profile_id=self.person, allowed_by=uuid4(), **facts)

    def sequence(self) -> None:
        from django.utils import timezone

        from crm import sequencer

        while True:
            survived(lambda: sequencer.sequence(timezone.now()))
            time.sleep(self.random.uniform(0, 0.02))

    def observe(self) -> None:
        from crm import checkpoints

        with (self.directory / "held-elsewhere").open("a") as held:
            while True:
                if seen := survived(checkpoints.latest):
                    held.write(seen.note + "\0")
                    held.flush()
                time.sleep(0.1)

    def acknowledged(self) -> list[bytes]:
        logs = b"".join(path.read_bytes() for path in self.directory.glob("acknowledged-*"))
        return [logs[start : start + 16] for start in range(0, len(logs), 16)]

    def held_elsewhere(self) -> list[str]:
        notes = (self.directory / "held-elsewhere").read_text().split("\0")
        return sorted(set(notes[:-1]))  # what stands behind the last end was cut off by the kill

    def kept(self) -> dict[str, int]:
        """Finish the work of the killed, and count."""
        from django.utils import timezone

        from crm import sequencer
        from crm.models import Checkpoint, Leaf

        sequencer.sequence(timezone.now())
        self.leaves = {bytes(UUID(str(pk)).bytes) for pk in Leaf.objects.values_list("record", flat=True)}
        return {
            "appends acknowledged": len(self.acknowledged()),
            "leaves": len(self.leaves),
            "checkpoints": Checkpoint.objects.count(),
            "checkpoints held elsewhere": len(self.held_elsewhere()),
        }

    def wrong(self) -> dict[str, int]:
        from crm import fsck
        from crm.models import HandOff, Leaf, PendingLeaf

        report = fsck.check(self.held_elsewhere())
        for problem in report.problems[:20]:
            sys.stderr.write(f"{problem}\n")
        numbers = list(Leaf.objects.order_by("sequence").values_list("sequence", flat=True))
        return {
            "lost": len(set(self.acknowledged()) - self.leaves),
            "twice": len(numbers) - len(self.leaves),
            "gaps": sum(number != place for place, number in enumerate(numbers)),
            "evidence without leaf": HandOff.objects.count() - len(self.leaves),
            "still waiting": PendingLeaf.objects.count(),
            "problems found by fsck": report.counts["problems"],
        }


def committed(work: Callable[..., Any], *arguments: Any) -> Any:
    from django.db import transaction

    with transaction.atomic(durable=True):
        return work(*arguments)


def survived(work: Callable[[], Any]) -> Any:
    """Return what the work returns, or nothing when the database went away meanwhile."""
    from django.db import DatabaseError, InterfaceError, connection

    try:
        return work()
    except (DatabaseError, InterfaceError):
        connection.close()
        time.sleep(0.05)
        return None


def stop_immediately() -> None:
    """Stop PostgreSQL without letting it write anything more, and start it again."""
    from django.conf import settings

    from config.embedded import postgres
    from config.embedded.rootless import unprivileged

    servers = settings.EMBEDDED
    command = [str(postgres._program("pg_ctl")), "-D", str(servers.data), "-m", "immediate", "-w", "stop"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **unprivileged())
    postgres.ensure(servers)
