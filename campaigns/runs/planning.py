"""A run is planned: each person of the audience gets one row that says what is sent to her when, or why nothing is.

A piece of the audience is written in one transaction, rows and *assigned* events together, by COPY. So a plan that was
cut off is planned again and leaves out whoever has a row of the run: whichever channel would reach her by now. While a
piece is written, the next one is decided on: most of both is PostgreSQL's work, in two of its processes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import chain, islice
from secrets import token_hex
from typing import TYPE_CHECKING

import numpy as np
import orjson
from django.db import connection, transaction
from django.db.models import Count

from campaigns import bell
from campaigns.guarding import guardrails
from campaigns.keys import delivery_id, delivery_ids, run_id
from campaigns.models import Campaign, Delivery, Run
from campaigns.reach.audience import Profiles
from campaigns.runs import deciding, earlier, experiments
from campaigns.runs.deciding import Decisions
from campaigns.runs.rehearsing import DryRun, rehearse
from campaigns.wechat.allowances import Spread
from crm import ingest
from crm.copying import copy_frame, int_array
from crm.keys import message_keys
from crm.locks import only_one
from crm.models import Event, Source

if TYPE_CHECKING:  # web processes import this module and must not load Polars
    import polars as pl

__all__ = ["DryRun", "begin", "decide", "plan", "rehearse", "source", "write"]

SOURCE = "Zhiyin campaigns"
PIECE = 20_000
LIVING = """
SELECT string_agg(int8send(id), '') FROM (
    SELECT id FROM crm_profile WHERE id = ANY (%s::bigint[]) ORDER BY id FOR KEY SHARE
) AS living
"""
PATIENCE = 5.0  # seconds for somebody else who plans the same run


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


def plan(run: Run, audience: Iterable[Sequence[int]], now: datetime) -> Run:
    """Plan a run for the canonical profiles that come in pieces, each profile once, and open it for sending.

    Raises
    ------
    crm.locks.Busy
        Somebody else is planning it.
    """
    with only_one(f"planning of {run.pk}", patience=PATIENCE):
        decided = _decided(run, audience, now)
        if connection.in_atomic_block:  # of the caller, who wants all or nothing
            for one in decided:
                _write(run, one, now)
        else:
            _write_behind(run, decided, now)
        _open(run, now)
    run.refresh_from_db()
    return run


def _decided(run: Run, audience: Iterable[Sequence[int]], now: datetime) -> Iterator[Decisions]:
    begun = run.deliveries.exists() or earlier.ran(run)
    spread = Spread(run.campaign, run.starts_at, now)
    for piece in _pieces(audience):
        fresh = _without_row(run, piece) if begun else piece
        if fresh:
            yield deciding.decide(run, fresh, now, spread)


def _write_behind(run: Run, decided: Iterator[Decisions], now: datetime) -> None:
    """Write each piece by a thread with a connection of its own; what failed there fails here, a piece later."""
    with ThreadPoolExecutor(1, thread_name_prefix="plan") as pool:
        written: Future[None] | None = None
        try:
            for one in decided:
                if written:
                    written.result()
                written = pool.submit(_write, run, one, now)
            if written:
                written.result()
        finally:
            pool.submit(_hang_up)


def _hang_up() -> None:
    connection.close()  # of the thread that this runs in


def decide(run: Run, profiles: Sequence[int], now: datetime) -> list[Delivery]:
    """Return what becomes of each profile in this run, as rows; nothing is written."""
    return [
        Delivery(
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
            expires_at=expiry(run.campaign, due),
        )
        for profile, channel, variant, status, reason, due in deciding.decide(run, profiles, now).rows()
    ]


def expiry(campaign: Campaign, due: datetime) -> datetime:
    """Return when a message is of no use any more; a campaign's end is the end of all its messages."""
    expires = due + campaign.message_expires_after
    return min(expires, campaign.ends_at) if campaign.ends_at else expires


def write(run: Run, rows: Sequence[Delivery], now: datetime) -> None:
    """Write rows of several occasions, and tell the log who was assigned what; what stands already stays."""
    import polars as pl  # noqa: PLC0415

    if not rows:
        return
    names = ("occasion", "profile_id", "channel", "variant_id", "status", "reason")
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    columns["occasion"] = [str(occasion) for occasion in columns["occasion"]]
    with transaction.atomic():
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)
        _tell(run, pl.DataFrame(columns, schema_overrides={"variant_id": pl.Int64}), now)
        transaction.on_commit(bell.ring, robust=True)


def _pieces(audience: Iterable[Sequence[int]]) -> Iterable[list[int]]:
    people = chain.from_iterable(audience)
    while piece := list(islice(people, PIECE)):
        yield piece


def _without_row(run: Run, piece: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT profile_id FROM campaigns_delivery WHERE occasion = %s AND profile_id = ANY (%s::bigint[])",
            [run.pk, int_array(piece)],
        )
        done = {profile for (profile,) in cursor.fetchall()}
    if earlier.ran(run):
        done |= earlier.had(run, piece)
    return [profile for profile in piece if profile not in done] if done else list(piece)


def _open(run: Run, now: datetime) -> None:
    counts = {
        f"{status}:{reason}" if reason else status: number
        for status, reason, number in run.deliveries.order_by()
        .values_list("status", "reason")
        .annotate(number=Count("pk"))
    }
    with transaction.atomic():
        # The campaign's row before the run's, as who cancels takes them.
        guardrails.check_audience(run, sum(counts.values()), now)
        Run.objects.filter(pk=run.pk, status=Run.Status.PLANNING).update(
            status=Run.Status.SENDING, counts=counts, planned_at=now
        )
        transaction.on_commit(bell.ring, robust=True)


@transaction.atomic
def _write(run: Run, decided: Decisions, now: datetime) -> None:
    """Write rows and events of a piece; whoever was erased since the audience was read is left out."""
    import polars as pl  # noqa: PLC0415

    decided = decided.keep(_living(decided.profiles))
    channels = decided.channels.tolist()
    frame = pl.DataFrame(
        {
            "id": delivery_ids(run.pk, decided.profiles.tolist(), channels),
            "variant_id": pl.Series(decided.variants).replace(0, None),
            "profile_id": decided.profiles,
            "channel": channels,
            "status": decided.statuses.tolist(),
            "reason": decided.reasons.tolist(),
            "due_at": decided.due,
        }
    ).with_columns(
        occasion=pl.lit(str(run.pk)),
        run_id=pl.lit(str(run.pk)),
        attempt=pl.lit(0),
        provider_id=pl.lit(""),
        logged=pl.col("status") != Delivery.Status.QUEUED.value,
        planned_at=pl.lit(_naive(now)),
        expires_at=pl.min_horizontal(
            pl.col("due_at") + run.campaign.message_expires_after,
            pl.lit(_naive(run.campaign.ends_at) if run.campaign.ends_at else None, dtype=pl.Datetime("us")),
        ),
    )
    with connection.cursor() as cursor:
        copy_frame(cursor, "campaigns_delivery", frame, never_null=("reason", "provider_id"))
    _tell(run, frame, now)


def _living(profiles: Profiles) -> Profiles:
    """Return who still is there, and stays until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(LIVING, [int_array(profiles.tolist())])
        return np.frombuffer(bytes(cursor.fetchone()[0] or b""), ">i8").astype(np.int64)


def _tell(run: Run, frame: "pl.DataFrame", now: datetime) -> None:
    """Write who was assigned what, with which probability: treated and held out alike, so the log alone can judge."""
    import polars as pl  # noqa: PLC0415

    house, moment = source(), _naive(now)
    told = frame.filter((pl.col("status") != Delivery.Status.SUPPRESSED.value) & (pl.col("reason") == ""))
    if told.is_empty():
        return
    named = zip(told["occasion"].to_list(), told["profile_id"].to_list(), strict=True)
    keys = message_keys(house.pk, (f"{occasion}:{profile}" for occasion, profile in named))
    events = told.select("profile_id", "channel", "variant_id").with_columns(
        kind=pl.lit(Event.Kind.ASSIGNED.value),
        name=pl.lit(run.campaign.name),
        session=pl.lit(str(run.pk)),
        occurred_at=pl.lit(moment),
        received_at=pl.lit(moment),
        properties=pl.col("variant_id").fill_null(0).replace_strict(_properties(run), return_dtype=pl.String),
        key_hi=pl.Series(keys[:, 0]),
        key_lo=pl.Series(keys[:, 1]),
    )
    ingest.record_frame(house, events, now=now)


def _properties(run: Run) -> Mapping[int, str]:
    """Return what the event says, by variant; 0 is held out."""
    shares = experiments.Shares.from_json(run.shares)
    held_out: list[tuple[int | None, float]] = [(None, shares.holdout)]
    return {
        variant or 0: orjson.dumps({"campaign": run.campaign_id, "variant": variant, "propensity": share}).decode()
        for variant, share in held_out + list(shares.variants.items())
    }


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def source() -> Source:
    """Return the source under which this package writes events."""
    return Source.objects.get_or_create(name=SOURCE, defaults={"kind": Source.Kind.SYSTEM})[0]
