"""What a campaign's report is made of, counted in the database: sums over groups of people, never a person.

Everybody who was assigned counts in the group that she was assigned to, reached or not: only those groups are alike by
chance alone. A person counts once in each run, from the first time she was assigned; of profiles that were merged
since, the one that was kept says which group. Whose data are restricted counts nowhere.

Refunds within the window take from the revenue. Clicks by machines are left out, and opens are not read at all.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from campaigns.models import Campaign, Figures, Run
from crm.models import Event

HISTORY = timedelta(days=28)  # of what people did before, at least; as long as the attribution window if that is longer
MONEY = (Event.Kind.PURCHASE.value, Event.Kind.REFUND.value)
DROP = "DROP TABLE IF EXISTS report_merged, report_person, report_outcome"

# The end of each chain of merges; UNION ends even a circle, which no constraint can forbid.
MERGED = """
CREATE TEMP TABLE report_merged ON COMMIT DROP AS
WITH RECURSIVE step (id, person) AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias WHERE undone_at IS NULL
    UNION
    SELECT step.id, next.canonical_id FROM step
    JOIN crm_profilealias AS next ON next.duplicate_id = step.person AND next.undone_at IS NULL
)
SELECT id, person FROM step WHERE NOT EXISTS (
    SELECT FROM crm_profilealias AS next WHERE next.duplicate_id = step.person AND next.undone_at IS NULL
)
"""

PEOPLE = """
CREATE TEMP TABLE report_person ON COMMIT DROP AS
SELECT DISTINCT ON (sent.run_id, person) sent.run_id, coalesce(merged.person, sent.profile_id) AS person,
       sent.variant_id, sent.channel, sent.planned_at AS at
FROM campaigns_delivery AS sent
LEFT JOIN report_merged AS merged ON merged.id = sent.profile_id
WHERE sent.run_id = ANY(%(runs)s) AND sent.planned_at <= %(now)s
  AND (sent.variant_id IS NOT NULL OR (sent.status = 'held_out' AND sent.reason = ''))
  AND NOT EXISTS (
      SELECT FROM crm_profile AS barred
      WHERE barred.restricted_at IS NOT NULL AND barred.id IN (sent.profile_id, merged.person)
  )
ORDER BY sent.run_id, person, (merged.id IS NULL) DESC, sent.planned_at, sent.id
"""

# Names a person who did nothing too. The bounds spare the partitions outside of them.
OUTCOMES = """
CREATE TEMP TABLE report_outcome ON COMMIT DROP AS
WITH done AS (
    SELECT one.run_id, one.person,
           min(event.occurred_at) FILTER (WHERE event.occurred_at >= one.at AND {goal}) AS reached_at,
           bool_or(event.occurred_at < one.at AND {goal}) AS reached_before,
           sum({money}) FILTER (WHERE event.occurred_at >= one.at) AS value,
           sum({money}) FILTER (WHERE event.occurred_at < one.at) AS value_before
    FROM crm_event AS event
    LEFT JOIN report_merged AS merged ON merged.id = event.profile_id
    JOIN report_person AS one ON one.person = coalesce(merged.person, event.profile_id)
    WHERE event.kind = ANY(%(kinds)s) AND event.occurred_at >= %(from)s AND event.occurred_at < %(until)s
      AND event.occurred_at <= %(now)s
      AND event.occurred_at >= one.at - %(history)s AND event.occurred_at < one.at + %(window)s
    GROUP BY one.run_id, one.person
)
SELECT one.*, done.reached_at, (done.reached_at IS NOT NULL)::int AS y, coalesce(done.reached_before, false)::int AS x,
       coalesce(done.value, 0)::float8 AS value, coalesce(done.value_before, 0)::float8 AS value_before
FROM report_person AS one LEFT JOIN done USING (run_id, person)
"""
GOAL = "event.kind = %(goal)s AND (%(goal_name)s = '' OR event.name = %(goal_name)s)"
TAKEN = (
    "CASE WHEN event.currency NOT IN ('', %(currency)s) THEN 0"
    " WHEN event.kind = 'refund' THEN -abs(event.value) WHEN event.kind = 'purchase' THEN event.value ELSE 0 END"
)

GROUPS = """
SELECT run_id, variant_id, count(*), sum(y), sum(y), sum(x), sum(x), sum(x * y),
       sum(value), sum(value * value), sum(value_before), sum(value_before * value_before), sum(value * value_before)
FROM report_outcome GROUP BY run_id, variant_id ORDER BY run_id, variant_id NULLS FIRST
"""
FUNNEL = """
WITH clicked AS (
    SELECT DISTINCT event.properties ->> 'delivery' AS delivery FROM crm_event AS event
    WHERE event.kind = 'clicked' AND event.session = ANY(%(sessions)s) AND event.properties ->> 'automatic' IS NULL
      AND event.occurred_at >= %(since)s AND event.occurred_at <= %(now)s
)
SELECT sent.variant_id, sent.channel, count(*),
       count(*) FILTER (WHERE sent.status IN ('accepted', 'delivered', 'bounced')),
       count(*) FILTER (WHERE sent.status = 'delivered'), count(*) FILTER (WHERE sent.status = 'bounced'),
       count(*) FILTER (WHERE sent.status = 'failed'),
       count(*) FILTER (WHERE sent.status IN ('unknown', 'calling')), count(clicked.delivery),
       coalesce(sum(sent.cost), 0)::float8
FROM campaigns_delivery AS sent LEFT JOIN clicked ON clicked.delivery = sent.id::text
WHERE sent.run_id = ANY(%(runs)s) AND sent.variant_id IS NOT NULL
GROUP BY sent.variant_id, sent.channel ORDER BY sent.variant_id, sent.channel
"""
CONVERTED = """
SELECT variant_id, channel, sum(y) FROM report_outcome WHERE variant_id IS NOT NULL GROUP BY variant_id, channel
"""
REASONS = """
SELECT status, reason, count(*) FROM campaigns_delivery
WHERE run_id = ANY(%(runs)s) AND reason <> '' GROUP BY status, reason ORDER BY count(*) DESC, status, reason
"""
# Of each group, how many reached the goal for the first time on which day after they were assigned.
DAYS = """
SELECT variant_id IS NULL, floor(extract(epoch FROM reached_at - at) / 86400)::int, count(*)
FROM report_outcome WHERE reached_at IS NOT NULL GROUP BY 1, 2 ORDER BY 1, 2
"""
CLICKS = """
SELECT event.properties ->> 'link', coalesce(event.properties ->> 'device', ''),
       count(DISTINCT event.properties ->> 'delivery')
FROM crm_event AS event
WHERE event.kind = 'clicked' AND event.session = ANY(%(sessions)s) AND event.properties ->> 'automatic' IS NULL
  AND event.occurred_at >= %(since)s AND event.occurred_at <= %(now)s
GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 200
"""


def count(campaign: Campaign, now: datetime) -> Figures:
    """Count everything anew and keep it."""
    runs = list(campaign.runs.values_list("pk", flat=True))
    with transaction.atomic(), connection.cursor() as cursor:
        counted = _counted(cursor, campaign, runs, now)
    kept, _ = Figures.objects.update_or_create(campaign=campaign, defaults={"counted": counted, "made_at": now})
    return kept


def of(campaign: Campaign, now: datetime) -> Figures:
    """Return what was counted last, or count now if nothing was yet."""
    return Figures.objects.filter(campaign=campaign).first() or count(campaign, now)


def refresh(now: datetime) -> int:
    """Count anew for all campaigns for whose people the attribution window was still open; return for how many."""
    done = 0
    for campaign in Campaign.objects.filter(runs__planned_at__lte=now).distinct().select_related("figures"):
        told = getattr(campaign, "figures", None)
        if told is None or campaign.status in Campaign.LIVE or told.made_at < closes(campaign) + HISTORY:
            count(campaign, now)
            done += 1
    return done


def closes(campaign: Campaign) -> datetime:
    """Return when the window of the run that was planned last is over."""
    planned = [at for at in campaign.runs.values_list("planned_at", flat=True) if at]
    return max(planned, default=campaign.created_at) + campaign.attribution_window


def _counted(cursor: Any, campaign: Campaign, runs: Sequence[Any], now: datetime) -> dict[str, Any]:
    cursor.execute(DROP)
    cursor.execute(MERGED)
    cursor.execute(PEOPLE, {"runs": runs, "now": now})
    cursor.execute("SELECT min(at), max(at) FROM report_person")
    first, last = cursor.fetchone()
    asked = _asked(campaign, runs, first or now, last or now, now)
    asked["currency"], others = _currency(cursor, asked)
    cursor.execute("ANALYZE report_merged; ANALYZE report_person")
    cursor.execute(OUTCOMES.format(goal=f"({GOAL})", money=TAKEN), asked)
    groups = list(_rows(cursor, GROUPS, asked))
    return {
        "currency": asked["currency"],
        "other_currencies": others,
        "closes_at": closes(campaign).isoformat(),
        "groups": [_group(row) for row in groups],
        "funnel": [list(row) for row in _rows(cursor, FUNNEL, asked)],
        "converted": [list(row) for row in _rows(cursor, CONVERTED, asked)],
        "reasons": [list(row) for row in _rows(cursor, REASONS, asked)],
        "days": [list(row) for row in _rows(cursor, DAYS, asked)],
        "clicks": [list(row) for row in _rows(cursor, CLICKS, asked)],
    }


def _asked(campaign: Campaign, runs: Sequence[Any], first: datetime, last: datetime, now: datetime) -> dict[str, Any]:
    history = max(campaign.attribution_window, HISTORY)
    return {
        "runs": runs,
        "sessions": [str(run) for run in runs],
        "now": now,
        "since": first,
        "from": first - history,
        "until": last + campaign.attribution_window,
        "history": history,
        "window": campaign.attribution_window,
        "goal": campaign.goal,
        "goal_name": campaign.goal_name,
        "kinds": sorted({*MONEY, campaign.goal}),
    }


def _currency(cursor: Any, asked: dict[str, Any]) -> tuple[str, int]:
    """Return the currency most purchases were paid in, and how many were paid in another: sums know one only."""
    cursor.execute(
        "SELECT currency, count(*) FROM crm_event WHERE kind = 'purchase' AND currency <> ''"
        " AND occurred_at >= %(from)s AND occurred_at < %(until)s GROUP BY currency ORDER BY 2 DESC, 1",
        asked,
    )
    found = cursor.fetchall()
    return (found[0][0], sum(number for _, number in found[1:])) if found else (settings.CURRENCY, 0)


def _rows(cursor: Any, statement: str, asked: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    cursor.execute(statement, asked)
    yield from cursor.fetchall()


def _group(row: Sequence[Any]) -> dict[str, Any]:
    run, variant, people, *sums = row
    names = ("y", "yy", "x", "xx", "xy")
    return {
        "run": str(run),
        "variant": variant,
        "people": people,
        "goal": dict(zip(names, map(float, sums[:5]), strict=True)),
        "value": dict(zip(names, map(float, sums[5:]), strict=True)),
    }


def planned_shares(campaign: Campaign) -> dict[str, dict[str, Any]]:
    """Return what each run's people were assigned by."""
    return {str(pk): shares for pk, shares in Run.objects.filter(campaign=campaign).values_list("pk", "shares")}
