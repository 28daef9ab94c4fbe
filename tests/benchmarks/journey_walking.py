"""How fast people are led through a journey: due steps found, done, written and told to the log; nothing is sent.

``WALKING_PEOPLE`` sets how many are on the way; the yardstick is 5,000 steps a second. Of three steps a day one asks a
rule, one draws by chance, one waits; the share of the time that is PostgreSQL's own is told beside it.
"""

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

PEOPLE = int(os.environ.get("WALKING_PEOPLE", "1000000"))
LEAST = 5000.0  # steps a second

KNOWN = """
INSERT INTO crm_profile (id, age_band, age_class, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '', 'adult', '', '', CASE mod(n, 3) WHEN 0 THEN 'Beijing' ELSE 'Shanghai' END, '', '{}', true, now(), now()
FROM generate_series(1, %(people)s) AS n;
ANALYZE crm_profile
"""


def run() -> list[dict[str, Any]]:
    """Return steps a second, and PostgreSQL's share of the work."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        return measure()


def measure() -> list[dict[str, Any]]:
    """Let everybody in, then lead everybody from one wait to the next."""
    from django.db import connection
    from django.utils import timezone

    from campaigns.journeys import entering, walking
    from campaigns.journeys.entering import Occasion
    from crm.database_roles import as_owner
    from crm.models import Event
    from tests.campaigns.journeys.factories import condition, journey, tree, wait
    from tests.crm import consents

    consents.purpose()
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(KNOWN, {"people": PEOPLE})
    graph = tree(
        "pause",
        pause=wait("where"),
        where=condition({"field": "city", "is": "is", "value": "Beijing"}, yes="chance", no="later"),
        chance={
            "kind": "random_split",
            "branches": [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}],
            "ways": {"a": "later", "b": "later"},
        },
        later=wait("last"),
        last=wait(""),
    )
    way, now = journey(graph), timezone.now()
    began = time.perf_counter()
    entered = entering.enter(way, [Occasion(profile=one, key="k") for one in range(1, PEOPLE + 1)], now)
    entering_took = time.perf_counter() - began
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE campaigns_journeyentry")
        cursor.execute("SELECT pg_backend_pid()")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    before, own = _cpu(backend), time.process_time()
    began, led = time.perf_counter(), 0
    while done := walking.walk(way, now + timedelta(days=1)):
        led += done
    took = time.perf_counter() - began
    share = (_cpu(backend) - before) / max(_cpu(backend) - before + time.process_time() - own, 1e-9)
    steps = Event.objects.filter(kind="journey_step").count()
    assert led == entered == PEOPLE, (led, entered)
    name = f"a journey of {PEOPLE:,} people"
    return [
        {"name": f"{name}: steps done a second", "value": steps / took, "unit": "/s", "yardstick": LEAST,
         "ratio": steps / took / LEAST},
        {"name": f"{name}: people led on a second", "value": led / took, "unit": "/s", "yardstick": LEAST,
         "ratio": led / took / LEAST},
        {"name": f"{name}: share of it in PostgreSQL", "value": share, "unit": "", "yardstick": None, "ratio": None},
        {"name": f"{name}: people entering a second", "value": entered / entering_took, "unit": "/s",
         "yardstick": None, "ratio": None},
    ]  # fmt: skip


def _cpu(pid: int) -> float:
    """Return the seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
