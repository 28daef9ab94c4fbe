"""What became of messages is told to the event log, in batches, once for each thing that became of one."""

from collections.abc import Iterator, Sequence
from datetime import datetime

import orjson
from django.db import transaction

from campaigns import outgoing
from campaigns.models import Delivery
from campaigns.runs.planning import source
from crm import ingest
from crm.models import Event

BATCH = 1000
MOST = 100_000  # in one go; the next tick goes on
Status = Delivery.Status
# By status: what has happened by then, the first of them when it was handed over, the last when it ended.
KINDS = {
    Status.ACCEPTED: (Event.Kind.SENT,),
    Status.DELIVERED: (Event.Kind.SENT, Event.Kind.DELIVERED),
    Status.BOUNCED: (Event.Kind.SENT, Event.Kind.BOUNCED),
    Status.FAILED: (Event.Kind.FAILED,),
}


def tell_log(now: datetime) -> int:
    """Write the events of all deliveries whose status the log does not know; return of how many deliveries."""
    done = 0
    while done < MOST and (told := _tell_some(now)):
        done += told
    return done


def _tell_some(now: datetime) -> int:
    with transaction.atomic():
        waiting = Delivery.objects.filter(logged=False).exclude(status__in=Delivery.OPEN).order_by("pk")
        rows = list(waiting.select_for_update(of=("self",), skip_locked=True).select_related("run__campaign")[:BATCH])
        events = [event for row in rows for event in _events(row, now)]
        ingest.record_many(source(), events, now=now)
        outgoing.tell([fact for row in rows for fact in outgoing.of_delivery(row, now)], now)
        Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(logged=True)
    return len(rows)


def _events(row: Delivery, now: datetime) -> Iterator[ingest.NewEvent]:
    kinds: Sequence[Event.Kind] = KINDS.get(Status(row.status), ())
    for kind in kinds:
        first = kind == Event.Kind.SENT
        yield ingest.NewEvent(
            kind=kind.value,
            profile_id=row.profile_id,
            occurred_at=(row.called_at if first else row.ended_at) or now,
            received_at=now,
            message_id=f"{row.pk}:{kind}",
            name=row.run.campaign.name if row.run else "",
            session=str(row.occasion),
            channel=row.channel,
            properties=properties(row),
        )


def properties(row: Delivery, **more: object) -> str:
    """Return what an event tells of its delivery, as JSON."""
    facts = {
        "campaign": row.run.campaign_id if row.run else None,
        "variant": row.variant_id,
        "delivery": str(row.pk),
        "reason": row.reason or None,
    }
    return orjson.dumps({key: value for key, value in (facts | more).items() if value is not None}).decode()
