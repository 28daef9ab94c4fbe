"""The report of a large campaign, opened as it is in life: just after it was planned, and while it is live.

``REPORT_PEOPLE`` people (1 M unless told otherwise), a tenth of them held out; three purchases a person around the
assignment, a message assigned, sent and delivered to each, a third of them opened and one of twenty clicked. A worker
counts when the campaign was planned, and keeps up every minute; a page that is opened takes in the last minute: 30,000
messages that left, of which 1,500 were clicked, and 2,000 purchases. The whole count is of everything, from nothing;
its yardstick is the same database reading both tables once, which no count could do without.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from tests.benchmarks.databases import fresh_database, set_up

PEOPLE = int(os.environ.get("REPORT_PEOPLE", "1000000"))
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
SENT = NOW - timedelta(days=18)
MINUTE = timedelta(minutes=1)
A_MINUTE = min(30_000, PEOPLE // 10)  # messages that leave in one: 500 a second
MOST = 2.0  # seconds

PEOPLE_SQL = "INSERT INTO crm_profile ({columns}) SELECT {columns} FROM crm_profile, generate_series(2, %(people)s)"
PURCHASES = """
    INSERT INTO crm_event (id, source_id, profile_id, kind, value, currency, sealed, occurred_at, received_at)
    SELECT gen_random_uuid(), %(source)s, id, 'purchase', 10 + {number}, 'CNY', ''::bytea,
           %(sent)s + {sign} * abs(hashint8(id * 3 + {number}) %% 16) * interval '1 day' + {sign} * interval '1 second',
           %(sent)s
    FROM crm_profile
"""
PLANNED = (
    """
    INSERT INTO campaigns_delivery (id, occasion, run_id, variant_id, profile_id, channel, status, reason, attempt,
        provider_id, planned_at, due_at, expires_at, logged)
    SELECT gen_random_uuid(), %(run)s, %(run)s, CASE WHEN held THEN NULL ELSE %(variant)s END, id, 'email',
        CASE WHEN held THEN 'held_out' ELSE 'queued' END, '', 0, '', %(sent)s, %(sent)s, %(now)s, held
    FROM (SELECT id, hashint8(id) %% 10 = 0 AS held FROM crm_profile) AS drawn
    """,
    PURCHASES.format(number=0, sign=-1),
    PURCHASES.format(number=1, sign=-1),
    """
    INSERT INTO crm_event (id, source_id, profile_id, kind, session, channel, properties, sealed, occurred_at,
        received_at)
    SELECT gen_random_uuid(), %(source)s, profile_id, 'assigned', run_id::text, channel,
        jsonb_build_object('variant', variant_id, 'propensity', 0.9), ''::bytea, %(sent)s, %(sent)s
    FROM campaigns_delivery
    """,
    "ANALYZE crm_profile",
    "ANALYZE campaigns_delivery",
    "ANALYZE crm_event",
)
# So many of those that wait leave, and what becomes of it reaches the log at once.
LEAVES = (
    """
    WITH gone AS (
        UPDATE campaigns_delivery SET status = 'delivered', call = gen_random_uuid(), called_at = %(at)s, cost = 0.05,
            attempt = 1, ended_at = %(at)s, logged = true
        WHERE id IN (SELECT id FROM campaigns_delivery WHERE run_id = %(run)s AND status = 'queued'
                     ORDER BY due_at, id LIMIT %(messages)s)
        RETURNING id, profile_id, run_id, variant_id, channel
    )
    INSERT INTO crm_event (id, source_id, profile_id, kind, session, channel, properties, sealed, occurred_at,
        received_at)
    SELECT gen_random_uuid(), %(source)s, gone.profile_id, told.kind, gone.run_id::text, gone.channel,
        jsonb_strip_nulls(jsonb_build_object('variant', gone.variant_id, 'delivery', gone.id::text, 'link',
            CASE told.kind WHEN 'clicked' THEN 3 + gone.profile_id %% 3 END, 'device', 'mobile', 'automatic',
            CASE WHEN told.share > 1 AND gone.profile_id %% 10 = 0 THEN 'burst' END)), ''::bytea, %(at)s, %(at)s
    FROM gone, (VALUES ('sent', 1), ('delivered', 1), ('opened', 3), ('clicked', 20)) AS told (kind, share)
    WHERE hashint8(gone.profile_id * 11) %% told.share = 0
    """,
)
BOUGHT = """
    INSERT INTO crm_event (id, source_id, profile_id, kind, value, currency, sealed, occurred_at, received_at)
    SELECT gen_random_uuid(), %(source)s, id, 'purchase', 25, 'CNY', ''::bytea, %(at)s, %(at)s
    FROM crm_profile WHERE id %% (%(people)s / 2000 + 1) = %(minute)s
"""
READ = "SELECT count(*), (SELECT count(*) FROM crm_event WHERE value > 0) FROM campaigns_delivery WHERE status <> ''"


def run() -> list[dict[str, Any]]:
    """Return the seconds of pages that are opened, of what a worker does for them, and of the bare reading."""
    set_up()
    with fresh_database():
        from campaigns.admin import report_page
        from campaigns.models import Campaign, Figures
        from campaigns.reporting import figures, outcomes, reports

        campaign, asked = _planned()
        planned = _seconds(lambda: figures.count(campaign, SENT))
        report_page.about(reports.of(campaign, SENT))  # a web process has loaded what it needs, and its words
        _minute(asked, SENT + MINUTE, 1)
        first = _seconds(lambda: _open(campaign, SENT + MINUTE))
        _do(LEAVES, {**asked, "at": SENT + 2 * MINUTE, "messages": PEOPLE})
        _do((PURCHASES.format(number=2, sign=1), "ANALYZE crm_event"), asked)
        behind = _seconds(lambda: figures.refresh(NOW - MINUTE))
        Campaign.objects.filter(pk=campaign.pk).update(status="running")
        campaign.refresh_from_db()
        _minute(asked, NOW - MINUTE / 2, 2)
        again = _seconds(lambda: _open(campaign, NOW))
        showing = median(_seconds(lambda: reports.of(campaign, NOW)) for _ in range(20))
        kept = Figures.objects.get(pk=campaign.pk).counted
        outcomes.forget(campaign)
        reading = _seconds(_read)
        counting = _seconds(lambda: figures.count(campaign, NOW))
        anew = Figures.objects.get(pk=campaign.pk).counted
        assert anew | {"curves": kept["curves"]} == kept  # to the last digit
        assert reports.of(campaign, NOW).assigned == PEOPLE
    assert max(showing, first, again) < MOST, (showing, first, again)
    people = f"{PEOPLE:,} deliveries"
    return [
        _row(f"report as it is kept, {people}", showing),
        _row(f"report opened for the first time, a minute into the sending of {people}", first),
        _row(f"report opened while live, with the last minute of {people}", again),
        _row(f"count of a report by a worker when it was planned, {people}", planned, reading),
        _row(f"keeping up with all messages and {PEOPLE:,} purchases at once, {people}", behind, reading),
        _row(f"whole count of a report from nothing, {people}, {3 * PEOPLE:,} purchases", counting, reading),
    ]


def _row(name: str, seconds: float, reading: float | None = None) -> dict[str, Any]:
    told = f"reading both tables {reading:.2f} s" if reading else f"at most {MOST} s"
    ratio = seconds / (reading or MOST)
    return {"name": name, "value": round(seconds, 4), "unit": "s", "yardstick": told, "ratio": round(ratio, 4)}


def _open(campaign: Any, now: datetime) -> None:
    """Do what a request for the page does, but for drawing the page around it."""
    from campaigns.admin import report_page
    from campaigns.reporting import figures, reports

    assert figures.bring_up(campaign, now), "the page showed what was older than a minute"
    report_page.about(reports.of(campaign, now))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _minute(asked: dict[str, Any], at: datetime, minute: int) -> None:
    _do((*LEAVES, BOUGHT), {**asked, "at": at, "messages": A_MINUTE, "minute": minute})


def _do(statements: tuple[str, ...], asked: dict[str, Any]) -> None:
    from django.db import connection

    from crm.database_roles import as_owner

    with as_owner(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement, asked)


def _read() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(READ)


def _planned() -> tuple[Any, dict[str, Any]]:
    """Return a campaign that was planned and has sent nothing yet, with what its people bought before."""
    from campaigns.models import Run
    from campaigns.runs import planning
    from crm import partitions
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
    _do((PEOPLE_SQL.replace("{columns}", columns), *PLANNED), asked)
    return campaign, asked
