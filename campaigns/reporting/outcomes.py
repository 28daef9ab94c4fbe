"""Rows of what each person of a campaign did around her assignment: made from the log, and kept up with what arrives.

Keeping up looks again at those to whom something happened since the last time
(``campaigns.reporting.outcome_statements`` has who they are) and writes what is true of them now, so doing it twice
changes nothing. What is new is told by the database's snapshot (``crm.watermarks``), never by a time: what was written
before and committed later is found, and so is what happened long ago and arrived today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import orjson
from django.conf import settings
from django.db import connection

from campaigns.models import Campaign, Figures, Run
from campaigns.reporting import journey_statements as of_journeys
from campaigns.reporting import outcome_statements as sql
from campaigns.segmenting.statements import of_sets
from crm import watermarks
from mlengine.models import PredictionRun

FORM = 5  # of what is kept; whatever was counted in another form is counted anew
HISTORY = timedelta(days=28)  # of what people did before, at least; as long as the attribution window if that is longer
AT_ONCE = 50_000  # people to whom something happened: a few seconds
RULES = ("database", "rules", "clusters", "currency")  # of a state: where they are others, all rows may be
CLUSTERS = "rfm"  # by which groups that a model found a report is broken down


@dataclass(frozen=True, kw_only=True)
class World:
    """Whose outcomes are counted, by which rules, as of when."""

    campaign: Campaign
    runs: Sequence[Run]
    now: datetime

    @classmethod
    def of(cls, campaign: Campaign, now: datetime) -> Self:
        return cls(campaign=campaign, runs=list(campaign.runs.order_by("pk")), now=now)

    @property
    def is_journey(self) -> bool:
        return self.campaign.kind == Campaign.Kind.JOURNEY

    @property
    def cancelled(self) -> list[UUID]:
        return [run.pk for run in self.runs if run.status == Run.Status.CANCELLED]

    @property
    def growing(self) -> list[UUID]:
        """Return the runs to which people come while they are sent."""
        stands = self.campaign.kind in Campaign.STANDING
        return [run.pk for run in self.runs if stands or run.status == Run.Status.PLANNING]

    def rules(self) -> dict[str, Any]:
        """Return, as JSON, all by which a row that is kept would be another one."""
        return {
            "form": FORM,
            "goal": [self.campaign.goal, self.campaign.goal_name],
            "window": self.campaign.attribution_window.total_seconds(),
            "cancelled": sorted(map(str, self.cancelled)),
        }

    def asked(self) -> dict[str, Any]:
        """Return the parameters of all statements that do not depend on what was found."""
        return {
            "runs": [run.pk for run in self.runs],
            "strata": _alike(self.runs),
            "cancelled": self.cancelled,
            "sessions": [str(run.pk) for run in self.runs],
            "now": self.now,
            "begun": min((run.starts_at for run in self.runs), default=self.now),
            "history": max(self.campaign.attribution_window, HISTORY),
            "window": self.campaign.attribution_window,
            "goal": self.campaign.goal,
            "goal_name": self.campaign.goal_name,
            "kinds": sorted({*sql.MONEY, self.campaign.goal}),
            "zone": settings.TIME_ZONE,
        }


def make(cursor: Any, world: World) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Make all rows from the log; return the parameters, the state, and how many rows had been another way."""
    state = _mark(cursor, world)
    asked = world.asked()
    state["turns"] = _begin(cursor, asked)
    with of_sets(cursor):
        state["people"] = _people(cursor, world, asked, among="")
    asked |= _bounds(_ends_of_people(cursor, asked), asked)
    asked |= {"clusters": run_before(CLUSTERS, asked["since"])}
    asked["currency"], state["is_paid"] = _currency(cursor, asked)
    state |= {
        "clusters": asked["clusters"],
        "currency": asked["currency"],
        "made_at": world.now.isoformat(),
        **_ends(asked),
    }
    there = _has_rows(cursor, asked)
    with of_sets(cursor):
        cursor.execute(sql.OUTCOMES.format(among="") + (sql.CORRECT if there else ""), asked)
        corrected = cursor.rowcount if there else 0
        if there:
            cursor.execute(sql.GONE, asked)
            corrected += cursor.rowcount
            cursor.execute(sql.FORGET, asked)
        cursor.execute(sql.REACTIONS.format(which=_sessions(world)), asked)
    return asked, state, corrected


def keep_up(cursor: Any, world: World, told: Figures) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Look again at whoever something happened to since; ``None`` where all rows have to be made anew."""
    before, state = told.state, _mark(cursor, world)
    asked = world.asked() | {"seen": before.get("seen"), "number": watermarks.number(cursor)}
    if any(before.get(name) != state[name] for name in ("database", "rules")) or not _has_rows(cursor, asked):
        return None
    asked |= {name: before[name] for name in ("clusters", "currency")}
    asked |= _bounds([datetime.fromisoformat(at) for at in before["ends"]], asked)
    if run_before(CLUSTERS, asked["since"]) != asked["clusters"]:
        return None
    if not before["is_paid"] and _currency(cursor, asked)[0] != asked["currency"]:
        return None  # the first purchases tell
    if _begin(cursor, asked) != before["turns"]:
        return None  # a message was on its way while its run was cancelled
    if _touched(cursor, world, asked, before) > max(AT_ONCE, before["people"] / 4):
        return None  # reading everybody is faster
    _people(cursor, world, asked, among=sql.AMONG_SENT)
    touched = _bounds(_ends_of_people(cursor, asked), asked)
    cursor.execute(sql.OUTCOMES.format(among=sql.AMONG_EVENTS) + sql.CORRECT, asked | touched)
    cursor.execute(sql.GONE_AMONG, asked)
    ends = asked["since"], asked["last"], touched["since"], touched["last"]
    asked |= _bounds((min(ends), max(ends)), asked)
    cursor.execute(sql.REACTIONS.format(which=f"{_sessions(world)} {sql.NEWLY}"), asked)
    return asked, {**before, **state, **_ends(asked)}


def settle(world: World) -> None:
    """Read the rows once after their commit, which notes on each that it is one: the next page need not do it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(value) FROM campaigns_outcome WHERE run_id = ANY(%(runs)s::uuid[])", world.asked())


def forget(campaign: Campaign) -> None:
    """Delete the rows of a campaign of which nothing can change any more: its sums are kept."""
    from campaigns.models import Outcome, Reaction  # noqa: PLC0415

    for model in (Outcome, Reaction):
        rows: Any = model._default_manager.filter(run__in=list(campaign.runs.values_list("pk", flat=True)))
        rows._raw_delete(using="default")


def run_before(spec: str, moment: datetime) -> int | None:
    """Return the latest answers of a model that knew nothing of what came after the moment."""
    runs = PredictionRun.objects.finished().filter(spec=spec, cutoff__lte=moment)
    return runs.order_by("-cutoff", "-pk").values_list("pk", flat=True).first()


def _mark(cursor: Any, world: World) -> dict[str, Any]:
    """Return up to where the log is known from now on; taken first, so what comes meanwhile is looked at once more."""
    return {
        "database": watermarks.database(cursor),
        "seen": watermarks.snapshot(cursor),
        "rules": world.rules(),
        "runs": [str(run.pk) for run in world.runs],
        "growing": [str(pk) for pk in world.growing],
    }


def _begin(cursor: Any, asked: Mapping[str, Any]) -> list[list[str]]:
    """Find who is read as whom, and who is restricted; return how far the runs had come that were cancelled."""
    for statement in (sql.DROP, sql.MERGED, sql.BARRED, sql.TURN):
        cursor.execute(statement, asked)
    cursor.execute("ANALYZE report_merged; ANALYZE report_barred")
    cursor.execute(sql.TURNS)
    return [list(row) for row in cursor.fetchall()]


def _touched(cursor: Any, world: World, asked: Mapping[str, Any], before: Mapping[str, Any]) -> int:
    """Find who has to be looked at again; return how many profiles those are."""
    cursor.execute(sql.TOUCHED, asked)
    known = set(before["runs"])
    growing = {
        *world.growing,
        *map(UUID, before["growing"]),
        *(run.pk for run in world.runs if str(run.pk) not in known),
    }
    if growing:
        joined = of_journeys.JOINED if world.is_journey else sql.JOINED
        cursor.execute(joined, {**asked, "growing": list(growing)})
    cursor.execute(sql.MEMBERS)
    members = int(cursor.rowcount)
    cursor.execute("ANALYZE report_touched; ANALYZE report_member")
    return members


def _people(cursor: Any, world: World, asked: Mapping[str, Any], *, among: str) -> int:
    people = of_journeys.PEOPLE if world.is_journey else sql.PEOPLE
    cursor.execute(people.format(among=among), asked)
    found = int(cursor.rowcount)
    if world.campaign.kind == Campaign.Kind.ONCE and world.cancelled:
        cursor.execute(sql.ONCE, asked)
    cursor.execute("ANALYZE report_person")
    return found


def _ends_of_people(cursor: Any, asked: Mapping[str, Any]) -> Sequence[datetime]:
    cursor.execute("SELECT min(at), max(at) FROM report_person")
    return [at or asked.get("since", asked["now"]) for at in cursor.fetchone()]


def _bounds(ends: Sequence[datetime], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return between which times anything counts, by the first and the last person assigned."""
    first, last = ends
    return {"since": first, "last": last, "from": first - asked["history"], "until": last + asked["window"]}


def _ends(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {"ends": [asked["since"].isoformat(), asked["last"].isoformat()]}


def _has_rows(cursor: Any, asked: Mapping[str, Any]) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM campaigns_outcome WHERE run_id = ANY(%(runs)s::uuid[]))", asked)
    return bool(cursor.fetchone()[0])


def _sessions(world: World) -> str:
    return "" if world.campaign.kind in Campaign.STANDING else sql.OF_SESSIONS


def _currency(cursor: Any, asked: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the currency most purchases were paid in, as sums know one only, and whether there were any."""
    cursor.execute(sql.CURRENCIES, asked)
    found = cursor.fetchall()
    return (str(found[0][0]), True) if found else (str(settings.CURRENCY), False)


def _alike(runs: Sequence[Run]) -> list[int]:
    """Return a number for each run, the same for those whose people were drawn by the same shares."""
    shares = [orjson.dumps(run.shares, option=orjson.OPT_SORT_KEYS) for run in runs]
    numbers = {told: number for number, told in enumerate(sorted(set(shares)))}
    return [numbers[told] for told in shares]
