"""People walk: those who are due are claimed, led on until each has to wait, and written back, in one transaction.

Whoever crashes in the middle has changed nothing. Of two workers each takes whom the other has not (SKIP LOCKED), and
nobody who is being erased. Each step that somebody leaves is an event of the log whose key is her entry and how many
steps she had behind her: however often it is told, it is there once.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from django.db import connection, transaction

from campaigns.journeys import acting, graph, messages, waits
from campaigns.journeys.graph import Goal, Graph, Step
from campaigns.journeys.reasons import Reason
from campaigns.journeys.walkers import Moved, Walker, tell, write
from campaigns.models import JourneyEntry, JourneyVersion, Run
from campaigns.reach.zones import zone_of
from campaigns.rules import RuleError
from crm.merging import canonical_ids, pairs_of

AT_ONCE = 5000
MOST_AT_ONCE, MOST_IN_ALL = 250, 2000  # steps of one person
Status = JourneyEntry.Status

CLAIM = """
WITH due AS MATERIALIZED (
    SELECT e.id, e.profile_id, e.version_id, e.step, e.moves, e.entered_at, e.step_at,
           p.attributes ->> 'time_zone', p.province, p.city
    FROM campaigns_journeyentry e JOIN crm_profile p ON p.id = e.profile_id
    WHERE e.run_id = %(run)s AND e.status = 'walking' AND e.due_at <= %(now)s AND p.restricted_at IS NULL
    ORDER BY e.due_at, e.id LIMIT %(limit)s
    FOR UPDATE OF e SKIP LOCKED FOR KEY SHARE OF p SKIP LOCKED
)
SELECT * FROM due
"""


@dataclass(kw_only=True)
class Party:
    """Those who are led on together."""

    run: Run
    now: datetime
    graphs: Mapping[int, Graph]
    act: acting.Act = acting.act
    moved: list[Moved] = field(default_factory=list)

    def lead(self, walkers: Sequence[Walker]) -> None:
        """Lead everybody on until she has to wait, or is at the end."""
        left = [walker for walker in walkers if walker.status == Status.WALKING]
        for _turn in range(MOST_AT_ONCE):
            if not left:
                return
            for (version, key), some in groupby(sorted(left, key=STANDING), key=STANDING):
                self._at(version, key, list(some))
            left = [walker for walker in left if walker.status == Status.WALKING and walker.due_at <= self.now]
        for walker in left:
            walker.end(Status.FAILED, self.now, Reason.TOO_MANY_STEPS)

    def _at(self, version: int, key: str, walkers: Sequence[Walker]) -> None:
        read = self.graphs.get(version)
        step = read.steps.get(key) if read else None
        if step is not None:
            self._act(step, walkers)
            return
        for walker in walkers:
            walker.end(Status.FAILED, self.now, Reason.NO_SUCH_STEP if read else Reason.RULE)

    def _act(self, step: Step, walkers: Sequence[Walker]) -> None:
        outcomes = self.act(step, walkers, self.run, self.now)
        for walker, outcome in zip(walkers, outcomes, strict=True):
            if isinstance(outcome, acting.Failed):
                walker.end(Status.FAILED, self.now, outcome.reason)
            elif isinstance(outcome, datetime):
                walker.due_at = outcome
            elif outcome is None:  # called too early: by an event that was another one's, or by a clock
                walker.due_at = waits.until(step, walker.step_at, walker.zone)
            else:
                self._move(walker, step, outcome)

    def _move(self, walker: Walker, step: Step, outcome: str) -> None:
        following = self.graphs[walker.version].after(step.key, outcome)
        self.moved.append(walker.leaves(outcome, following.key if following else ""))
        if following is None:
            walker.end(Status.GOAL if isinstance(step, Goal) else Status.COMPLETED, self.now)
        elif walker.moves >= MOST_IN_ALL:
            walker.end(Status.FAILED, self.now, Reason.TOO_MANY_STEPS)
        else:
            walker.stand(following, self.now)


STANDING = attrgetter("version", "step")


def walk(run: Run, now: datetime, most: int = AT_ONCE) -> int:
    """Lead on those of a run who are due, up to ``most``; return how many these were."""
    with transaction.atomic():
        walkers = _claimed(run, now, most)
        if walkers:
            _one_of_two(walkers, run, now)
            party = Party(run=run, now=now, graphs=graphs({walker.version for walker in walkers}))
            party.moved += _let_out(walkers, run, now)
            party.lead(walkers)
            write(walkers)
            tell(run, party.moved, now)
    return len(walkers)


def graphs(versions: Iterable[int]) -> dict[int, Graph]:
    """Return the steps of versions, read; one that an earlier release wrote, and this one cannot read, is left out."""
    found = {}
    for pk, tree in JourneyVersion.objects.filter(pk__in=set(versions)).values_list("pk", "graph"):
        with suppress(RuleError):
            found[pk] = graph.parse(tree)
    return found


def _claimed(run: Run, now: datetime, most: int) -> list[Walker]:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"run": run.pk, "now": now, "limit": most})
        return [
            Walker(pk, profile, version, step, moves, entered_at, step_at, zone_of(told, province, city), now)
            for pk, profile, version, step, moves, entered_at, step_at, told, province, city in cursor.fetchall()
        ]


def _one_of_two(walkers: Sequence[Walker], run: Run, now: datetime) -> None:
    """Read merged people as who they are now; of two times on the way that are one person's the first goes on."""
    person = canonical_ids(walker.profile for walker in walkers)
    read_as = {member: who for who, member in zip(*pairs_of(set(person.values())), strict=True)}
    if len(read_as) > len(set(person.values())):
        rows = JourneyEntry.objects.walking().filter(run=run, profile__in=list(read_as))
        first: dict[int, UUID] = {}
        for pk, profile in rows.order_by("entered_at", "id").values_list("pk", "profile"):
            first.setdefault(read_as[profile], pk)
        for walker in walkers:
            if first[person[walker.profile]] != walker.id:
                walker.end(Status.LEFT, now, Reason.MERGED)
    for walker in walkers:
        walker.profile = person[walker.profile]


def _let_out(walkers: Sequence[Walker], run: Run, now: datetime) -> list[Moved]:
    """End the way of those who have done what the journey is for; return which steps they left with that."""
    if not run.campaign.journey.leave_at_goal:
        return []
    since = [(walker.profile, walker.entered_at) for walker in walkers]
    did = acting.since(since, run.campaign.goal, run.campaign.goal_name, now)
    moved = []
    for walker, happened in zip(walkers, did, strict=True):
        if happened and walker.status == Status.WALKING:
            moved.append(walker.leaves(Status.GOAL.value, ""))
            walker.end(Status.GOAL, now)
    if reached := [walker.profile for walker in walkers if walker.status == Status.GOAL]:
        messages.call_off(run, reached, now)
    return moved
