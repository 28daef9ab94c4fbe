"""A run is planned: each person of the audience gets one row that says what is sent to her when, or why nothing is.

Rows are keyed by run, profile and channel, and *assigned* events by run and profile, so a plan that was cut off is
planned again and adds only what is missing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from io import StringIO
from secrets import token_hex

import numpy as np
import orjson
from django.db import connection, transaction
from django.db.models import Count
from django.utils.timezone import get_default_timezone

from campaigns import experiments, policies, quiet
from campaigns.audience import Reach, Reason, reach
from campaigns.keys import delivery_id, run_id
from campaigns.models import Campaign, Delivery, Run
from crm import copying, ingest
from crm.models import Event, Source

PIECE = 10_000
SOURCE = "Zhiyin campaigns"
COLUMNS = (
    *("id", "occasion", "run_id", "variant_id", "profile_id", "channel", "status", "reason", "attempt", "provider_id"),
    *("logged", "planned_at", "due_at", "expires_at"),
)
STAGE = "CREATE TEMP TABLE IF NOT EXISTS staged_delivery (LIKE campaigns_delivery INCLUDING DEFAULTS) ON COMMIT DROP"


def begin(campaign: Campaign, key: str, starts_at: datetime) -> Run:
    """Return the campaign's run of this key, made now unless it was before; shares and the rule are frozen."""
    made = Run(
        pk=run_id(campaign.pk, key),
        campaign=campaign,
        key=key,
        segment_version=campaign.segment.current,
        salt=token_hex(8),
        shares=experiments.shares(campaign).to_json(),
        starts_at=starts_at,
    )
    Run.objects.bulk_create([made], ignore_conflicts=True)
    return Run.objects.select_related("campaign__purpose", "campaign__segment").get(pk=made.pk)


def plan(run: Run, audience: Iterator[Sequence[int]], now: datetime) -> Run:
    """Write the rows and the *assigned* events of everybody in the audience, a piece at a time, and open the run.

    ``audience`` yields the canonical profiles in pieces (``campaigns.segments``), each profile once.
    """
    for piece in audience:
        with transaction.atomic():
            rows = decide(run, piece, now)
            _write(rows)
            _tell(run, rows, now)
    counts = {
        f"{status}:{reason}" if reason else status: number
        for status, reason, number in run.deliveries.order_by()
        .values_list("status", "reason")
        .annotate(number=Count("pk"))
    }
    Run.objects.filter(pk=run.pk, status=Run.Status.PLANNING).update(
        status=Run.Status.SENDING, counts=counts, planned_at=now
    )
    run.refresh_from_db()
    return run


def write(run: Run, rows: Sequence[Delivery], now: datetime) -> None:
    """Write what was decided, and tell the log who was assigned what; what stands already stays."""
    if rows:
        with transaction.atomic():
            _write(rows)
            _tell(run, rows, now)


def decide(run: Run, profiles: Sequence[int], now: datetime) -> list[Delivery]:
    """Return what becomes of each profile in this run; nothing is written."""
    campaign, policy = run.campaign, policies.policy()
    channels = reach(profiles, campaign.channels, campaign.purpose, now)
    ids = np.asarray(profiles, np.int64)
    kept = experiments.kept_from_all(policy.salt, float(policy.holdout), ids)
    shares = experiments.Shares.from_json(run.shares)
    places = experiments.assign(run.salt, shares, ids)
    variants = [None, *shares.variants]
    due = quiet.allowed_from(max(run.starts_at, now), get_default_timezone(), policy)
    return [
        _row(run, profile, channels[profile], variants[place], permanent=permanent, due=due, now=now)
        for profile, place, permanent in zip(profiles, places.tolist(), kept.tolist(), strict=True)
    ]


def _row(
    run: Run, profile: int, reached: Reach, variant: int | None, *, permanent: bool, due: datetime, now: datetime
) -> Delivery:
    channel = reached.channel or run.campaign.channels[0]
    status, reason = Delivery.Status.QUEUED, ""
    if not reached.channel:
        status, reason, variant = Delivery.Status.SUPPRESSED, reached.reason, None
    elif permanent:
        status, reason, variant = Delivery.Status.HELD_OUT, Reason.PERMANENT_HOLDOUT.value, None
    elif variant is None:
        status = Delivery.Status.HELD_OUT
    return Delivery(
        pk=delivery_id(run.pk, profile, channel),
        occasion=run.pk,
        run=run,
        variant_id=variant,
        profile_id=profile,
        channel=channel,
        status=status,
        reason=reason,
        logged=status != Delivery.Status.QUEUED,
        planned_at=now,
        due_at=due,
        expires_at=due + run.campaign.message_expires_after,
    )


def _write(rows: Sequence[Delivery]) -> None:
    lines = ["\t".join(_text(getattr(row, name)) for name in COLUMNS) for row in rows]
    names = ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(STAGE)
        copying.copy(cursor, f"COPY staged_delivery ({names}) FROM STDIN", StringIO("\n".join(lines) + "\n"))
        cursor.execute(
            f"INSERT INTO campaigns_delivery ({names}) SELECT {names} FROM staged_delivery ON CONFLICT DO NOTHING"  # noqa: S608
        )
        cursor.execute("TRUNCATE staged_delivery")


def _text(value: object) -> str:
    return r"\N" if value is None else str(value)


def _tell(run: Run, rows: Sequence[Delivery], now: datetime) -> None:
    """Write who was assigned what, with which probability: treated and held out alike, so the log alone can judge."""
    assigned = [row for row in rows if row.status != Delivery.Status.SUPPRESSED and not row.reason]
    shares = experiments.Shares.from_json(run.shares)
    events = [
        ingest.NewEvent(
            kind=Event.Kind.ASSIGNED.value,
            profile_id=row.profile_id,
            occurred_at=now,
            received_at=now,
            message_id=f"{run.pk}:{row.profile_id}",
            name=run.campaign.name,
            session=str(run.pk),
            channel=row.channel,
            properties=orjson.dumps(
                {
                    "campaign": run.campaign_id,
                    "variant": row.variant_id,
                    "propensity": shares.variants[row.variant_id] if row.variant_id else shares.holdout,
                }
            ).decode(),
        )
        for row in assigned
    ]
    ingest.record_many(source(), events, now=now)


def source() -> Source:
    """Return the source under which this package writes events."""
    return Source.objects.get_or_create(name=SOURCE, defaults={"kind": Source.Kind.SYSTEM})[0]
