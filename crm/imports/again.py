"""One row of a file that was refused, tried again. Loads Polars."""

from datetime import datetime

import orjson
import polars as pl
from django.db import transaction

from crm import partitions
from crm.imports.files import Piece
from crm.imports.job import checked
from crm.imports.mapping import Mapping
from crm.imports.writing import Repeats, Writer, bisected
from crm.models import JobRun, RejectedEvent

NO_REPEATS = Repeats.of(pl.Series(dtype=pl.UInt64), pl.Series(dtype=pl.Int64))


def replay_row(rejected: RejectedEvent, job: JobRun, *, now: datetime) -> bool:
    """Write the row as its job's mapping reads it; False if it is refused again (its reason is the new one)."""
    mapping = Mapping(**job.parameters["mapping"])
    row = _row(rejected)
    if row is None:
        return False  # its line was no row at all
    piece = Piece(
        rows=pl.DataFrame([row], dict.fromkeys(row, pl.String)),
        lines=pl.Series([rejected.index], dtype=pl.Int64),
        then={},
    )
    ready = checked(piece, mapping, rejected.source_id, NO_REPEATS, now)
    field, reason = (ready.refused[0][1], ready.refused[0][2]) if ready.refused else ("", "")
    with transaction.atomic():
        waiting = RejectedEvent.objects.select_for_update().filter(pk=rejected.pk, replayed_at__isnull=True)
        if not waiting.exists():
            return False
        if not reason:
            reason = _written(Writer(source=rejected.source, now=now), mapping.what, ready.rows)
        facts = {"field": field[:100], "reason": reason[:300]} if reason else {"replayed_at": now}
        RejectedEvent.objects.filter(pk=rejected.pk).update(**facts)
    rejected.refresh_from_db()
    return not reason


def _written(writer: Writer, what: str, rows: pl.DataFrame) -> str:
    """Write the row, and return why it cannot be, or nothing."""
    if what == "events":
        rows = writer.prepare_events(rows)
        partitions.ensure(partitions.months_of(rows["occurred_at"].dt.replace_time_zone("UTC")))
    _, refused = bisected(rows, getattr(writer, what))
    refused = [*refused, *writer.taken_refusals()]
    return refused[0][1] if refused else ""


def _row(rejected: RejectedEvent) -> dict[str, str | None] | None:
    try:
        found = orjson.loads(rejected.payload)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) and found else None
