"""How long it takes from an event to the first step that it lets somebody begin, over the house as ``up`` runs it.

Web server, workers and beat are the product's own command lines. So many people a second do something, each told by
a request of its own, as a shop's page tells it; the event lets its person into a journey whose first step tells other
systems. What counts is the time from just before the request until another connection to the database, which looks
every 50 ms, sees her at the step after: begun, done, and told to the log.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
RATE, SECONDS, CLIENTS = 200, 45, 8
WARM = 5  # seconds at the beginning that do not count: processes import and connect
LIMIT, LOOK = 2.0, 0.05

ARRIVED = """
SELECT profile_id FROM campaigns_journeyentry WHERE step = 'rest' AND moves = 1 AND entered_at > now() - interval '20s'
"""


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile of the times, beside the limit."""
    with TemporaryDirectory() as var:
        environment = os.environ | {"VAR_DIR": var, "DJANGO_SETTINGS_MODULE": "config.settings"}
        program = [sys.executable, "-m", "tests.benchmarks.journey_events"]
        done = subprocess.run(program, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    name = (
        f"event to first step, {found['rate']:.0f}/s, of {found['people']:,} (median {found['median']} s, longest"
        f" {found['longest']} s; half of the requests took {found['request']} s): p99"
    )
    return [
        {"name": name, "value": found["p99"], "unit": "s", "yardstick": LIMIT, "ratio": round(found["p99"] / LIMIT, 3)},
        {"name": "event to first step: lost", "value": found["lost"], "unit": "", "yardstick": 0, "ratio": None},
    ]


def waits() -> dict[str, Any]:
    """Let people do something, and return how long each waited."""
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command

    from tests.benchmarks.sending import _free_port, _wait_for

    call_command("migrate", verbosity=0)
    people, key = prepare()
    port = _free_port()
    with processes(port):
        _wait_for(port)
        return measured(people, key, port)


def prepare() -> tuple[dict[int, str], str]:
    """Let a journey begin; return people by their ids, and the authorization of a source."""
    from django.utils import timezone

    from crm import identity
    from crm.models import Source
    from tests.campaigns.journeys.factories import journey, tree, wait
    from tests.crm import consents

    consents.purpose()
    source = Source.objects.create(name="shop")
    codes = [f"U{number}" for number in range(RATE * SECONDS)]
    people = identity.resolve([[("external_id", code)] for code in codes], source=source, now=timezone.now())
    told = {"kind": "webhook", "name": "till", "ways": {"next": "rest"}}
    journey(tree("told", {"kind": "event", "event": "cart"}, told=told, rest=wait("")))
    authorization = "Basic " + b64encode(f"{source.renew_key()}:".encode()).decode()
    return dict(zip(people, codes, strict=True)), authorization


@contextmanager
def processes(port: int) -> Iterator[None]:
    """Run what ``up`` runs."""
    from config.management.commands.up import commands

    environment = os.environ | {"OMP_WAIT_POLICY": "passive"}
    lines = commands(f"127.0.0.1:{port}", 2)
    running = [subprocess.Popen(line, cwd=ROOT, env=environment) for line in lines]
    try:
        yield
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(30)


def measured(people: dict[int, str], key: str, port: int) -> dict[str, Any]:
    """Send at a fixed rate, and watch who has begun."""
    time.sleep(10)  # the workers and beat are there: it is not their start that is asked for
    began: dict[str, float] = {}
    took: list[float] = []
    jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    clients = [threading.Thread(target=client, args=(jobs, key, port, began, took)) for _ in range(CLIENTS)]
    seen: dict[int, float] = {}
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(seen, over))
    for thread in (*clients, watcher):
        thread.start()
    first = time.monotonic()
    for number, code in enumerate(people.values()):
        time.sleep(max(0.0, first + number / RATE - time.monotonic()))
        jobs.put(code)
    for _ in clients:
        jobs.put(None)
    for thread in clients:
        thread.join()
    spent = time.monotonic() - first
    ends = time.monotonic() + 30
    while len(seen) < len(people) and time.monotonic() < ends:
        time.sleep(0.2)
    over.set()
    watcher.join()
    return counted(people, began, seen, sorted(took), len(people) / spent)


def counted(
    people: dict[int, str], began: dict[str, float], seen: dict[int, float], took: list[float], rate: float
) -> dict[str, Any]:
    """Return the figures, but for the first seconds."""
    asked = dict(list(people.items())[WARM * RATE :])
    waited = sorted(seen[person] - began[code] for person, code in asked.items() if person in seen)
    return {
        "p99": round(waited[int(0.99 * len(waited))], 3),
        "median": round(waited[len(waited) // 2], 3),
        "longest": round(waited[-1], 3),
        "request": round(took[len(took) // 2], 4),
        "people": len(waited),
        "lost": len(people) - len(seen),
        "rate": rate,
    }


def client(
    jobs: "queue.SimpleQueue[str | None]", key: str, port: int, began: dict[str, float], took: list[float]
) -> None:
    """Tell of one event after the other over a connection that stays open."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    heads = {"Content-Type": "application/json", "Authorization": key}
    while code := jobs.get():
        now = datetime.now(UTC).isoformat()
        told = {"messageId": code, "userId": code, "event": "Product Added", "timestamp": now, "sentAt": now}
        began[code] = time.monotonic()
        connection.request("POST", "/v1/track", json.dumps(told), heads)
        answer = connection.getresponse()
        said = answer.read()
        took.append(time.monotonic() - began[code])
        assert answer.status == 200, (answer.status, said[:300])
    connection.close()


def watch(seen: dict[int, float], over: threading.Event) -> None:
    """Write down when each is seen behind the first step."""
    from django.db import connection

    while not over.is_set():
        with connection.cursor() as cursor:
            cursor.execute(ARRIVED)
            found = [person for (person,) in cursor.fetchall()]
        at = time.monotonic()
        for person in found:
            seen.setdefault(person, at)
        time.sleep(LOOK)
    connection.close()


if __name__ == "__main__":
    print(json.dumps(waits()))
