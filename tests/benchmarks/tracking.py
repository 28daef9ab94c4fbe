"""Links followed at 200 requests a second, load generator on the same cores: how long answers take, what is lost.

The requests come at fixed times, whether earlier ones were answered or not, and a time counts from when the request was
due: a server that stalls cannot hide it. Afterwards every request must stand in the inbox.
"""

import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from http.client import HTTPConnection
from queue import Queue
from typing import Any
from uuid import uuid4

from tests.benchmarks.databases import fresh_database

PORT, RATE, SECONDS, CLIENTS = 8767, 200, 20, 24
AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile Safari/604.1"


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile in milliseconds, and how many events were lost."""
    with fresh_database():
        tokens = _prepared()
        from campaigns.models import Visit

        server = _served()
        try:
            _load(tokens, 3)  # warm
            Visit.objects.all().delete()
            times = sorted(_load(tokens, SECONDS))
        finally:
            server.terminate()
            server.wait()
        lost = len(times) - Visit.objects.count()
    at = {share: 1000 * times[int(len(times) * share)] for share in (0.5, 0.99)}
    return [
        {"name": "tracking redirect, p99", "value": round(at[0.99], 2), "unit": "ms at 200/s",
         "yardstick": f"median {at[0.5]:.2f} ms; at most 20 ms", "ratio": round(at[0.99] / 20, 2)},
        {"name": "tracking redirect, events lost", "value": lost, "unit": f"of {len(times)}", "yardstick": "0",
         "ratio": None},
    ]  # fmt: skip


def _prepared() -> list[str]:
    from django.utils import timezone

    from campaigns.models import Delivery, Link
    from campaigns.responses import links
    from campaigns.runs import planning
    from tests.campaigns import factories
    from tests.crm import consents

    now = timezone.now()
    campaign = factories.campaign(purpose=consents.purpose())
    variant = campaign.variants.get()
    run = planning.begin(campaign, "once", now)
    link = Link.objects.create(variant=variant, channel="email", language="en", position=0, url="https://a.example/")
    person = factories.person(1, consent=False)
    rows = [
        Delivery(
            pk=uuid4(), occasion=uuid4(), run=run, variant=variant, profile=person, channel="email", status="accepted",
            call=uuid4(), called_at=now - timedelta(hours=1), planned_at=now, due_at=now, expires_at=now,
        )
        for _ in range(2000)
    ]  # fmt: skip
    Delivery.objects.bulk_create(rows)
    return [links.token(row.pk, link.pk) for row in rows]


def _served() -> "subprocess.Popen[bytes]":
    from django.db import connection

    environment = os.environ | {"BENCH_DATABASE": str(connection.settings_dict["NAME"]), "DEBUG": "0"}
    environment |= {"SECURE_SSL_REDIRECT": "0", "LOG_LEVEL": "ERROR"}
    options = ["--bind", f"127.0.0.1:{PORT}", "--workers", "2", "--worker-class", "gthread", "--threads", "4"]
    application = "tests.benchmarks.yardsticks.served"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "--log-level", "error", "--keep-alive", "30", application],
        env=environment,
    )
    for _ in range(300):
        try:
            connection_ = HTTPConnection("127.0.0.1", PORT, timeout=5)
            connection_.request("GET", "/o/nothing")
            connection_.getresponse().read()
        except OSError:
            time.sleep(0.1)
        else:
            return server
    raise TimeoutError("The server did not start.")


def _load(tokens: list[str], seconds: int) -> list[float]:
    waiting: Queue[tuple[float, str] | None] = Queue()
    times: list[float] = []
    clients = [threading.Thread(target=_client, args=(waiting, times)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    begun = time.perf_counter()
    for number in range(RATE * seconds):
        due = begun + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        waiting.put((due, tokens[number % len(tokens)]))
    for _ in clients:
        waiting.put(None)
    for client in clients:
        client.join()
    return times


def _client(waiting: "Queue[tuple[float, str] | None]", times: list[float]) -> None:
    connection = HTTPConnection("127.0.0.1", PORT, timeout=30)
    while (told := waiting.get()) is not None:
        due, token = told
        connection.request("GET", f"/l/{token}", headers={"User-Agent": AGENT})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 302:
            times.append(time.perf_counter() - due)
