"""Live events over HTTP in batches of 500: our API against a plain DRF serializer, behind the same server.

The yardstick is what one would write first: ``Serializer(many=True)`` that checks each event's fields, one query for
the people, one for the products, and ``bulk_create(ignore_conflicts=True)`` into a plain table with the same columns
and a unique message id. It makes no partitions, keeps no refused events and joins no identities, so it has less to do.
Client and server share the machine's cores; both keep the connection open. The time's split is taken inside one
process, without HTTP, over the same batches.
"""

import json
import os
import random
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from statistics import median
from typing import Any

from tests.benchmarks.databases import fresh_database

BATCH, BATCHES, CLIENTS = 500, 40, 2
PORT = 8765
PEOPLE, PRODUCTS = 20_000, 2_000


def run() -> list[dict[str, Any]]:
    """Return events a second of both, and where our time goes."""
    with fresh_database():
        key = _prepared()
        with _served():
            for number, path in enumerate(("/v1/batch", "/yardstick")):  # both warm
                _post(path, _batches(4, 90 + number), key)
            ours, plain = [], []
            for turn in range(4):  # in turns, so that what else the machine does falls on both
                plain.append(_rate("/yardstick", key, 10 + turn))
                ours.append(_rate("/v1/batch", key, 20 + turn))
        split = _split()
    rows = [
        {
            "name": "HTTP ingestion, batches of 500",
            "value": round(median(ours)),
            "unit": "events/s",
            "yardstick": f"DRF many=True with bulk_create {median(plain):.0f} events/s",
            "ratio": round(median(ours) / median(plain), 2),
        }
    ]
    whole = sum(split.values())
    for name, seconds in split.items():
        rows.append(
            {
                "name": f"HTTP ingestion, {name}",
                "value": round(1000 * seconds / BATCHES, 2),
                "unit": "ms a batch",
                "yardstick": f"all {1000 * whole / BATCHES:.2f} ms",
                "ratio": round(seconds / whole, 2),
            }
        )
    return rows


def _batches(count: int, seed: int) -> list[bytes]:
    """Return batches of ordinary shop events: page views, products seen, carts, orders."""
    choose = random.Random(seed)
    now = datetime.now(UTC)
    return [
        json.dumps(
            {"sentAt": now.isoformat(), "batch": [_message(choose, now, f"{seed}-{n}-{m}") for m in range(BATCH)]}
        ).encode()
        for n in range(count)
    ]


def _message(choose: random.Random, now: datetime, message_id: str) -> dict[str, Any]:
    product = {"product_id": f"P{choose.randrange(PRODUCTS)}", "price": choose.randrange(100) + 0.5, "quantity": 1}
    return {
        "type": "track",
        "messageId": message_id,
        "userId": f"U{choose.randrange(PEOPLE)}",
        "timestamp": (now - timedelta(seconds=choose.randrange(3600))).isoformat(),
        "event": choose.choice(["Product Viewed", "Product Viewed", "Product Added"]),
        "properties": product | {"currency": "CNY", "position": choose.randrange(20), "list": "spring"},
        "context": {"library": {"name": "analytics.js", "version": "4.1"}, "page": {"path": "/p", "title": "Tea"}},
    }


def _prepared() -> str:
    """Fill the tables with the people and products that the events name; return the authorization of a source."""
    from django.utils import timezone

    from crm import catalogue, identity
    from crm.models import Source

    with _yardstick_table():
        pass
    source = Source.objects.create(name="bench")
    now = timezone.now()
    codes = [f"U{n}" for n in range(PEOPLE)]
    people = identity.resolve([[("external_id", code)] for code in codes], source=source, now=now)
    from tests.benchmarks.yardsticks.drf_ingestion import PlainPerson

    pairs = zip(codes, people, strict=True)
    PlainPerson.objects.bulk_create(PlainPerson(code=code, profile_id=profile) for code, profile in pairs)
    catalogue.resolve({("product", f"P{n}"): "" for n in range(PRODUCTS)}, now=now)
    return "Basic " + b64encode(f"{source.renew_key()}:".encode()).decode()


@contextmanager
def _yardstick_table() -> Iterator[None]:
    from django.db import connection

    from crm.database_roles import as_owner, grant
    from tests.benchmarks.yardsticks.drf_ingestion import PlainEvent, PlainPerson

    with as_owner():
        with connection.schema_editor() as editor:
            editor.create_model(PlainEvent)
        editor.create_model(PlainPerson)
        grant()
    yield


@contextmanager
def _served() -> Iterator[None]:
    """Serve both behind one gunicorn with two workers."""
    from django.db import connection

    environment = os.environ | {"BENCH_DATABASE": str(connection.settings_dict["NAME"]), "DEBUG": "0"}
    environment |= {"SECURE_SSL_REDIRECT": "0", "LOG_LEVEL": "ERROR"}
    application = "tests.benchmarks.yardsticks.drf_ingestion:application()"
    options = ["--bind", f"127.0.0.1:{PORT}", "--workers", "2", "--worker-class", "gthread", "--threads", "2"]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *options, "--log-level", "error", "--keep-alive", "30", application],
        env=environment,
    )
    try:
        _wait()
        yield
    finally:
        server.terminate()
        server.wait()


def _wait() -> None:
    for _ in range(300):
        try:
            HTTPConnection("127.0.0.1", PORT, timeout=5).connect()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("the server did not start")


def _rate(path: str, key: str, seed: int) -> float:
    """Return events a second that two senders get in together."""
    from concurrent.futures import ThreadPoolExecutor

    loads = [_batches(BATCHES // CLIENTS, seed * 100 + client) for client in range(CLIENTS)]
    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(lambda load: _post(path, load, key), loads))
    return BATCHES * BATCH / (time.perf_counter() - started)


def _post(path: str, load: list[bytes], key: str) -> None:
    connection = HTTPConnection("127.0.0.1", PORT, timeout=60)
    for body in load:
        connection.request("POST", path, body, {"Content-Type": "application/json", "Authorization": key})
        response = connection.getresponse()
        answer = response.read()
        assert response.status == 200, (response.status, answer[:500])
        assert b'"rejected": [{' not in answer, answer[:500]
    connection.close()


def _split() -> dict[str, float]:
    """Return the seconds of each part of our work over the batches, parse, resolve, dedup, COPY and the rest."""
    from django.db import transaction
    from django.utils import timezone

    from crm import catalogue, identity, ingest, ingestion_api, intake, segment
    from crm.models import Source

    spent: dict[str, float] = {}

    def watch(owner: Any, name: str, part: str) -> Callable[[], None]:
        real = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return real(*args, **named)
            finally:
                spent[part] = spent.get(part, 0) + time.perf_counter() - started

        setattr(owner, name, timed)
        return lambda: setattr(owner, name, real)

    parts = [
        (ingestion_api, "_parse", "parse"),
        (intake, "read_all", "parse"),
        (identity, "resolve", "resolve"),
        (catalogue, "resolve", "resolve"),
        (ingest, "_take", "dedup"),
        (ingest, "_copy", "COPY"),
    ]
    source = Source.objects.get(name="bench")
    bodies = _batches(BATCHES, 7)
    undo = [watch(*part) for part in parts]
    started = time.perf_counter()
    for body in bodies:
        parsed, exact = ingestion_api._parse(body)
        now = timezone.now()
        shift = segment.shift_of(parsed["sentAt"], now)
        intake.take(source, parsed["batch"], segment.Reception(received_at=now, shift=shift, exact=exact))
    whole = time.perf_counter() - started
    for back in undo:
        back()
    assert not transaction.get_connection().in_atomic_block
    return spent | {"rest (rows, commit)": whole - sum(spent.values())}


if __name__ == "__main__":
    for row in run():
        print(row)
