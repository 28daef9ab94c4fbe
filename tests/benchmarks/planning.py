"""How long a campaign takes to plan: audience, consent, caps, assignment, rows and events, with how much memory.

``PLANNED_PEOPLE`` sets how many people there are; the yardstick is a minute for a million. Half of them got a message
this week, and one in twenty as many as the cap allows; one in five took the consent back.
"""

import os
import resource
import time
from datetime import datetime, timedelta
from typing import Any

PEOPLE = int(os.environ.get("PLANNED_PEOPLE", "1000000"))
SECONDS_A_MILLION, MOST_BYTES = 60.0, 2**30

KNOWN = """
INSERT INTO crm_profile (id, age_band, age_class, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '', 'adult', '', '', '', '', '{}', true, now(), now() FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_identifier (type, value, digest, suppression_key, profile_id, verified, created_at)
SELECT 'email', '', decode(md5('email' || n), 'hex'), decode(md5(n || 'email'), 'hex'), n, false, now()
FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_consentstate (profile_id, purpose, channel, event_id, state, consent_kind, method, notice,
    counts_from, claimed_at, received_at, valid_until)
SELECT n, 'offers', 'email', e.id, CASE mod(n, 5) WHEN 0 THEN 'withdrawn' ELSE 'given' END, 'general', 'form', e.notice,
    e.received_at, e.received_at, e.received_at, NULL
FROM generate_series(1, %(people)s) AS n, (SELECT * FROM crm_consentevent LIMIT 1) AS e;
"""
# Of an earlier run, to every so-manieth person; foreign keys are not asked for rows that are right by construction.
EARLIER = """
INSERT INTO campaigns_delivery (id, occasion, run_id, profile_id, channel, account_id, status, reason, attempt, call,
    provider_id, logged, planned_at, due_at, expires_at, called_at, ended_at)
SELECT gen_random_uuid(), %(run)s, %(run)s, n, 'email', %(account)s, 'delivered', '', 1, gen_random_uuid(),
    '', true, %(at)s, %(at)s, %(at)s, %(at)s, %(at)s
FROM generate_series(%(first)s, %(people)s, %(each)s) AS n
"""


def run() -> list[dict[str, Any]]:
    """Return seconds and bytes."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        seed()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds, counts = plan()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    allowed = SECONDS_A_MILLION * PEOPLE / 1e6
    name = f"planning a campaign for {PEOPLE:,} people"
    return [
        {"name": f"{name} ({counts})", "value": seconds, "unit": "s", "yardstick": allowed, "ratio": seconds / allowed},
        {
            "name": f"{name}: memory, of which {before // 1024} MiB before",
            "value": most / 2**20,
            "unit": "MiB",
            "yardstick": MOST_BYTES / 2**20,
            "ratio": most / MOST_BYTES,
        },
    ]


def seed() -> None:
    """Write people with an address and a consent, of whom one in five took it back, and caps."""
    from django.db import connection
    from django.utils import timezone

    from campaigns.models import FrequencyCap
    from campaigns.runs import planning
    from crm.database_roles import as_owner
    from tests import factories as rows
    from tests.campaigns import factories
    from tests.crm import consents

    now = timezone.now()
    consents.purpose()
    consents.say(rows.profile(id=PEOPLE + 1), channel="email", method="form")
    account = factories.account()
    FrequencyCap.objects.create(channel="", most=3, within=timedelta(days=7))
    earlier = factories.campaign("earlier")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(KNOWN, {"people": PEOPLE})
        for number, (first, each) in enumerate(((1, 2), (3, 20), (3, 20))):
            run = planning.begin(earlier, str(number), now)
            facts: dict[str, Any] = {
                "run": run.pk,
                "account": account.pk,
                "people": PEOPLE,
                "first": first,
                "each": each,
            }
            cursor.execute(EARLIER, facts | {"at": now - timedelta(days=number + 1)})
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def plan() -> tuple[float, dict[str, int]]:
    """Return the seconds that it took, and what came of it."""
    from django.utils import timezone

    from campaigns.runs import deciding, planning
    from tests.campaigns import factories

    now: datetime = timezone.now()
    run = planning.begin(factories.campaign(), "once", now)
    began = time.perf_counter()
    planned = planning.plan(run, deciding.audience(run, now), now)
    seconds = time.perf_counter() - began
    assert sum(planned.counts.values()) == PEOPLE + 1
    assert planned.counts["suppressed:capped"] == len(range(3, PEOPLE + 1, 20))
    return seconds, planned.counts
