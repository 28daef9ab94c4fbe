"""How long after a pause, and after the emergency stop, the last message leaves: while three workers are at it.

Each worker is a process, with a provider that takes up to half a second for a message. What counts is the moment at
which the provider was given the last one.
"""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

MESSAGES, WORKERS, ROUNDS = 20_000, 3, 4
RUNNING_SECONDS, WATCHED_SECONDS = 3.0, 6.0
MOST_SECONDS = 5.0


def run() -> list[dict[str, Any]]:
    """Return the longest time of several rounds, of each of the two."""
    from tests.benchmarks.databases import fresh_database
    from tests.faults.sending_kills import prepare

    with fresh_database(), TemporaryDirectory() as directory:
        prepare(MESSAGES)
        from django.db import connection

        context = multiprocessing.get_context("fork")
        connection.close()  # forked children must not share it
        files = [Path(directory) / str(number) for number in range(WORKERS)]
        workers = [context.Process(target=work, args=[file], daemon=True) for file in files]
        for worker in workers:
            worker.start()
        try:
            paused = max(_round(files, _pause, _resume) for _ in range(ROUNDS))
            stopped = max(_round(files, _stop, _go_on) for _ in range(ROUNDS))
        finally:
            for worker in workers:
                worker.kill()
                worker.join()
    return [_row("pause to last message", paused), _row("emergency stop to last message", stopped)]


def _row(name: str, seconds: float) -> dict[str, Any]:
    name = f"{name}, {WORKERS} workers, longest of {ROUNDS}"
    return {"name": name, "value": seconds, "unit": "s", "yardstick": MOST_SECONDS, "ratio": seconds / MOST_SECONDS}


def _round(files: list[Path], stop: Callable[[], None], go_on: Callable[[], None]) -> float:
    """Return the seconds from a stop to the last message, once messages leave again."""
    go_on()
    begun = time.time()
    while _last(files) < begun:
        time.sleep(0.1)
    time.sleep(RUNNING_SECONDS)
    at = time.time()
    stop()
    time.sleep(WATCHED_SECONDS)
    last = _last(files)
    assert last > at - 2, "Nothing was being sent when it was stopped."
    return max(0.0, last - at)


def _last(files: list[Path]) -> float:
    return max((float(file.read_text().split()[-1]) for file in files if file.exists()), default=0.0)


def work(file: Path) -> None:
    """Send as the house's workers do, and write down when the provider was given each message."""
    from django.utils import timezone

    from campaigns.channels import Answer, Outcome
    from campaigns.worker import Worker
    from campaigns.writing import Desk, renderer

    class Slow:
        """Takes everything, in its own time."""

        channel = identifier = "email"
        idempotent = asynchronous = needs_staff = False

        def send(self, _account: Any, _message: Any, key: UUID) -> Outcome:
            with file.open("a") as lines:
                lines.write(f"{time.time()}\n")
            time.sleep(key.int % 50 / 100)
            return Outcome(answer=Answer.ACCEPTED, provider_id=key.hex)

    slow: Any = Slow()
    desk = Desk(adapter=lambda _: slow, take=lambda _, n, __: n, give_back=lambda *_: None, renderer=renderer)
    while True:
        Worker(timezone.now, at=desk).run(25)
        time.sleep(0.1)


def _pause() -> None:
    from django.utils import timezone

    from campaigns import running
    from campaigns.models import Campaign

    running.pause(Campaign.objects.get(), None, "", timezone.now())


def _resume() -> None:
    from campaigns.models import Campaign

    Campaign.objects.update(status=Campaign.Status.RUNNING)


def _stop() -> None:
    from django.contrib.auth.models import User
    from django.utils import timezone

    from campaigns import policies

    policies.stop_everything(User.objects.all()[0], "", timezone.now())


def _go_on() -> None:
    from django.contrib.auth.models import User
    from django.utils import timezone

    from campaigns import policies

    _resume()
    policies.go_on(User.objects.all()[0], timezone.now())
