"""How fast scores and recommendations are read over HTTP at a million stored rows of each, and what a process holds.

A server of its own (``VAR_DIR`` in a temporary directory), run as ``manage.py up`` runs it. Requests come at a fixed
rate whatever the answers take, and waiting counts from the moment a request was due, so a slow answer cannot hide the
ones that had to queue behind it. Client, web processes and database share the machine.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from socket import socket
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

ROOT = Path(__file__).parents[2]
PEOPLE, PER_PERSON, ITEMS = 1_000_000, 10, 68_000
RECOMMENDED_TO = PEOPLE // PER_PERSON
RATE, SECONDS, CONNECTIONS = 100, 20, 16
MOST_MILLISECONDS, MOST_MEGABYTES = 30.0, 200.0
HEAVY = ("polars", "sklearn", "lightgbm", "torch")

SEED = """
INSERT INTO crm_profile (id, age_band, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '35-44', '', '', '', '', '{}', true, now(), now() FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_item (id, kind, code, title, body, categories, brand, currency, attributes, created_at, updated_at)
SELECT n, 'product', n, 'Item ' || n, '', '{grocery}', 'Brand', 'USD', '{}', now(), now()
FROM generate_series(1, %(items)s) AS n;
INSERT INTO mlengine_modelversion (id, spec, number, artifact, sha256, card, stage, decision, cutoff, trained_at)
SELECT n, spec, 1, '', '', '{}', 'champion', '', now(), now()
FROM unnest(%(specs)s::text[]) WITH ORDINALITY AS specs (spec, n);
INSERT INTO mlengine_predictionrun (id, spec, version_id, rows, summary, cutoff, started_at, finished_at)
SELECT id, spec, id, 1000000, '{"people": 10, "top": [[1, 9], [2, 8], [3, 7]]}', now(), now(), now()
FROM mlengine_modelversion;
INSERT INTO mlengine_score (profile_id, run_id, value, reasons)
SELECT n, 1, random(), CASE WHEN n %% 100 = 0 THEN %(reasons)s::jsonb END FROM generate_series(1, %(people)s) AS n;
INSERT INTO mlengine_recommendation (profile_id, run_id, rank, item_id, value, reason)
SELECT n, 2, rank, 1 + (n * 31 + rank * 7) %% %(items)s, 1.0 / rank, '{"code": "bought_before", "times": 3}'
FROM generate_series(1, %(recommended_to)s) AS n, generate_series(1, %(per_person)s) AS rank;
"""
REASON = {"code": "silence", "feature": "gap_mean", "contribution": 0.7, "values": {"days": 40, "gap": 6}, "value": 1}


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile of the waiting times, its median, and the memory of a web process at rest."""
    with TemporaryDirectory() as var:
        seeded = json.loads(_python(var, "-m", "tests.benchmarks.api_reads").splitlines()[-1])
        with _served(var) as (port, web):
            load(port, seeded["token"], seconds=5)
            megabytes, heavy = _held(web)
            waits = sorted(load(port, seeded["token"], seconds=SECONDS))
    assert not heavy, f"A web process has loaded {heavy}."
    name = f"score and recommendation reads over HTTP, {RATE}/s, {PEOPLE:,} rows of each"
    return [
        _row(f"{name}: p99", waits[int(len(waits) * 0.99)], "ms", MOST_MILLISECONDS),
        _row(f"{name}: median", waits[len(waits) // 2], "ms", MOST_MILLISECONDS),
        _row("idle web process, largest, none of " + ", ".join(HEAVY), megabytes, "MB", MOST_MEGABYTES),
    ]


def seed() -> str:
    """Fill the database by SQL and return a client's token."""
    from django.core.management import call_command
    from django.db import connection

    from crm.database_roles import as_owner
    from mlengine.specs import SPECS
    from tests import api

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    specs = [next(spec.name for spec in SPECS.values() if spec.answers == kind) for kind in ("score", "recommendation")]
    facts = {"people": PEOPLE, "items": ITEMS, "recommended_to": RECOMMENDED_TO, "per_person": PER_PERSON}
    with connection.cursor() as cursor:
        cursor.execute(SEED, facts | {"specs": specs, "reasons": json.dumps([REASON] * 3)})
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return api.token("scores:read", "recommendations:read")


def load(port: int, token: str, *, seconds: int) -> list[float]:
    """Send requests at the fixed rate over a few kept connections; return how long each waited, in milliseconds."""
    waits: list[float] = []
    start = time.perf_counter() + 0.1

    def send(first: int) -> None:
        connection, random = HTTPConnection("127.0.0.1", port), Random(first)
        for number in range(first, RATE * seconds, CONNECTIONS):
            due = start + number / RATE
            time.sleep(max(0.0, due - time.perf_counter()))
            connection.request("GET", _address(number, random), headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body[:500]
            assert b'"results":[{' in body, body[:500]
            waits.append((time.perf_counter() - due) * 1000)
        connection.close()

    threads = [Thread(target=send, args=(first,)) for first in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == RATE * seconds, f"Only {len(waits)} of {RATE * seconds} requests were answered."
    return waits


def _address(number: int, random: Random) -> str:
    if number % 2:
        return f"/api/v1/profiles/{random.randint(1, PEOPLE)}/scores/"
    # One in twenty is a person for whom nothing is stored, and gets what is popular.
    return f"/api/v1/profiles/{random.randint(1, RECOMMENDED_TO * 20 // 19)}/recommendations/?k=10"


def _environment(var: str) -> dict[str, str]:
    ours = {"VAR_DIR": var, "DJANGO_SETTINGS_MODULE": "config.settings", "DEBUG": "0", "SECURE_SSL_REDIRECT": "0"}
    return os.environ | ours


def _python(var: str, *arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=_environment(var), check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


@contextmanager
def _served(var: str) -> Iterator[tuple[int, int]]:
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    gunicorn = ["gunicorn", "config.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "4"]
    web = subprocess.Popen([sys.executable, "-m", *gunicorn, "--log-level", "warning"], cwd=ROOT, env=_environment(var))
    try:
        _wait_for(port)
        yield port, web.pid
    finally:
        web.terminate()
        web.wait(30)


def _wait_for(port: int, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=seconds)
            connection.request("GET", "/admin/login/")  # so that the admin, too, is loaded when memory is measured
            connection.getresponse().read()
        except ConnectionError:
            assert time.monotonic() < deadline, "The web server did not start."
            time.sleep(0.2)
        else:
            return


def _held(web: int) -> tuple[float, list[str]]:
    """Return the resident megabytes of the largest web process, and which of the heavy libraries it has mapped."""
    workers = Path(f"/proc/{web}/task/{web}/children").read_text().split()
    status = [Path(f"/proc/{pid}/status").read_text().split() for pid in workers]
    maps = "".join(Path(f"/proc/{pid}/maps").read_text() for pid in workers)
    largest = max(int(words[words.index("VmRSS:") + 1]) for words in status)
    return largest / 1024, [name for name in HEAVY if f"/{name}" in maps]


def _row(name: str, value: float, unit: str, yardstick: float) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "yardstick": yardstick, "ratio": value / yardstick}


if __name__ == "__main__":
    import django
    from django.conf import settings

    from config import embedded

    embedded.join(settings.EMBEDDED)
    django.setup()
    print(json.dumps({"token": seed()}))
