"""People enter a journey: each once for what let her in, one time at a time, held out by chance as of a campaign."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import orjson
from django.db import connection, transaction

from campaigns.journeys import places, waits, walking
from campaigns.journeys.graph import Graph
from campaigns.journeys.reasons import Reason, Refusal
from campaigns.keys import NAMESPACE
from campaigns.models import Journey, JourneyEntry, JourneyVersion, Run
from campaigns.reach import policies
from campaigns.runs import experiments
from campaigns.runs.planning import source
from campaigns.segmenting import segments
from crm import ingest
from crm.copying import copy_frame, int_array
from crm.keys import message_keys
from crm.merging import canonical_ids, members, pairs_of
from crm.models import Event, Profile

PIECE = 10_000
Status = JourneyEntry.Status

# Who may not enter: on the way, or in it before and not again, or not yet; by any profile that is read as her.
BEEN = """
SELECT DISTINCT asked.id FROM unnest(%(people)s::bigint[], %(members)s::bigint[]) AS asked (id, member)
JOIN campaigns_journeyentry e ON e.profile_id = asked.member AND e.run_id = ANY (%(runs)s::uuid[])
WHERE e.status = 'walking' OR %(never)s OR e.entered_at > %(since)s
"""


@dataclass(frozen=True, kw_only=True)
class Occasion:
    """What lets a person in: its key is the same however often it is told.

    ``at`` is when it happened: the first step's wait counts from then, also if we look hours later as nothing ran.
    """

    profile: int
    key: str
    at: datetime | None = None


def enter(run: Run, occasions: Sequence[Occasion], now: datetime) -> int:
    """Let in whom the journey's rules let in; return how many entered, those held out among them."""
    entered = 0
    rest = iter(occasions)
    while piece := list(islice(rest, PIECE)):
        with transaction.atomic():
            entered += _enter(run, piece, now)
    return entered


def _enter(run: Run, occasions: Sequence[Occasion], now: datetime) -> int:
    # One at a time: of two triggers within a moment the second sees what the first did.
    # Its version is read by a statement of its own: joined to a row that we had to wait for, it would be looked for
    # among what was there before, and nobody would be let in at the moment in which a version is put into use.
    journey = Journey.objects.select_for_update().get(pk=run.campaign_id)
    if journey.live is None or journey.draining:
        return 0
    meant = _first_of_each(occasions)
    meant = {person: meant[person] for person in sorted(_may(run, journey, list(meant), now))}
    zones = places.held(meant)
    if not zones:
        return 0
    graph = walking.graphs([journey.live.pk]).get(journey.live.pk)
    if graph is None:
        return 0
    rows = _new(_rows(run, journey.live, graph, {person: meant[person] for person in zones}, zones, now))
    if not rows:
        return 0
    _write(rows)
    _tell(run, journey.live, rows, now)
    return len(rows)


def _first_of_each(occasions: Sequence[Occasion]) -> dict[int, Occasion]:
    """Return the first occasion of each person, by her last canonical profile, as if it had happened with the last.

    The lines of one basket are many events: none of them is what she does after it.
    """
    person = canonical_ids(one.profile for one in occasions)
    found: dict[int, Occasion] = {}
    for one in occasions:
        first = found.setdefault(person[one.profile], one)
        if first.at and one.at and first.at < one.at:
            found[person[one.profile]] = replace(first, at=one.at)
    return found


def _may(run: Run, journey: Journey, people: list[int], now: datetime) -> set[int]:
    belonging = segments.among(segments.rule_of(run.campaign.segment), people, now)
    if not belonging:
        return set()
    asked, members = pairs_of(belonging)
    with connection.cursor() as cursor:
        cursor.execute(
            BEEN,
            {
                "people": int_array(asked),
                "members": int_array(members),
                "runs": list(run.campaign.runs.values_list("pk", flat=True)),
                "never": journey.again == Journey.Again.NEVER,
                "since": now - journey.again_after,
            },
        )
        return belonging - {person for (person,) in cursor.fetchall()}


def refusal(run: Run, person: int, now: datetime) -> Refusal:
    """Return why a canonical profile that was not let in was not."""
    journey = Journey.objects.get(pk=run.campaign_id)
    if journey.draining or journey.live_id is None:
        return Refusal.DRAINING
    if not Profile.objects.filter(pk=person).exists():
        return Refusal.UNKNOWN
    before = JourneyEntry.objects.filter(run__campaign=run.campaign_id, profile__in=members(person))
    if before.walking().exists():
        return Refusal.ON_THE_WAY
    if journey.again == Journey.Again.NEVER and before.exists():
        return Refusal.BEEN_BEFORE
    if before.filter(entered_at__gt=now - journey.again_after).exists():
        return Refusal.TOO_SOON
    return Refusal.NOT_MEANT


def _rows(
    run: Run,
    version: JourneyVersion,
    graph: Graph,
    people: Mapping[int, Occasion],
    zones: Mapping[int, ZoneInfo],
    now: datetime,
) -> list[JourneyEntry]:
    ids, policy = list(people), policies.policy()
    out = experiments.uniform(run.salt, ids) < float(run.campaign.holdout)
    kept = experiments.kept_from_all(policy.salt, float(policy.holdout), ids)
    first = graph.steps[graph.first]
    rows = []
    for person, is_out, is_kept in zip(ids, out.tolist(), kept.tolist(), strict=True):
        walks, at = not (is_out or is_kept), min(people[person].at or now, now)
        rows.append(
            JourneyEntry(
                pk=entry_id(run, people[person].key, person),
                run=run,
                version=version,
                profile_id=person,
                status=Status.WALKING if walks else Status.HELD_OUT,
                reason=Reason.PERMANENT_HOLDOUT if is_kept else "",
                step=graph.first if walks else "",
                entered_at=now,
                step_at=at,
                due_at=waits.until(first, at, zones[person]) if walks else now,
                ended_at=None if walks else now,
            )
        )
    return rows


def _new(rows: Sequence[JourneyEntry]) -> list[JourneyEntry]:
    """Return those whose occasion has let nobody in before."""
    there = set(JourneyEntry.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    return [row for row in rows if row.pk not in there]


def entry_id(run: Run, key: str, person: int) -> UUID:
    """Return the id of the entry that an occasion leads to."""
    return uuid5(NAMESPACE, f"entry {run.pk} {key} {person}")


NAMES = ("id", "run_id", "version_id", "profile_id", "status", "reason", "step", "moves", "entered_at", "step_at")


def _write(rows: Sequence[JourneyEntry]) -> None:
    import polars as pl  # noqa: PLC0415

    columns = {name: [getattr(row, name) for row in rows] for name in (*NAMES, "due_at", "ended_at")}
    for name in ("id", "run_id"):
        columns[name] = list(map(str, columns[name]))
    for name in ("entered_at", "step_at", "due_at", "ended_at"):
        columns[name] = [at and at.astimezone(UTC).replace(tzinfo=None) for at in columns[name]]
    frame = pl.DataFrame(columns, schema_overrides={"ended_at": pl.Datetime("us")})
    with connection.cursor() as cursor:
        copy_frame(cursor, "campaigns_journeyentry", frame, never_null=("status", "reason", "step"))


def _tell(run: Run, version: JourneyVersion, rows: Sequence[JourneyEntry], now: datetime) -> None:
    """Tell the log who was assigned to what, with which probability: those held out as those who walk."""
    import polars as pl  # noqa: PLC0415

    told = [row for row in rows if row.reason != Reason.PERMANENT_HOLDOUT]
    if not told:
        return
    house, moment, holdout = source(), now.astimezone(UTC).replace(tzinfo=None), float(run.campaign.holdout)
    facts = {
        True: {"campaign": run.campaign_id, "variant": None, "propensity": holdout},
        False: {"campaign": run.campaign_id, "variant": f"journey {version.number}", "propensity": 1 - holdout},
    }
    said = {out: orjson.dumps(fact).decode() for out, fact in facts.items()}
    keys = message_keys(house.pk, (f"{row.pk}:assigned" for row in told))
    frame = pl.DataFrame(
        {
            "profile_id": [row.profile_id for row in told],
            "properties": [said[row.status == Status.HELD_OUT] for row in told],
            "key_hi": pl.Series(keys[:, 0]),
            "key_lo": pl.Series(keys[:, 1]),
        }
    ).with_columns(
        kind=pl.lit(Event.Kind.ASSIGNED.value),
        name=pl.lit(run.campaign.name),
        session=pl.lit(str(run.pk)),
        occurred_at=pl.lit(moment),
        received_at=pl.lit(moment),
    )
    ingest.record_frame(house, frame, now=now)
