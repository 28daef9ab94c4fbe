"""The report of a large campaign: shown from what was counted, and counted anew.

``REPORT_PEOPLE`` people (1 M unless told otherwise), a tenth of them held out, three purchases a person around the
assignment. The yardstick of counting is the same database reading both tables once, which no count could do without.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from tests.benchmarks.databases import fresh_database, set_up

PEOPLE = int(os.environ.get("REPORT_PEOPLE", "1000000"))
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SENT = NOW - timedelta(days=18)
MOST = 2.0  # seconds

FILL = (
    "INSERT INTO crm_profile ({columns}) SELECT {columns} FROM crm_profile, generate_series(2, %(people)s)",
    """
    INSERT INTO campaigns_delivery (id, occasion, run_id, variant_id, profile_id, channel, status, reason, attempt,
        provider_id, call, cost, planned_at, due_at, expires_at, called_at, logged)
    SELECT gen_random_uuid(), %(run)s, %(run)s, CASE WHEN held THEN NULL ELSE %(variant)s END, id, 'email',
        CASE WHEN held THEN 'held_out' ELSE 'delivered' END, '', 1, '', CASE WHEN held THEN NULL ELSE gen_random_uuid()
        END, 0.05, %(sent)s, %(sent)s, %(now)s, CASE WHEN held THEN NULL ELSE %(sent)s END, true
    FROM (SELECT id, hashint8(id) %% 10 = 0 AS held FROM crm_profile) AS drawn
    """,
    """
    INSERT INTO crm_event (id, source_id, profile_id, kind, value, currency, sealed, occurred_at, received_at)
    SELECT gen_random_uuid(), %(source)s, id, 'purchase', 10 + number, 'CNY', ''::bytea,
        %(sent)s + (hashint8(id * 3 + number) %% 16) * interval '1 day', %(sent)s
    FROM crm_profile, generate_series(0, 2) AS number
    """,
    "ANALYZE crm_profile",
    "ANALYZE campaigns_delivery",
    "ANALYZE crm_event",
)
READ = "SELECT count(*), (SELECT count(*) FROM crm_event WHERE value > 0) FROM campaigns_delivery WHERE status <> ''"


def run() -> list[dict[str, Any]]:
    """Return the seconds of the page's report and of a count, and of the bare reading."""
    set_up()
    with fresh_database():
        from campaigns import figures, reports

        campaign = _filled()
        reading = _seconds(_read)
        counting = _seconds(lambda: figures.count(campaign, NOW))
        showing = median(_seconds(lambda: reports.of(campaign, NOW)) for _ in range(20))
        report = reports.of(campaign, NOW)
        assert report.assigned == PEOPLE
        assert report.lift is not None
    assert showing < MOST, showing
    people = f"{PEOPLE:,} deliveries"
    return [
        {
            "name": f"report, {people}",
            "value": round(showing, 4),
            "unit": "s",
            "yardstick": f"at most {MOST} s",
            "ratio": round(showing / MOST, 4),
        },
        {
            "name": f"count of a report, {people}, {3 * PEOPLE:,} events",
            "value": round(counting, 2),
            "unit": "s",
            "yardstick": f"reading both tables {reading:.2f} s",
            "ratio": round(counting / reading, 1),
        },
    ]


def _seconds(work: Any) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _read() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(READ)


def _filled() -> Any:
    """Return a campaign with its people and what they bought."""
    from django.db import connection

    from campaigns import planning
    from campaigns.models import Run
    from crm import partitions
    from crm.database_roles import as_owner
    from crm.models import Profile
    from tests.campaigns import factories

    campaign = factories.campaign()
    made = planning.begin(campaign, "once", SENT)
    Run.objects.filter(pk=made.pk).update(status="sending", planned_at=SENT)
    partitions.ensure(partitions.months_of([SENT - timedelta(days=16), SENT, NOW]))
    Profile.objects.create(created_at=SENT, updated_at=SENT)
    columns = ", ".join(str(field.column) for field in Profile._meta.concrete_fields if not field.primary_key)
    asked: dict[str, Any] = {
        "people": PEOPLE,
        "sent": SENT,
        "now": NOW,
        "run": made.pk,
        "variant": campaign.variants.get().pk,
        "source": planning.source().pk,
    }
    with as_owner(), connection.cursor() as cursor:
        for statement in FILL:
            cursor.execute(statement.replace("{columns}", columns), asked)
    return campaign
