"""How long the question that everything asks takes for ten thousand people at once, among a hundred thousand."""

import gc
import statistics
import time
from datetime import timedelta
from random import Random
from typing import Any

PEOPLE, ASKED, MERGED, TURNS = 100_000, 10_000, 2_000, 15
MOST_MILLISECONDS = 100.0


def run() -> list[dict[str, Any]]:
    """Return the median and the slowest of some turns, each with other people."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        seed()
        taken = ask()
    name = f"basis_for for a batch of {ASKED:,} people of {PEOPLE:,}"
    return [
        _row(f"{name}: median", statistics.median(taken)),
        _row(f"{name}: slowest of {TURNS}", max(taken)),
    ]


PEOPLE_KNOWN = """
INSERT INTO crm_profile (id, age_band, age_class, gender, province, city, language, attributes, personalisation,
    created_at, updated_at)
SELECT n, '', CASE mod(n, 3) WHEN 0 THEN 'unknown' ELSE 'adult' END, '', '', '', '', '{}', true, now(), now()
FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_identifier (type, value, digest, suppression_key, profile_id, verified, created_at)
SELECT type, '', decode(md5(type || n), 'hex'), decode(md5(n || type), 'hex'), n, false, now()
FROM generate_series(1, %(people)s) AS n, unnest('{phone,email}'::text[]) AS type;
INSERT INTO crm_suppression (channel, key, key_version, reason, basis, since)
SELECT 'sms', suppression_key, '1', 'unsubscribed', '', now() FROM crm_identifier
WHERE type = 'phone' AND mod(profile_id, 20) = 0;
INSERT INTO crm_profilealias (duplicate_id, canonical_id, reason, merged_at)
SELECT n, n + 1, '', now() FROM generate_series(1, %(merged)s * 2, 2) AS n;
"""
# Each of an event, with times of its own: nothing that an answer tells is the same for two people.
SAID = """
CREATE TEMP TABLE said AS
SELECT n, channel, md5(channel || n)::uuid AS event, CASE mod(n, 5) WHEN 0 THEN 'withdrawn' ELSE 'given' END AS state,
    now() - n * interval '1 second' - length(channel) * interval '1 hour' AS at,
    CASE mod(n, 7) WHEN 0 THEN now() + n * interval '1 minute' END AS valid_until
FROM generate_series(1, %(people)s) AS n, unnest('{"",sms}'::text[]) AS channel WHERE channel = '' OR mod(n, 2) = 0;
INSERT INTO crm_consentevent
SELECT (jsonb_populate_record(like_this, jsonb_build_object('id', said.event, 'state', said.state))).*
FROM crm_consentevent like_this, said;
INSERT INTO crm_consentstate (profile_id, purpose, channel, event_id, state, consent_kind, method, notice,
    counts_from, claimed_at, received_at, valid_until)
SELECT n, 'offers', channel, event, state, 'general', 'form', 'privacy/1', at, at, at, valid_until FROM said;
"""


def seed() -> None:
    """Write people, two addresses each, a state for the purpose and one for every second channel, merges, suppressions.

    By SQL: what is measured reads states and addresses, never events.
    """
    from django.db import connection

    from crm.database_roles import as_owner
    from tests import factories
    from tests.crm import consents

    consents.purpose()
    consents.notice("offers")
    consents.say(factories.profile(id=PEOPLE + 1))
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE_KNOWN, {"people": PEOPLE, "merged": MERGED})
        cursor.execute(SAID, {"people": PEOPLE})
    with as_owner(), connection.cursor() as cursor:  # what autovacuum does within a minute; only owners may
        cursor.execute("VACUUM ANALYZE")


def ask() -> list[float]:
    """Return the milliseconds of each turn."""
    from django.utils import timezone

    from crm import consent

    gc.collect()
    gc.freeze()  # as the web processes do when they have started (config/wsgi.py)
    random, taken = Random(5), []
    now = timezone.now() + timedelta(minutes=5)
    for _ in range(TURNS + 1):
        asked = random.sample(range(1, PEOPLE + 1), ASKED)
        began = time.perf_counter()
        found = consent.bases_for(asked, "offers", "sms", now)
        taken.append((time.perf_counter() - began) * 1000)
        assert len(found) == ASKED
        assert 0.5 < sum(basis.allowed for basis in found.values()) / ASKED < 0.9
    return taken[1:]  # the first turn opens the connection's plans and pages


def _row(name: str, value: float) -> dict[str, Any]:
    ratio = value / MOST_MILLISECONDS
    return {"name": name, "value": value, "unit": "ms", "yardstick": MOST_MILLISECONDS, "ratio": ratio}
