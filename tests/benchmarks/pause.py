"""How long after a pause the last message arrives: workers in parallel, in the middle of sending, over real SMTP.

The sink is a process of its own and takes its time for each message, as relays do, so that calls are under way when
the pause comes. It writes down when it took each. What counts is the time from just before the verb is called, as a
click would, until the last message that arrived; afterwards nothing may come for as long as the limit is, though
thousands are due. Three ways: a person pauses, a guardrail pauses, and the emergency stop.
"""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MESSAGES, WORKERS, TAKES, ROUNDS = 10_000, 3, 0.3, 3
RUNNING_IN = 150  # messages that have arrived before each pause
LIMIT = 5.0


def run() -> list[dict[str, Any]]:
    """Return the seconds of each way to stop."""
    from tests.benchmarks.databases import fresh_database
    from tests.benchmarks.sending import _free_port, _wait_for, seed

    with fresh_database(), TemporaryDirectory() as directory:
        port, arrivals = _free_port(), Path(directory) / "arrivals"
        arrivals.touch()
        sink = multiprocessing.get_context("spawn").Process(target=serve, args=[port, str(arrivals)], daemon=True)
        sink.start()
        _wait_for(port)
        seed(port)
        try:
            rows = [longest(name, stop, go_on, arrivals) for name, (stop, go_on) in ways().items()]
        finally:
            sink.kill()
    return rows


def ways() -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """Return how everything is brought to a stand, and how it goes on."""
    from django.contrib.auth.models import User

    from campaigns.guarding import alarms, guardrails
    from campaigns.models import Campaign
    from campaigns.reach import policies
    from campaigns.runs import running

    boss = User.objects.create_superuser("on-call", password=None)

    def now() -> datetime:
        return datetime.now(UTC)

    def campaign() -> Campaign:
        return Campaign.objects.get()

    def go_on() -> None:  # the campaign of a benchmark was approved by nobody who could be asked
        Campaign.objects.update(status="running")
        alarms.close(campaign(), boss, "measured", now())

    def by_guardrail() -> None:
        one = campaign()
        found = alarms.Finding(signal="complaints", seen={}, since=alarms.begins(one).get("complaints"))
        assert alarms.raise_each(one, [found], now())
        assert guardrails.watch(now()) == []

    return {
        "pause by a person": (lambda: running.pause(campaign(), boss, "measured", now()), go_on),
        "pause by a guardrail": (by_guardrail, go_on),
        "emergency stop": (
            lambda: policies.stop_everything(boss, "measured", now()),
            lambda: policies.go_on(boss, "measured", now()),
        ),
    }


def longest(name: str, stop: Callable[[], object], go_on: Callable[[], object], arrivals: Path) -> dict[str, Any]:
    """Return the longest of several rounds."""
    rounds = [measured(name, stop, go_on, arrivals) for _ in range(ROUNDS)]
    last, after, rate, verb = max(rounds)
    return {
        "name": f"{name} to last message, longest of {ROUNDS}: {WORKERS} workers at {rate:.0f}/s, {after} under way",
        "value": round(last, 3), "unit": f"s (the verb took {verb:.3f})", "yardstick": LIMIT,
        "ratio": round(last / LIMIT, 3),
    }  # fmt: skip


def measured(
    name: str, stop: Callable[[], object], go_on: Callable[[], object], arrivals: Path
) -> tuple[float, int, float, float]:
    """Let workers send, stop them in the middle, and see what still arrives.

    Return the seconds until the last one, how many came after the click, the rate before, and the verb's seconds.
    """
    from django.db import connections

    from campaigns.models import Delivery

    connections.close_all()  # forked children must not share a connection
    before = len(arrived(arrivals))
    begun, workers = time.time(), [fork(work) for _ in range(WORKERS)]
    try:
        wait_for(lambda: len(arrived(arrivals)) >= before + RUNNING_IN)
        rate = (len(arrived(arrivals)) - before) / (time.time() - begun)
        clicked = time.time()
        stop()
        verb = time.time() - clicked
        time.sleep(LIMIT + 1)
        after = [at for at in arrived(arrivals) if at > clicked]
        waiting = Delivery.objects.filter(status="queued").count()
        under_way = Delivery.objects.filter(status__in=["reserved", "calling"]).count()
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    go_on()
    assert waiting > RUNNING_IN, f"{name}: only {waiting} messages were left to send"
    assert under_way == 0, f"{name}: {under_way} messages are in nobody's hands"
    return max(after, default=clicked) - clicked, len(after), rate, verb


def work() -> None:
    """Send as the task does, again and again, as beat rings it."""
    from campaigns.delivering.worker import Worker

    while True:
        Worker(lambda: datetime.now(UTC)).run(25)
        time.sleep(0.05)


def fork(child: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            child()
        finally:
            os._exit(1)
    return pid


def wait_for(done: Callable[[], bool], patience: float = 120) -> None:
    until = time.monotonic() + patience
    while not done():
        assert time.monotonic() < until, "the workers do not send"
        time.sleep(0.05)


def arrived(path: Path) -> list[float]:
    """Return when each message was taken."""
    return [float(line) for line in path.read_text().splitlines()]


def serve(port: int, path: str) -> None:
    """Take each message after a while, and write down when."""
    import asyncio

    from aiosmtpd.controller import Controller

    log = os.open(path, os.O_APPEND | os.O_WRONLY)

    class Slow:
        async def handle_DATA(self, _server: Any, _session: Any, _envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
            await asyncio.sleep(TAKES)
            os.write(log, f"{time.time()}\n".encode())
            return "250 2.0.0 taken"

    Controller(Slow(), hostname="127.0.0.1", port=port).start()
    time.sleep(3600)
