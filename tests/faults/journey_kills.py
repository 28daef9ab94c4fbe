"""Kill workers, both beats, PostgreSQL and Valkey while people come into a journey, wait, are drawn and written to.

Celery's own workers and two beats run here, as in ``sending_kills``, before the same bad peer; minutes of waiting are
seconds. Nobody kills who writes the events that let people in and that they wait for, nor the editor, who puts another
version of the journey into use again and again while people are in it. At the end the log is held against the rows and
against the graph that each person began: nobody was lost, came in twice or did a step twice; each walked in order, by
ways that are drawn in her version, waited as long as was said, and got each message that was on her way once.

``JOURNEY_SABOTAGE=torn`` lets the workers commit each statement by itself: that run has to fail.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from tests.faults import sending_kills
from tests.faults.sending_kills import House

KILLS, PEOPLE = 200, 20_000
TO_SECONDS = 60  # so much faster than it is told do people wait
COMING, EDITS = 70.0, 6  # seconds in which people come in, and versions put into use meanwhile
A_THIRD, LATEST = 3, 60.0  # one of so many buys, so many seconds after she came at most
LATE = timedelta(seconds=5)  # what happened so shortly before a wait's end may have been written after it


def run(kills: int = 0, people: int = 0) -> list[dict[str, Any]]:
    """Return what was done and what came wrong; smaller by JOURNEY_KILLS and JOURNEY_KILLS_PEOPLE."""
    kills = kills or int(os.environ.get("JOURNEY_KILLS", KILLS))
    people = people or int(os.environ.get("JOURNEY_KILLS_PEOPLE", PEOPLE))
    from tests.benchmarks.databases import set_up

    set_up()
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    known = prepare(people)
    connections.close_all()  # forked children must not share a connection
    with TemporaryDirectory() as directory:
        road = Road(Path(directory), kills, known)
        done = road.torment()
        return [{"name": "a journey under SIGKILL", "done": done | road.done(), "wrong": road.wrong(people)}]


def prepare(number: int) -> list[int]:
    """Let a journey begin, into which nobody has come yet."""
    from uuid import uuid4

    from django.utils import timezone

    from campaigns.models import ChannelAccount, WebhookEndpoint
    from campaigns.runs.triggers import horizon
    from crm.models import Profile
    from tests.campaigns.journeys import factories

    people = sending_kills.known(number)
    Profile.objects.filter(pk__in=people[::2]).update(city="Beijing")
    run = factories.journey(drawn(), leave_at_goal=False)
    run.read_until = horizon()
    run.save()
    ChannelAccount.objects.update(per_second=None)
    WebhookEndpoint.objects.create(
        name="till", url="https://till.example.com/", secret=uuid4().hex, kinds=["journey.step"], active=False,
        stopped_for="failing", created_at=timezone.now(),
    )  # fmt: skip
    return people


def drawn(more: bool = False) -> dict[str, Any]:
    """Return the steps of the journey, or of its other version."""
    from tests.campaigns.journeys.factories import condition, mail, purchase, tree, wait

    halves = [{"name": "a", "weight": 1}, {"name": "b", "weight": 1}]
    return tree(
        "pause", {"kind": "event", "event": "cart"},
        pause=wait("chance", 8),
        chance={"kind": "random_split", "branches": halves, "ways": {"a": "hello", "b": "bought"}},
        hello=mail("bought"),
        bought=purchase("thanks", "remind", 20),
        thanks={"kind": "update", "set": {"thanked": "yes"}, "ways": {"next": "last"}},
        remind=mail("told"),
        told={"kind": "webhook", "name": "till", "ways": {"next": "last"}},
        last=wait("extra" if more else "where", 5),
        where=condition({"field": "city", "is": "is", "value": "Beijing"}, yes="out", no="prize"),
        out={"kind": "exit"},
        prize={"kind": "goal"},
        **({"extra": wait("where", 2)} if more else {}),
    )  # fmt: skip


class Road(House):
    """The workers and the beats, who buys, and who edits."""

    ticks = sending_kills.TICKS | {"walk": 0.3}
    queues = ("send",)  # who sends does not lead

    def __init__(self, directory: Path, kills: int, people: list[int]) -> None:
        super().__init__(directory, kills)
        self.people = people
        self.told, self.edited = directory / "told", directory / "edited"

    def crew(self) -> list[Callable[[], None]]:
        """Return what those do who are killed: two lead, two send, two tick."""
        return [self.lead, self.lead, self.work, self.work, self.beat, self.beat]

    def lead(self) -> None:
        """Be a worker that leads people on, for whom minutes are seconds."""
        from campaigns.journeys import walking

        read = walking.graphs
        setattr(walking, "graphs", lambda versions: {pk: hurried(one) for pk, one in read(versions).items()})  # noqa: B010
        if os.environ.get("JOURNEY_SABOTAGE") == "torn":
            setattr(walking, "transaction", SimpleNamespace(atomic=nullcontext))  # noqa: B010
        sending_kills.serve(("journeys", "default"))

    def surround(self) -> None:
        """Start whom nobody kills."""
        super().surround()
        self.start(self.happen)
        self.start(self.edit)

    def happen(self) -> None:
        """Write what people do, each thing once, however often the database goes away."""
        begun, agenda = time.monotonic(), doings(self.people)
        for start in range(0, len(agenda), 200):
            some = agenda[start : start + 200]
            time.sleep(max(0.0, begun + some[-1][0] - time.monotonic()))
            insist(lambda some=some: write(some))  # type: ignore[misc]
        self.told.touch()
        time.sleep(10**6)

    def edit(self) -> None:
        """Put another version into use, and the first one's steps again, by turns."""
        from campaigns.models import Journey
        from tests.campaigns.journeys import factories

        for turn in range(EDITS):
            time.sleep(COMING / EDITS)
            insist(lambda turn=turn: factories.live(Journey.objects.get(), drawn(more=turn % 2 == 0)))  # type: ignore[misc]
        self.edited.touch()
        time.sleep(10**6)

    def waiting(self) -> int:
        """Return how many are still to come in, on the way, or to be written to."""
        from campaigns.models import JourneyEntry
        from tests.faults.ledger_kills import survived

        left = survived(lambda: len(self.people) - JourneyEntry.objects.exclude(status="walking").count())
        untold = not (self.told.exists() and self.edited.exists())
        return super().waiting() + untold + (1 if left is None else int(left))

    def done(self) -> dict[str, int]:
        """Return what there was."""
        from campaigns.models import JourneyEntry, JourneyVersion
        from crm.models import Event

        ended = Counter(JourneyEntry.objects.values_list("status", flat=True))
        versions = JourneyEntry.objects.values("version").distinct().count()
        steps = Event.objects.filter(kind="journey_step").count()
        of_messages = {f"messages {what}": number for what, number in super().done().items()}
        made = JourneyVersion.objects.count()
        return {"versions walked": versions, "versions": made, "steps": steps} | dict(ended) | of_messages

    def wrong(self, messages: int) -> dict[str, int]:
        """Hold the log against the rows and the graphs; ``messages`` are the people."""
        from campaigns.models import Delivery

        found = judged(self.people)
        of_messages = super().wrong(Delivery.objects.count())
        return {name: found[name] for name in WRONG} | {f"messages {what}": n for what, n in of_messages.items()}


def hurried(graph: Any) -> Any:
    """Return a graph in which minutes of waiting are seconds."""
    from campaigns.journeys.graph import Wait, WaitForEvent

    steps = dict(graph.steps)
    for key, step in steps.items():
        if isinstance(step, Wait):
            steps[key] = replace(step, length=step.length / TO_SECONDS)
        elif isinstance(step, WaitForEvent):
            steps[key] = replace(step, longest=step.longest / TO_SECONDS)
    return replace(graph, steps=steps)


def doings(people: list[int]) -> list[tuple[float, int, str]]:
    """Return who does what after how many seconds, in order: everybody comes, some buy."""
    random = Random(11)
    found = []
    for person in people:
        came = random.uniform(0, COMING)
        found.append((came, person, "cart"))
        if person % A_THIRD == 0:
            found.append((came + random.uniform(0, LATEST), person, "purchase"))
    return sorted(found)


def insist(work: Callable[[], Any]) -> None:
    """Do it until it was done."""
    from tests.faults.ledger_kills import survived

    def told() -> bool:
        work()
        return True

    while not survived(told):
        time.sleep(0.1)


def write(some: list[tuple[float, int, str]]) -> None:
    """Take some events as the web server does."""
    from crm import ingest
    from tests import factories

    now = datetime.now(UTC)
    told = [
        ingest.NewEvent(kind=kind, profile_id=one, occurred_at=now, received_at=now, message_id=f"{kind} {one}")
        for _at, one, kind in some
    ]
    ingest.record_many(factories.source(), told, now=now)


WRONG = (
    *("people who never came in", "people in it twice", "still on the way", "failed", "steps done twice"),
    *("steps not told, or told too often", "out of order", "waits cut short", "drawn otherwise"),
    *("came without having bought", "bought and not seen", "messages never written", "messages nobody came to"),
    *("profiles not updated", "other systems told too little, or too much", "figures that are not the log's"),
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step as the log tells that somebody left it."""

    key: str
    outcome: str
    to: str
    came: datetime
    left: datetime


def judged(people: list[int]) -> Counter[str]:
    """Return what is wrong with everybody's way."""
    from campaigns.models import JourneyEntry, Run

    found: Counter[str] = Counter()
    rows, run = list(JourneyEntry.objects.all()), Run.objects.get()
    ways, graphs, bought = ways_told(rows), of_versions(), purchases()
    times = Counter(row.profile_id for row in rows)
    found["people who never came in"] = len(set(people) - times.keys())
    found["people in it twice"] = sum(number > 1 for number in times.values())
    found["still on the way"] = sum(row.status == "walking" for row in rows)
    found["failed"] = sum(row.status not in ("walking", "completed", "goal") for row in rows)
    for row in rows:
        way = ways[row.pk]
        found["steps not told, or told too often"] += len(way) != row.moves
        found["steps done twice"] += len({one.key for one in way}) < len(way)
        found["out of order"] += not in_order(way, graphs[row.version_id])
        found.update(of_waits(way, graphs[row.version_id], bought.get(row.profile_id)))
    found["drawn otherwise"] = drawn_otherwise(rows, ways, run.salt)
    found.update(of_messages(rows, ways))
    found["figures that are not the log's"] = of_figures(rows, ways)
    return found + of_others(rows, ways)


def ways_told(rows: list[Any]) -> dict[UUID, list[Step]]:
    """Return each entry's steps as the log has them."""
    from crm.models import Event

    told = Event.objects.filter(kind="journey_step").order_by("occurred_at", "id")
    came = dict(Event.objects.filter(kind="cart").values_list("profile", "occurred_at"))
    arrived = {row.pk: came[row.profile_id] for row in rows}  # the first wait counts from what let her in
    ways: dict[UUID, list[Step]] = defaultdict(list)
    for entry, facts, at in told.values_list("session", "properties", "occurred_at").iterator():
        pk = UUID(entry)
        step = Step(key=facts["step"], outcome=facts["outcome"], to=facts["to"], came=arrived[pk], left=at)
        ways[pk].append(step)
        arrived[pk] = at
    return ways


def of_versions() -> Mapping[int, Any]:
    from campaigns.journeys import walking
    from campaigns.models import JourneyVersion

    read = walking.graphs(JourneyVersion.objects.values_list("pk", flat=True))
    return {pk: hurried(one) for pk, one in read.items()}


def purchases() -> dict[int, tuple[datetime, datetime]]:
    """Return when who bought, and when it was written."""
    from crm.models import Event

    rows = Event.objects.filter(kind="purchase").values_list("profile", "occurred_at", "received_at")
    return {person: (at, known) for person, at, known in rows}


def in_order(way: list[Step], graph: Any) -> bool:
    """Tell whether a way begins at the graph's first step, follows its lines, and comes to an end."""
    at = graph.first
    for step in way:
        if step.key != at or step.to != graph.steps[at].ways.get(step.outcome, ""):
            return False
        at = step.to
    return not at


def of_waits(way: list[Step], graph: Any, bought: tuple[datetime, datetime] | None) -> Iterator[str]:
    """Yield what was wrong with somebody's waits."""
    from campaigns.journeys.graph import Wait, WaitForEvent

    for one in way:
        step = graph.steps.get(one.key)
        if isinstance(step, Wait) and one.left - one.came < step.length:
            yield "waits cut short"
        if not isinstance(step, WaitForEvent):
            continue
        in_time = bought is not None and one.came < bought[0] <= one.came + step.longest
        if one.outcome == "came" and not (bought and bought[0] > one.came):
            yield "came without having bought"
        if one.outcome == "not" and one.left - one.came < step.longest:
            yield "waits cut short"
        if one.outcome == "not" and in_time and bought and bought[1] < one.left - LATE:
            yield "bought and not seen"


def drawn_otherwise(rows: list[Any], ways: Mapping[UUID, list[Step]], salt: str) -> int:
    """Return how many were not sent where chance sends them."""
    from campaigns.runs import experiments

    draws = experiments.uniform(f"{salt} chance", [row.profile_id for row in rows])
    wanted = {row.pk: "a" if draw < 0.5 else "b" for row, draw in zip(rows, draws.tolist(), strict=True)}
    return sum(one.key == "chance" and one.outcome != wanted[pk] for pk, way in ways.items() for one in way)


def of_messages(rows: list[Any], ways: Mapping[UUID, list[Step]]) -> dict[str, int]:
    """Hold the messages against the steps that send one."""
    from campaigns.journeys import messages
    from campaigns.models import Delivery

    wanted = {
        (messages.occasion(row.pk, number), row.profile_id)
        for row in rows
        for number, one in enumerate(ways[row.pk])
        if one.key in ("hello", "remind")
    }
    there = set(Delivery.objects.values_list("occasion", "profile"))
    return {"messages never written": len(wanted - there), "messages nobody came to": len(there - wanted)}


def of_figures(rows: list[Any], ways: Mapping[UUID, list[Step]]) -> int:
    """Return of how many steps and outcomes the canvas shows other numbers than the log has."""
    from campaigns.models import Passage

    told = Counter((row.version_id, one.key, one.outcome) for row in rows for one in ways[row.pk])
    shown: Counter[tuple[int, str, str]] = Counter()
    for version, step, outcome, number in Passage.objects.values_list("version", "step", "outcome", "number"):
        shown[version, step, outcome] += number
    return sum(told[what] != shown[what] for what in told | shown)


def of_others(rows: list[Any], ways: Mapping[UUID, list[Step]]) -> Counter[str]:
    """Hold what profiles say, and what other systems are told, against the steps."""
    from campaigns.models import WebhookEndpoint, WebhookMessage
    from campaigns.outgoing import message_id
    from crm.models import Profile

    (endpoint,) = WebhookEndpoint.objects.values_list("pk", flat=True)
    thanked = {row.profile_id for row in rows if any(one.key == "thanks" for one in ways[row.pk])}
    wanted = {
        message_id(endpoint, "journey.step", f"{row.pk}:{number}")
        for row in rows
        for number, one in enumerate(ways[row.pk])
        if one.key == "told"
    }
    said = set(Profile.objects.filter(attributes__thanked="yes").values_list("pk", flat=True))
    told = set(WebhookMessage.objects.values_list("pk", flat=True))
    return Counter(
        {
            "profiles not updated": len(thanked ^ said),
            "other systems told too little, or too much": len(wanted ^ told),
        }
    )
