"""How fast one person's recommendation is, end to end, and how soon an event counts in it.

A server of its own, run as ``manage.py up`` runs it, with five rules, everybody in a session of five items, and the
links of every item. Asked over HTTP one after the other at a fixed rate, waiting counted from the moment a request was
due; beside it the same verb inside one process. Processor time is told too, and how many processes wanted to run
meanwhile: on a machine that is busy otherwise an answer waits for its turn, but needs hardly more of the processor. A
redirect by the same server, which asks nothing of anybody, says what the way there and back takes on this machine. One
line is an app's whole turn: it sends a view, asks again, and the answer must show what the view leads to. At the end
the champion gets a network, of the size that a training makes and with numbers drawn by lot, which every answer asks.
"""

import json
import os
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.api_reads import _python, _row, _served

PEOPLE = int(os.environ.get("RECOMMENDING_PEOPLE", "20000"))
PER_PERSON, ITEMS, LINKS, SEEN = 20, 5_000, 20, 5
RATE, ASKED, TURNS = 20, 600, 200
MOST_MILLISECONDS = 15.0
NAME = "one person's recommendation: session of five items, five rules"
BEFORE, WIDTH, LENGTH, HEADS = 10, 64, 50, 2  # purchases before the session; a network as a training makes it
NORMED, NETWORKS_WORD = ("attention", "forward"), "next_of_session"

SEED = """
INSERT INTO crm_profile (id, age_band, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '35-44', '', '', '', '', '{}', true, now(), now() FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_item (id, kind, code, title, body, categories, brand, price, currency, attributes, created_at,
    updated_at)
SELECT n, 'product', n, 'Item ' || n, '', ARRAY['d' || n %% 20, 'c' || n %% 200], 'Brand ' || n %% 50, n %% 100, 'USD',
    jsonb_build_object('stock', n %% 9, 'margin', n %% 60), now() - interval '99 days', now()
FROM generate_series(1, %(items)s) AS n;
INSERT INTO mlengine_modelversion (id, spec, number, artifact, sha256, card, stage, decision, cutoff, trained_at)
SELECT n, spec, 1, '', '', '{}', 'champion', '', now(), now()
FROM unnest(%(specs)s::text[]) WITH ORDINALITY AS specs (spec, n);
INSERT INTO mlengine_predictionrun (id, spec, version_id, rows, summary, cutoff, started_at, finished_at)
SELECT id, spec, id, 1, '{"people": 10, "top": [[1, 9], [2, 8], [3, 7]]}', now(), now(), now()
FROM mlengine_modelversion;
INSERT INTO mlengine_recommendation (profile_id, run_id, rank, item_id, value, reason)
SELECT n, 1, rank, 1 + (n * 31 + rank * 7) %% %(items)s, 1.0 / rank,
    '{"code": "goes_with", "values": {"item": 7, "people": 9}}'
FROM generate_series(1, %(people)s) AS n, generate_series(1, %(per_person)s) AS rank;
INSERT INTO mlengine_itemlink (run_id, item_id, kind, rank, other_id, value, people)
SELECT 2, n, kind, rank, 1 + (n * 17 + rank * 13) %% %(items)s, 1.0 / rank, 9
FROM generate_series(1, %(items)s) AS n, unnest(ARRAY['together', 'next']) AS kind,
    generate_series(1, %(links)s) AS rank;
INSERT INTO mlengine_recommendationrule (name, does, category, brand, codes, least, days, strength, is_active,
    changed_at)
VALUES ('a', 'exclude', 'c7', '', '{}', NULL, NULL, NULL, true, now()),
    ('b', 'stock', '', '', '{}', NULL, NULL, NULL, true, now()),
    ('c', 'margin', '', '', '{}', 5, NULL, NULL, true, now()),
    ('d', 'bought', '', '', '{}', NULL, 30, NULL, true, now()),
    ('e', 'diverse', '', '', '{}', NULL, NULL, 30, true, now());
INSERT INTO crm_event (id, source_id, profile_id, item_id, kind, properties, occurred_at, received_at)
SELECT gen_random_uuid(), %(source)s, n, 1 + (n * 7 + seen * 3) %% %(items)s,
    CASE WHEN seen = 5 THEN 'purchase' ELSE 'view' END, '{}', now() - seen * interval '1 second', now()
FROM generate_series(1, %(people)s) AS n, generate_series(1, %(seen)s) AS seen;
"""


PURCHASES = """
INSERT INTO crm_event (id, source_id, profile_id, item_id, kind, properties, occurred_at, received_at)
SELECT gen_random_uuid(), (SELECT min(id) FROM crm_source), n, 1 + (n * 13 + bought * 5) %% %(items)s, 'purchase', '{}',
    %(at)s - bought * interval '1 minute', now()
FROM generate_series(1, %(people)s) AS n, generate_series(1, %(before)s) AS bought
"""
NETWORK = """
UPDATE mlengine_predictionrun SET version_id = %(version)s, summary = summary || '{"light": true}'
WHERE spec = 'recommendations'
"""


def run() -> list[dict[str, Any]]:
    """Return the 99th percentile and median over HTTP and inside a process, and an app's whole turn."""
    with TemporaryDirectory() as var:
        seeded = json.loads(_python(var, "-m", "tests.benchmarks.recommending").splitlines()[-1])
        with _served(var) as (port, web):
            over_http = _measured(NAME, var, port, web, seeded["token"])
            load = os.getloadavg()[0]
            way = sorted(there_and_back(port, ASKED))
            turns_ = sorted(turns(port, seeded["token"], seeded["key"]))
            learned = json.loads(_python(var, "-m", "tests.benchmarks.recommending", "network").splitlines()[-1])
            by_network = _measured(f"{NAME}, a network asked", var, port, web, seeded["token"], NETWORKS_WORD)
    inside, (asking, asking_spent) = sorted(seeded["inside"]), seeded["asking"]
    name = NAME
    return [
        *over_http,
        _row("a redirect by the same server: p99", _share(way, 0.99), "ms", MOST_MILLISECONDS),
        _row("a redirect by the same server: median", _share(way, 0.5), "ms", MOST_MILLISECONDS),
        _row(f"{name}, inside a process: p99", _share(inside, 0.99), "ms", MOST_MILLISECONDS),
        _row(f"{name}, inside a process: median", _share(inside, 0.5), "ms", MOST_MILLISECONDS),
        _row(f"{name}, inside a process: processor", seeded["spent"], "ms", MOST_MILLISECONDS),
        _row(
            f"{name}, inside a process, a consent asked too: median",
            _share(sorted(asking), 0.5),
            "ms",
            MOST_MILLISECONDS,
        ),
        _row(f"{name}, inside a process, a consent asked too: processor", asking_spent, "ms", MOST_MILLISECONDS),
        *by_network,
        _row(f"{name}, a network asked, inside a process: median", _share(sorted(learned["inside"]), 0.5), "ms", 15.0),
        _row(f"{name}, a network asked, inside a process: processor", learned["spent"], "ms", MOST_MILLISECONDS),
        _row("an event is sent and the next answer shows it: p99", _share(turns_, 0.99), "ms", 1000.0),
        _row("processes that wanted to run meanwhile, of the whole machine", load, "processes", os.cpu_count() or 1),
    ]


def _measured(name: str, var: str, port: int, web: int, token: str, word: str = "") -> list[dict[str, Any]]:
    """Return how long answers take over HTTP, and what each costs the web server and the database of the processor."""
    asked(port, token, 100, word)
    database = [int(path.read_text().split()[0]) for path in Path(var).glob("postgres-*/postmaster.pid")]
    of_web, of_database = _spent(web), sum(map(_spent, database))
    waits = sorted(asked(port, token, ASKED, word))
    spent = [(_spent(web) - of_web) / ASKED, (sum(map(_spent, database)) - of_database) / ASKED]
    return [
        _row(f"{name}, over HTTP: p99", _share(waits, 0.99), "ms", MOST_MILLISECONDS),
        _row(f"{name}, over HTTP: median", _share(waits, 0.5), "ms", MOST_MILLISECONDS),
        _row(f"{name}, over HTTP: processor of the web process", spent[0], "ms", MOST_MILLISECONDS),
        _row(f"{name}, over HTTP: processor of the database", spent[1], "ms", MOST_MILLISECONDS),
    ]


def asked(port: int, token: str, count: int, word: str = "") -> list[float]:
    """Ask for different people at the fixed rate; return how long each waited, in milliseconds.

    At least half of the answers have to hold the word.
    """
    connection, random, held = HTTPConnection("127.0.0.1", port), Random(count), list[bool]()

    def ask() -> None:
        body = _get(connection, random.randint(1, PEOPLE), token)
        assert body["basis"] == "personal", body
        assert body["session_items"] == SEEN, body
        assert len(body["results"]) == 10, body
        held.append(word in str(body))

    waits = waited(ask, count)
    assert sum(held) * 2 >= count, f"Only {sum(held)} of {count} answers hold {word!r}."
    return waits


def there_and_back(port: int, count: int) -> list[float]:
    """Ask for the start page, which is elsewhere, at the same rate; return how long each waited, in milliseconds."""
    connection = HTTPConnection("127.0.0.1", port)

    def ask() -> None:
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 302, answer.status

    return waited(ask, count)


def waited(ask: Callable[[], None], count: int) -> list[float]:
    """Ask at the fixed rate; return how long each waited from when it was due, in milliseconds."""
    waits = list[float]()
    start = time.perf_counter() + 0.1
    for number in range(count):
        due = start + number / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        ask()
        waits.append((time.perf_counter() - due) * 1000)
    return waits


def turns(port: int, token: str, key: str) -> list[float]:
    """Send a view of an item, ask again, and require what it leads to; return how long both took together."""
    connection, waits = HTTPConnection("127.0.0.1", port), list[float]()
    for number in range(1, TURNS + 1):
        item = 1 + (number * 11) % ITEMS
        sent = {
            "userId": f"turn-{number}",
            "messageId": f"turn-{number}",
            "event": "Product Viewed",
            "properties": {"product_id": str(item)},
        }
        began = time.perf_counter()
        connection.request("POST", "/v1/track", json.dumps(sent), {"Content-Type": "application/json"} | _basic(key))
        answer = connection.getresponse()
        assert answer.read()
        assert answer.status == 200
        body = _get(connection, PEOPLE + number, token)
        waits.append((time.perf_counter() - began) * 1000)
        assert (body["basis"], body["session_items"]) == ("session", 1), body
    return waits


def _get(connection: HTTPConnection, person: int, token: str) -> dict[str, Any]:
    address = f"/api/v1/profiles/{person}/recommendations/?k=10"
    connection.request("GET", address, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body: dict[str, Any] = json.loads(answer.read())
    assert answer.status == 200, body
    return body


def _basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


def _spent(web: int) -> float:
    """Return the processor time that the workers of a web server have used, in milliseconds."""
    workers = Path(f"/proc/{web}/task/{web}/children").read_text().split()
    after_name = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers]
    ticks = sum(int(words[11]) + int(words[12]) for words in after_name)  # of the user and of the system
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def _share(ordered: list[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]


def seed() -> dict[str, Any]:
    """Fill the database by SQL; return a token, a source's key, and what the verb takes inside this process."""
    from django.core.management import call_command
    from django.db import connection
    from django.utils import timezone

    from crm import partitions
    from crm.database_roles import as_owner
    from crm.models import Identifier, Profile
    from tests import api, factories

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    now, source = timezone.now(), factories.source("app", kind="server")
    partitions.ensure([partitions.month_of(now)])
    facts = {"people": PEOPLE, "items": ITEMS, "per_person": PER_PERSON, "links": LINKS, "seen": SEEN}
    with connection.cursor() as cursor:
        cursor.execute(SEED, facts | {"specs": ["recommendations", "companions"], "source": source.pk})
    people = [Profile(pk=PEOPLE + n, created_at=now, updated_at=now) for n in range(1, TURNS + 1)]
    Profile.objects.bulk_create(people)
    for n in range(1, TURNS + 1):
        Identifier.objects.create(type="external_id", value=f"turn-{n}", profile_id=PEOPLE + n, created_at=now)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    waits, spent = _inside(range(1, ASKED + 1))
    answers = {"inside": waits, "spent": spent, "asking": _asking()}
    return answers | {"token": api.token("recommendations:read"), "key": source.renew_key()}


def _asking() -> tuple[list[float], float]:
    """Return the same where a purpose of profiling is set up, which a hundred people have agreed to."""
    from crm.models import Profile
    from tests.crm import consents

    purpose = consents.purpose("profiles", kind="profiling")
    agreed = Profile.objects.filter(pk__lte=100)
    for person in agreed:
        consents.say(person, purpose="profiles")
    found = _inside([person.pk for person in agreed] * (ASKED // 100))
    purpose.is_active = False
    purpose.save()
    return found


def learn() -> dict[str, Any]:
    """Give the champion a network, and everybody purchases that it reads; return what the verb takes then."""
    from django.db import connection
    from django.utils import timezone

    from crm import partitions
    from crm.database_roles import as_owner
    from mlengine import registry
    from mlengine.models import ModelVersion
    from mlengine.specs import SPECS

    model, now = _network(), timezone.now()
    at = now - timedelta(days=40)  # longer ago than the rule looks
    with as_owner():
        partitions.ensure([partitions.month_of(at)])
    ModelVersion.objects.filter(spec="recommendations").update(stage="retired")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('mlengine_modelversion', 'id'), 100)")
    facts = {"stage": "champion", "cutoff": now, "trained_at": now, "decision": ""}
    version = registry.save(model, SPECS["recommendations"], card={"light": dict(model.light)}, **facts)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(PURCHASES, {"items": ITEMS, "people": PEOPLE, "before": BEFORE, "at": at})
        cursor.execute(NETWORK, {"version": version.pk})
        cursor.execute("VACUUM ANALYZE crm_event")
    waits, spent = _inside(range(1, ASKED + 1))
    return {"inside": waits, "spent": spent}


def _network() -> Any:
    import numpy as np

    from mlengine.estimators.sasrec import SASRec
    from mlengine.estimators.sasrec_numpy import LightSASRec
    from mlengine.estimators.sequential import SASRecRecommender

    draw = np.random.default_rng(0).normal
    arrays = {"items.weight": draw(size=(ITEMS, WIDTH)), "positions.weight": draw(size=(LENGTH, WIDTH))}
    for block in ("blocks.0", "blocks.1"):
        for name, into, out_of in (("asked", 3, 1), ("told", 1, 1), ("wide", 2, 1), ("narrow", 1, 2)):
            arrays[f"{block}.{name}.weight"] = draw(size=(into * WIDTH, out_of * WIDTH)) / 8
            arrays[f"{block}.{name}.bias"] = draw(size=into * WIDTH) / 8
    for norm in ("norm", *(f"{block}.before_{part}" for block in ("blocks.0", "blocks.1") for part in NORMED)):
        arrays |= {f"{norm}.weight": np.ones(WIDTH), f"{norm}.bias": np.zeros(WIDTH)}
    made = SASRecRecommender(heads=HEADS)
    made.items_, made.estimator_ = np.arange(1, ITEMS + 1), SASRec(heads=HEADS)
    made.estimator_.light_ = LightSASRec(
        arrays={name: array.astype(np.float32) for name, array in arrays.items()}, heads=HEADS
    )
    made.estimator_.facts_ = {}
    return made


def _inside(people: Sequence[int]) -> tuple[list[float], float]:
    """Return how long the verb takes inside this process each time, and its processor time; in milliseconds."""
    from django.utils import timezone

    from mlengine import recommending

    def asked_for(person: int) -> float:
        began = time.perf_counter()
        assert recommending.answer([person], person, 10, timezone.now()).basis == "personal"
        return (time.perf_counter() - began) * 1000

    for person in people[:100]:
        asked_for(person)
    before = time.process_time()
    return [asked_for(person) for person in people], (time.process_time() - before) * 1000 / len(people)


if __name__ == "__main__":
    import django
    from django.conf import settings

    from config import embedded

    if "measure" in sys.argv[1:]:
        for row in run():
            print(row)
        raise SystemExit
    embedded.join(settings.EMBEDDED)
    django.setup()
    print(json.dumps(learn() if "network" in sys.argv[1:] else seed()))
