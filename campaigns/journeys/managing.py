"""What staff do with people on the way: skip a step, move, try again, take out; and let a journey run dry.

Each verb takes the rows of journeys, people and entries in this order, so it waits for whoever is moving them just now
and nobody moves them meanwhile; whom a verb does not fit any more by then is left alone. What was done is an event
of the person's path, like any step, and stands in the admin's log.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection, transaction
from django.db.models import QuerySet

from campaigns.journeys import messages, places, walking
from campaigns.journeys.graph import NEXT, Graph
from campaigns.journeys.reasons import Reason
from campaigns.journeys.walkers import Moved, Walker, tell, write
from campaigns.models import Campaign, Journey, JourneyEntry, Run

PIECE = 5000
Status = JourneyEntry.Status
Entries = QuerySet[JourneyEntry] | Iterable[UUID]
SKIPPED, MOVED, RETRIED, REMOVED = "skipped", "moved", "retried", "removed"  # outcomes that the log is told
ON_THE_WAY = frozenset({Status.WALKING, Status.FAILED})

PARTED = """
SELECT e.id FROM campaigns_journeyentry e
WHERE e.run_id = %s AND e.status = 'left' AND e.reason = 'merged'
  AND NOT EXISTS (SELECT FROM crm_profilealias a WHERE a.duplicate_id = e.profile_id AND a.undone_at IS NULL)
ORDER BY e.id LIMIT %s
"""

Do = Callable[[Walker, Graph, datetime], Moved | None]  # nothing where it does not fit her


def drain(journey: Journey, on: bool, by: User | None, now: datetime) -> bool:
    """Let nobody in any more, or let people in again; False if it was so already."""
    changed = Journey.objects.filter(pk=journey.pk, draining=not on).update(draining=on) == 1
    journey.draining = on
    if changed:
        _log(journey.pk, by, "Nobody enters any more." if on else "People enter again.")
    return changed


def skip(entries: Entries, by: User | None, now: datetime, way: str = "") -> int:
    """Send people on past the step where they stand or failed, by a way that is named or else the first that leads on.

    Return how many.
    """

    def do(walker: Walker, graph: Graph, now: datetime) -> Moved | None:
        step = graph.steps.get(walker.step)
        if step is None or (way and way not in step.outcomes):
            return None
        ways = [way] if way else sorted(step.ways, key=lambda one: one != NEXT)
        to = next((step.ways[one] for one in ways if step.ways.get(one)), "")
        return _send(walker, graph, SKIPPED, to, now)

    return _each(entries, ON_THE_WAY, do, f"Skipped {way}".strip(), by, now)


def move(entries: Entries, to: str, by: User | None, now: datetime) -> int:
    """Let people stand at another step of the version that they walk, if it has one; return how many."""

    def do(walker: Walker, graph: Graph, now: datetime) -> Moved | None:
        return _send(walker, graph, MOVED, to, now) if to in graph.steps and to != walker.step else None

    return _each(entries, ON_THE_WAY, do, f"Moved to {to}", by, now)


def retry(entries: Entries, by: User | None, now: datetime) -> int:
    """Let those who failed try the same step again; return how many."""

    def do(walker: Walker, graph: Graph, now: datetime) -> Moved | None:
        return _send(walker, graph, RETRIED, walker.step, now) if walker.step in graph.steps else None

    return _each(entries, frozenset({Status.FAILED}), do, "Tried again", by, now)


def remove(entries: Entries, by: User | None, now: datetime, reason: Reason = Reason.REMOVED) -> int:
    """Take people out; what waits to be sent to them by the journey is not sent. Return how many."""

    def do(walker: Walker, graph: Graph, now: datetime) -> Moved:
        moved = walker.leaves(REMOVED, "")
        walker.end(Status.LEFT, now, reason)
        return moved

    return _each(entries, ON_THE_WAY, do, "Taken out", by, now)


def cancelled(now: datetime) -> int:
    """Let out whoever is on the way through a cancelled journey, a piece of each; return how many these were."""
    runs = Run.objects.filter(status=Run.Status.CANCELLED, campaign__kind=Campaign.Kind.JOURNEY)
    left = 0
    for run in runs.filter(entries__status=Status.WALKING).distinct().select_related("campaign__journey"):
        walkers = JourneyEntry.objects.walking().filter(run=run).order_by("pk")
        left += _change(run, list(walkers.values_list("pk", flat=True)[:PIECE]), CANCELLED, now)
    return left


def part(run: Run, now: datetime) -> int:
    """Let those go on who stopped because they were read as somebody else, and are themselves again."""
    with connection.cursor() as cursor:
        cursor.execute(PARTED, [run.pk, PIECE])
        ids = sorted(pk for (pk,) in cursor.fetchall())
    return _change(run, ids, PART, now) if ids else 0


def _let_out(walker: Walker, graph: Graph, now: datetime) -> Moved:
    moved = walker.leaves("cancelled", "")
    walker.end(Status.LEFT, now, Reason.CANCELLED)
    return moved


def _go_on(walker: Walker, graph: Graph, now: datetime) -> Moved | None:
    if walker.step not in graph.steps:
        return None
    moved = walker.leaves("parted", walker.step)
    since = walker.step_at
    walker.stand(graph.steps[walker.step], since)
    return moved


def _send(walker: Walker, graph: Graph, outcome: str, to: str, now: datetime) -> Moved:
    moved = walker.leaves(outcome, to)
    if to:
        walker.stand(graph.steps[to], now)
    else:
        walker.end(Status.COMPLETED, now)
    return moved


@dataclass(frozen=True)
class Change:
    """A verb as it is done to each, to whom it may be done, and what the admin's log says of it."""

    do: Do
    statuses: frozenset[str]
    said: str


CANCELLED = Change(_let_out, frozenset({Status.WALKING}), "")
PART = Change(_go_on, frozenset({Status.LEFT}), "")


def _each(entries: Entries, statuses: frozenset[str], do: Do, said: str, by: User | None, now: datetime) -> int:
    ids = entries.values_list("pk", flat=True) if isinstance(entries, QuerySet) else entries
    done: dict[int, int] = defaultdict(int)
    for run, some in _by_run(sorted(set(ids))):
        done[run.campaign_id] += _change(run, some, Change(do, statuses, said), now)
    for campaign, number in done.items():
        if number:
            _log(campaign, by, f"{said}: {number}")
    return sum(done.values())


def _by_run(ids: Sequence[UUID]) -> Iterator[tuple[Run, list[UUID]]]:
    """Yield entries in pieces of one run each; those of a journey that is over have ended."""
    rest = iter(ids)
    while piece := list(islice(rest, PIECE)):
        of: dict[UUID, list[UUID]] = defaultdict(list)
        for pk, run in JourneyEntry.objects.filter(pk__in=piece).values_list("pk", "run"):
            of[run].append(pk)
        runs = Run.objects.filter(pk__in=of, status=Run.Status.SENDING).select_related("campaign__journey")
        yield from ((run, sorted(of[run.pk])) for run in runs.order_by("pk"))


@transaction.atomic
def _change(run: Run, ids: Sequence[UUID], change: Change, now: datetime) -> int:
    Journey.objects.select_for_update(of=("self",)).get(pk=run.campaign_id)  # nobody enters meanwhile
    people = JourneyEntry.objects.filter(pk__in=ids).values_list("profile", flat=True)
    zones = places.held(list(people))
    rows = JourneyEntry.objects.select_for_update(of=("self",)).filter(pk__in=ids, status__in=change.statuses)
    held = [row for row in rows.order_by("pk") if row.profile_id in zones]
    twice = _walking_besides(run, held)
    graphs = walking.graphs({row.version_id for row in held})
    held = [row for row in held if row.version_id in graphs]
    changed, moved = [], []
    for row in held:
        if row.profile_id in twice and row.status != Status.WALKING:
            continue
        walker = Walker.of(row, zones[row.profile_id])
        if one := change.do(walker, graphs[row.version_id], now):
            changed.append(walker)
            moved.append(one)
    write(changed)
    tell(run, moved, now)
    messages.call_off(run, [walker.profile for walker in changed if walker.status == Status.LEFT], now)
    return len(changed)


def _walking_besides(run: Run, held: Sequence[JourneyEntry]) -> set[int]:
    """Return who is on the way again, so that a time that failed cannot go on: nor two failed times of one person."""
    people = [row.profile_id for row in held]
    walking_now = JourneyEntry.objects.walking().filter(run=run, profile__in=people)
    twice = {person for person, times in Counter(people).items() if times > 1}
    return set(walking_now.values_list("profile", flat=True)) | twice


def _log(campaign: int, by: User | None, said: str) -> None:
    if by is None:
        return
    LogEntry.objects.create(
        user_id=by.pk,
        content_type=ContentType.objects.get_for_model(Campaign),
        object_id=str(campaign),
        object_repr=str(Campaign.objects.get(pk=campaign))[:200],
        action_flag=CHANGE,
        change_message=said[:300],
    )
