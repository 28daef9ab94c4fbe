"""How long it takes to count who a rule describes, among a million profiles and twenty million events.

Five rules of growing difficulty, each beside the statement that somebody who knows the tables would write for it, with
the same answer: merged profiles count as one person, restricted ones not at all. The statement by hand has every help:
who is read as whom stands in temporary tables with statistics; it is tried with the planner's own choice, and with
nested and merged joins forbidden; for one rule there are two; the fastest of all counts.

Both run on the same connection in turns. Seconds are those that the server's processes worked (of the session and of
the workers that it had, by ``/proc``), since other work on the machine changes the time on the wall. The first answer
on a screen is the count within its budget, as the builder asks for it, on the wall.

``SEGMENT_PEOPLE`` and ``SEGMENT_EVENTS`` in the environment make it smaller.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

PEOPLE, EVENTS = int(os.environ.get("SEGMENT_PEOPLE", "1000000")), int(os.environ.get("SEGMENT_EVENTS", "20000000"))
TURNS, MOST, FIRST_ANSWER = 3, 1.3, 1.0
NOW = datetime(2026, 6, 15, tzinfo=UTC)
MONTHS = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 7)]

RULES: dict[str, Any] = {
    "a city": {"field": "city", "is": "is", "value": "c7"},
    "bought thrice in 30 days": {
        "event": "purchase", "within": {"days": 30}, "measure": {"count": {"is": "at_least", "value": 3}},
    },
    "bought in a category, not in the last week": {
        "all": [
            {"event": "purchase", "within": {"days": 60}, "where": [{"field": "category", "is": "is", "value": "k3"}]},
            {"none": [{"event": "purchase", "within": {"days": 7}}]},
            {"address": "email", "is": "known"},
        ]
    },
    "spent much ever, or referred somebody of a city": {
        "any": [
            {"event": "purchase", "measure": {"sum": {"is": "at_least", "value": 1500}}},
            {"related": "referred", "to": {"field": "city", "is": "is", "value": "c7"}},
        ]
    },
    "viewed and bought within three days, by consent": {
        "all": [
            {"event": "view", "within": {"days": 30}, "then": {"event": "purchase", "within_days": 3}},
            {"consent": "offers", "channel": "email", "is": "allowed"},
        ]
    },
}  # fmt: skip

# Who is read as whom, and who is no person of her own or restricted: once for all statements by hand.
TABLES = """
CREATE TEMPORARY TABLE merged ON COMMIT DROP AS WITH RECURSIVE chain (id, at) AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias WHERE undone_at IS NULL
    UNION SELECT chain.id, a.canonical_id FROM chain JOIN crm_profilealias a
    ON a.duplicate_id = chain.at AND a.undone_at IS NULL
) SELECT id, at AS person FROM chain
WHERE NOT EXISTS (SELECT FROM crm_profilealias a WHERE a.duplicate_id = chain.at AND a.undone_at IS NULL);
CREATE TEMPORARY TABLE hidden ON COMMIT DROP AS
    SELECT id FROM merged UNION SELECT coalesce(m.person, r.id) FROM crm_profile r LEFT JOIN merged m USING (id)
    WHERE r.restricted_at IS NOT NULL;
ANALYZE merged, hidden;
"""
USABLE = "NOT EXISTS (SELECT FROM hidden h WHERE h.id = p.id)"
EVENT = "SELECT coalesce(m.person, e.profile_id) AS id FROM crm_event e LEFT JOIN merged m ON m.id = e.profile_id"
PAIRED = """
            SELECT DISTINCT v.id FROM (
                SELECT coalesce(m.person, e.profile_id) AS id, e.occurred_at FROM crm_event e
                LEFT JOIN merged m ON m.id = e.profile_id WHERE e.kind = 'view'
                AND e.occurred_at >= %(now)s - interval '30 days' AND e.occurred_at <= %(now)s
            ) v JOIN (
                SELECT coalesce(m.person, e.profile_id) AS id, e.occurred_at FROM crm_event e
                LEFT JOIN merged m ON m.id = e.profile_id WHERE e.kind = 'purchase'
                AND e.occurred_at >= %(now)s - interval '30 days' AND e.occurred_at <= %(now)s
            ) b ON b.id = v.id AND b.occurred_at > v.occurred_at
            AND b.occurred_at <= v.occurred_at + interval '72 hours'"""
SORTED = """
    SELECT DISTINCT id FROM (
        SELECT id, occurred_at, kind, min(occurred_at) FILTER (WHERE kind = 'purchase') OVER (
            PARTITION BY id ORDER BY occurred_at DESC GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS next
        FROM (
            SELECT coalesce(m.person, e.profile_id) AS id, e.kind, e.occurred_at FROM crm_event e
            LEFT JOIN merged m ON m.id = e.profile_id WHERE e.kind IN ('view', 'purchase')
            AND e.occurred_at >= %(now)s - interval '30 days' AND e.occurred_at <= %(now)s
        ) both_kinds
    ) w WHERE kind = 'view' AND next <= occurred_at + interval '72 hours'"""
ALLOWED = f"""JOIN (
            SELECT DISTINCT ON (id) * FROM (SELECT coalesce(m.person, c.profile_id) AS id, state, channel,
            counts_from, valid_until FROM crm_consentstate c
            LEFT JOIN merged m ON m.id = c.profile_id WHERE c.purpose = 'offers' AND c.channel IN ('', 'email')) s
            ORDER BY id, channel = 'email' AND state IN ('refused', 'withdrawn', 'revoked', 'invalidated') DESC,
            counts_from DESC
        ) c ON c.id = p.id AND c.state IN ('given', 'renewed') AND (c.valid_until IS NULL OR c.valid_until > %(now)s)
        WHERE {USABLE} AND NOT EXISTS (SELECT FROM crm_profile q LEFT JOIN merged m ON m.id = q.id
            WHERE q.age_class IN ('child', 'minor') AND coalesce(m.person, q.id) = p.id)"""
BY_HAND = {
    "a city": f"SELECT count(*) FROM crm_profile p WHERE p.city = 'c7' AND {USABLE}",
    "bought thrice in 30 days": f"""
        SELECT count(*) FROM ({EVENT} WHERE e.kind = 'purchase' AND e.occurred_at >= %(now)s - interval '30 days'
        AND e.occurred_at <= %(now)s GROUP BY 1 HAVING count(*) >= 3) p WHERE {USABLE}""",
    "bought in a category, not in the last week": f"""
        SELECT count(*) FROM (
            {EVENT} JOIN crm_item i ON i.id = e.item_id AND i.categories @> '{{k3}}'
            WHERE e.kind = 'purchase' AND e.occurred_at >= %(now)s - interval '60 days' AND e.occurred_at <= %(now)s
            GROUP BY 1
        ) p WHERE {USABLE}
        AND NOT EXISTS (SELECT FROM ({EVENT} WHERE e.kind = 'purchase' AND e.occurred_at >= %(now)s - interval '7 days'
            AND e.occurred_at <= %(now)s) late WHERE late.id = p.id)
        AND EXISTS (SELECT FROM (SELECT coalesce(m.person, i.profile_id) AS id FROM crm_identifier i
            LEFT JOIN merged m ON m.id = i.profile_id WHERE i.type = 'email') known WHERE known.id = p.id)""",
    "spent much ever, or referred somebody of a city": f"""
        SELECT count(*) FROM (
            SELECT id FROM (
                SELECT coalesce(m.person, e.profile_id) AS id, sum(e.value) AS spent FROM crm_event e
                LEFT JOIN merged m ON m.id = e.profile_id
                WHERE e.kind = 'purchase' AND e.occurred_at <= %(now)s GROUP BY 1
            ) s WHERE spent >= 1500
            UNION
            SELECT coalesce(m.person, r.from_profile_id) FROM crm_relation r
            LEFT JOIN merged m ON m.id = r.from_profile_id LEFT JOIN merged n ON n.id = r.to_profile_id
            JOIN crm_profile p ON p.id = coalesce(n.person, r.to_profile_id)
            WHERE r.kind = 'referred' AND p.city = 'c7' AND {USABLE}
        ) p WHERE {USABLE}""",
    "viewed and bought within three days, by consent": f"SELECT count(*) FROM ({PAIRED}) p {ALLOWED}",
}
# One sort instead of a join: whichever is faster is the yardstick.
OTHERWISE = {"viewed and bought within three days, by consent": f"SELECT count(*) FROM ({SORTED}) p {ALLOWED}"}
SEED = """
INSERT INTO crm_profile (id, age_band, age_class, gender, province, city, language, attributes, personalisation,
    restricted_at, created_at, updated_at)
SELECT n, '', CASE WHEN mod(n, 50) = 0 THEN 'minor' ELSE 'adult' END, '', '', 'c' || mod(n * 7919::bigint, 100), '',
    '{}', true, CASE WHEN mod(n, 1000) = 1 THEN %(now)s::timestamptz END, %(now)s, %(now)s
    FROM generate_series(1, %(people)s) AS n;
INSERT INTO crm_identifier (type, value, digest, suppression_key, profile_id, verified, created_at)
SELECT 'email', '', decode(md5('e' || n), 'hex'), decode(md5(n || 'e'), 'hex'), n, false, %(now)s
FROM generate_series(1, %(people)s, 2) AS n;
INSERT INTO crm_profilealias (duplicate_id, canonical_id, reason, merged_at)
SELECT n, n + 1, '', %(now)s FROM generate_series(7, %(people)s - 1, 100) AS n;
INSERT INTO crm_relation (from_profile_id, to_profile_id, kind, weight, created_at)
SELECT n, mod(n * 31, %(people)s) + 1, 'referred', 1, %(now)s FROM generate_series(1, %(people)s, 10) AS n
WHERE n <> mod(n * 31, %(people)s) + 1;
INSERT INTO crm_item (kind, code, title, body, categories, brand, currency, attributes, created_at, updated_at)
SELECT 'product', 'i' || n, '', '', ARRAY['k' || mod(n, 20)], '', '', '{}', %(now)s, %(now)s
FROM generate_series(1, 2000) AS n;
"""
MONTH = """
INSERT INTO crm_event (id, source_id, profile_id, item_id, kind, value, occurred_at, received_at)
SELECT (to_char(%(begins)s::timestamptz, 'YYYYMMDD') || lpad(to_hex(n), 24, '0'))::uuid, %(source)s,
    1 + floor(power(random(), 2) * %(people)s)::bigint,
    (SELECT min(id) FROM crm_item) + floor(random() * 2000)::bigint,
    (ARRAY['view', 'view', 'view', 'page', 'purchase'])[1 + floor(random() * 5)::int],
    round((random() * 100)::numeric, 2),
    %(begins)s::timestamptz + n * (interval '28 days' / %(events)s), %(now)s FROM generate_series(1, %(events)s) AS n
"""
SAID = """
INSERT INTO crm_consentstate (profile_id, purpose, channel, event_id, state, consent_kind, method,
    counts_from, claimed_at, received_at)
SELECT n, 'offers', CASE mod(n, 3) WHEN 0 THEN '' ELSE 'email' END, (SELECT event_id FROM crm_consentstate LIMIT 1),
    CASE mod(n, 5) WHEN 0 THEN 'withdrawn' ELSE 'given' END, 'general', 'form', long_ago, long_ago,
    long_ago FROM generate_series(2, %(people)s) AS n,
    (SELECT %(now)s::timestamptz - interval '90 days') AS t (long_ago) WHERE mod(n, 10) < 7
"""


def run() -> list[dict[str, Any]]:
    """Return for each rule the seconds of both statements, their ratio, and the first answer on a screen."""
    from tests.benchmarks.databases import fresh_database

    with fresh_database():
        seed()
        return [row for name in RULES for row in compared(name)]


def seed() -> None:
    """Write everything by SQL, a month of events after the other."""
    from django.db import connection

    from crm import partitions
    from crm.database_roles import as_owner
    from crm.models import Profile
    from tests import factories
    from tests.crm import consents

    consents.purpose()
    values: dict[str, Any] = {
        "people": PEOPLE,
        "now": NOW,
        "source": factories.source().pk,
        "events": EVENTS // len(MONTHS),
    }
    partitions.ensure(at.date() for at in MONTHS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT setseed(0.5)")
        cursor.execute(SEED, values)
        for begins in MONTHS:
            cursor.execute(MONTH, values | {"begins": begins})
    consents.say(Profile.objects.get(pk=1), now=NOW - timedelta(days=60), channel="email", method="form")
    with connection.cursor() as cursor:
        cursor.execute(SAID, values)
    with as_owner(), connection.cursor() as cursor:  # what autovacuum does within a minute; only owners may
        cursor.execute("VACUUM ANALYZE")


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What an answer cost: seconds on the wall, and seconds that the server's processes worked."""

    answer: Any
    wall: float
    work: float


def compared(name: str) -> list[dict[str, Any]]:
    """Return one row for the whole count against the best by hand, and one for the first answer on a screen."""
    from campaigns import rules
    from campaigns.segmenting import counting

    rule = rules.parse(RULES[name])
    ours, by_hand = list[Taken](), list[Taken]()
    for _ in range(TURNS):
        ours.append(timed(lambda: counting.exact(rule, NOW)))
        ways = [(sql, off) for sql in statements(name) for off in FORBIDDEN]
        patience = timedelta(seconds=4 * ours[-1].wall + 1)
        tried = [timed(partial(hand, sql, off, patience)) for sql, off in ways]
        by_hand += [one for one in tried if one.answer is not None]
        assert {one.answer for one in by_hand} == {ours[-1].answer}, (name, ours[-1].answer, by_hand)
    first = timed(lambda: counting.count(rule, NOW))
    found, answer = ours[0].answer, first.answer
    assert answer.value == found or not answer.exact
    mine, yardstick = min(one.work for one in ours), min(one.work for one in by_hand)
    wall = f"{min(one.wall for one in ours):.2f} s on the wall, by hand {min(one.wall for one in by_hand):.2f} s"
    told = f"segment count, {name}: {found:,} of {PEOPLE:,} people, {EVENTS:,} events ({wall})"
    shown = "exact" if answer.exact else f"{answer.value:,} ({answer.low:,} to {answer.high:,})"
    return [
        {"name": told, "value": mine, "unit": "s of work", "yardstick": yardstick, "ratio": mine / yardstick},
        {"name": f"  first answer: {shown}", "value": first.wall, "unit": "s", "yardstick": FIRST_ANSWER},
    ]


def statements(name: str) -> list[str]:
    return [BY_HAND[name], *([OTHERWISE[name]] if name in OTHERWISE else [])]


FORBIDDEN: Sequence[Sequence[str]] = ((), ("enable_nestloop", "enable_mergejoin"))


def hand(sql: str, forbidden: Sequence[str], patience: timedelta) -> int | None:
    """Return the answer by hand, as somebody at a prompt would get it; a way that takes four times as long is none."""
    from campaigns.segmenting.statements import OutOfTime, limited

    try:
        with limited(patience, everybody=False) as cursor:
            cursor.execute(TABLES)
            for name in forbidden:
                cursor.execute(f"SET LOCAL {name} = off")
            cursor.execute(sql, {"now": NOW})
            return int(cursor.fetchone()[0])
    except OutOfTime:
        return None


def timed(work: Callable[[], Any]) -> Taken:
    """Return what a question took; the first one of a connection is not for measuring."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (session,) = cursor.fetchone()
    worked, began = worked_by(session), time.perf_counter()
    answer = work()
    return Taken(answer=answer, wall=time.perf_counter() - began, work=worked_by(session) - worked)


def worked_by(session: int) -> float:
    """Return the seconds that a session's process worked, those of this process, and of workers that have ended."""
    stat = fields(session)
    ended = fields(int(stat[1]))  # the server's own process, which waits for workers
    ticks = sum(map(int, stat[11:13])) + sum(map(int, ended[13:15]))
    return ticks / os.sysconf("SC_CLK_TCK") + time.process_time()


def fields(process: int) -> list[str]:
    """Return what ``/proc`` says of a process, from its state on (proc(5))."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
