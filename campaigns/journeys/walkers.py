"""Somebody on the way, as she is being moved, and each step that she left: written, and told to the log."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from django.db import connection

from campaigns.journeys import figures, waits
from campaigns.journeys.graph import Step
from campaigns.models import JourneyEntry, Run
from campaigns.runs.planning import source
from crm import ingest
from crm.copying import int_array, moments, text_array
from crm.keys import message_keys
from crm.models import Event

Status = JourneyEntry.Status

WRITE = """
UPDATE campaigns_journeyentry e SET (status, reason, step, moves, step_at, due_at, ended_at)
    = ROW (told.status, told.reason, told.step, told.moves, told.step_at, told.due_at, told.ended_at)
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[], %s::timestamptz[],
            %s::timestamptz[]) AS told (id, status, reason, step, moves, step_at, due_at, ended_at)
WHERE e.id = told.id
"""


@dataclass(slots=True)
class Walker:
    """Somebody on the way, as she is being moved."""

    id: UUID
    profile: int
    version: int
    step: str
    moves: int
    entered_at: datetime
    step_at: datetime
    zone: ZoneInfo
    due_at: datetime
    status: str = Status.WALKING.value
    reason: str = ""
    ended_at: datetime | None = None

    @classmethod
    def of(cls, row: JourneyEntry, zone: ZoneInfo) -> Self:
        """Return somebody as her row has her."""
        return cls(
            row.pk, row.profile_id, row.version_id, row.step, row.moves, row.entered_at, row.step_at, zone, row.due_at,
            row.status, row.reason, row.ended_at,
        )  # fmt: skip

    def end(self, status: str, at: datetime, reason: str = "") -> None:
        """Let her go no further."""
        self.status, self.reason, self.ended_at, self.due_at = status, reason, at, at

    def stand(self, step: Step, at: datetime) -> None:
        """Let her stand at a step from now on, and go on when its wait is over."""
        self.status, self.reason, self.ended_at = Status.WALKING.value, "", None
        self.step, self.step_at, self.due_at = step.key, at, waits.until(step, at, self.zone)

    def leaves(self, outcome: str, to: str) -> "Moved":
        """Count the step that she leaves as behind her, and return what the log is told of it."""
        moved = Moved(self.id, self.profile, self.moves, self.version, self.step, outcome, to)
        self.moves += 1
        return moved


class Moved(NamedTuple):
    """A step that somebody left, what came of it, and the step she came to; none where the journey ended."""

    entry: UUID
    profile: int
    number: int
    version: int
    step: str
    outcome: str
    to: str


def write(walkers: Sequence[Walker]) -> None:
    """Write where people are now; the caller holds their rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            WRITE,
            [
                text_array(str(walker.id) for walker in walkers),
                text_array(walker.status for walker in walkers),
                text_array(walker.reason for walker in walkers),
                text_array(walker.step for walker in walkers),
                int_array(walker.moves for walker in walkers),
                text_array(moments(walker.step_at for walker in walkers)),
                text_array(moments(walker.due_at for walker in walkers)),
                text_array(walker.ended_at.isoformat() if walker.ended_at else None for walker in walkers),
            ],
        )


def tell(run: Run, moved: Sequence[Moved], now: datetime) -> None:
    """Tell the log which steps were left, each once, and count them."""
    import polars as pl  # noqa: PLC0415

    if not moved:
        return
    figures.tally(Counter((one.version, one.step, one.outcome) for one in moved))
    house, moment = source(), now.astimezone(UTC).replace(tzinfo=None)
    keys = message_keys(house.pk, (f"{one.entry}:{one.number}" for one in moved))
    properties: dict[tuple[int, str, str, str], str] = {}
    texts = []
    for one in moved:
        what = one.version, one.step, one.outcome, one.to
        if what not in properties:
            facts = dict(zip(("version", "step", "outcome", "to"), what, strict=True))
            properties[what] = orjson.dumps({"campaign": run.campaign_id} | facts).decode()
        texts.append(properties[what])
    frame = pl.DataFrame(
        {
            "profile_id": [one.profile for one in moved],
            "session": [str(one.entry) for one in moved],
            "properties": texts,
            "key_hi": pl.Series(keys[:, 0]),
            "key_lo": pl.Series(keys[:, 1]),
        }
    ).with_columns(
        kind=pl.lit(Event.Kind.JOURNEY_STEP.value),
        name=pl.lit(run.campaign.name),
        occurred_at=pl.lit(moment),
        received_at=pl.lit(moment),
    )
    ingest.record_frame(house, frame, now=now)
