"""A journey walked through the past: who would have entered, which way each would have gone, and whom it would reach.

The steps are those that people really walk (``walking.Party``), asked as of each moment of the past; nothing is written
and nothing leaves. The past is looked at in ticks: what happens within one happens at its end. Events count from when
they had arrived. Whom messages reach is asked of everybody as of today: what people allowed may be younger.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any
from uuid import uuid4

from campaigns.journeys import acting, following, past, places, waits
from campaigns.journeys.acting import Outcome
from campaigns.journeys.figures import Counts
from campaigns.journeys.graph import (
    CAME,
    IN_TIME_NOT,
    NEXT,
    UNREACHED,
    Graph,
    Send,
    Step,
    Update,
    WaitForEvent,
    WaitForTime,
    Webhook,
)
from campaigns.journeys.past import Happened
from campaigns.journeys.reached import Reach
from campaigns.journeys.walkers import Walker
from campaigns.journeys.walking import Party
from campaigns.models import Journey, JourneyEntry, Run
from campaigns.runs import experiments
from campaigns.segmenting import segments

TICK = timedelta(hours=6)
SHOWN = 20  # people whose whole way is told
Status = JourneyEntry.Status


@dataclass(kw_only=True)
class Rehearsal:
    """What would have become of everybody.

    ``ended`` counts entries by their status, ``passed`` by step and outcome, ``standing`` by the step where they stood
    at the end; ``days`` says how many entered on each; ``sent`` has by step who came for its message each time, and
    ``reached``, by channel or reason, how many of these people it would go to today. ``ways`` are the first people's
    steps with their moments; ``until`` is how far it came.
    """

    entered: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    passed: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    standing: Counter[str] = field(default_factory=Counter)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    ways: dict[int, list[tuple[datetime, str, str]]] = field(default_factory=dict)
    sent: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    reached: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    until: datetime | None = None

    def counts(self) -> dict[str, Counts]:
        """Return what the canvas shows of each step, as ``figures.counts`` does of what really happened."""
        failed: Counter[str] = Counter()
        for (step, _reason), number in self.failures.items():
            failed[step] += number
        steps = {*self.passed, *self.standing, *failed}
        return {
            step: Counts(walking=self.standing[step], failed=failed[step], passed=Counter(self.passed.get(step, {})))
            for step in steps
        }


def always(reached: datetime) -> bool:
    """Go on to the end."""
    return True


def rehearse(
    journey: Journey,
    graph: Graph,
    since: datetime,
    until: datetime,
    *,
    tick: timedelta = TICK,
    go_on: Callable[[datetime], bool] = always,
) -> Rehearsal:
    """Walk a journey's steps through the past between two moments.

    ``go_on`` is asked after each tick, with the moment that was reached, and ends the rehearsal there if it says no:
    somebody has called it off, or it takes too long. What was found until then is returned.

    Raises
    ------
    campaigns.rules.RuleError
        A rule names a segment that is not there.
    """
    return Stage(journey, graph, until).play(since, tick, go_on)


def kinds(journey: Journey, graph: Graph) -> set[str]:
    """Return the kinds of events that matter."""
    starts = {graph.trigger.event} if graph.trigger.kind == "event" else set()
    return starts | {journey.campaign.goal} | {step.event for step in graph.of(WaitForEvent)}


class Queue:
    """What happened, taken up to a moment at a time."""

    def __init__(self, happened: Iterator[Happened]) -> None:
        self.rest, self.first = happened, next(happened, None)

    def until(self, now: datetime) -> list[Happened]:
        """Return what happened up to a moment and was not taken yet."""
        found: list[Happened] = []
        while self.first is not None and self.first.at <= now:
            found.append(self.first)
            self.first = next(self.rest, None)
        return found


class Stage:
    """Everybody who walks, in memory."""

    def __init__(self, journey: Journey, graph: Graph, until: datetime) -> None:
        self.journey, self.graph, self.told, self.until = journey, graph, Rehearsal(), until
        self.segment = segments.rule_of(journey.campaign.segment)
        self.run = Run(pk=uuid4(), campaign=journey.campaign, salt="rehearsal", starts_at=journey.campaign.created_at)
        self.goal = journey.campaign.goal, journey.campaign.goal_name
        self.waited = {(step.event, step.name) for step in graph.of(WaitForEvent)}
        self.done: dict[int, list[Happened]] = defaultdict(list)  # by person, in order
        self.walkers: dict[int, Walker] = {}
        self.entered: dict[int, datetime] = {}
        self.agenda: list[tuple[datetime, int, int]] = []
        self.numbers = count()
        self.reach = {step.key: Reach(step, journey.campaign, until) for step in graph.of(Send)}

    def play(self, since: datetime, tick: timedelta, go_on: Callable[[datetime], bool]) -> Rehearsal:
        """Go through the time, tick by tick."""
        happened = Queue(past.events(kinds(self.journey, self.graph), since, self.until))
        others = Queue(self._others(since))
        now = since
        while now < self.until and (now == since or go_on(now)):
            now = min(now + tick, self.until)
            came = happened.until(now)
            starts = [one for one in came if self._starts(one)] + others.until(now)
            self._turn(came, starts, now)
        self.told.until = now
        for key, reach in self.reach.items():
            self.told.reached[key] = reach.counted()
        self.told.standing = Counter(walker.step for walker in self.walkers.values())
        self.told.ended[Status.WALKING] = len(self.walkers)
        return self.told

    def _others(self, since: datetime) -> Iterator[Happened]:
        """Return what lets people in besides events: nothing where another system calls."""
        trigger = self.graph.trigger
        match trigger.kind:
            case "segment":
                return past.joined(self.segment, since, self.until, present=trigger.present)
            case "date":
                return past.birthdays(trigger, since, self.until)
        return iter(())

    def _turn(self, came: Sequence[Happened], starts: Sequence[Happened], now: datetime) -> None:
        wakes = self.waited | {self.goal}
        woken = set()
        for one in came:
            if following.names(one.kind, one.name, wakes):
                self.done[one.person].append(one)
                woken.add(one.person)
        self._enter(starts, now)
        due = [self.walkers[person] for person in {*woken, *self._due(now)} if person in self.walkers]
        party = Party(run=self.run, now=now, graphs={0: self.graph}, act=self._act)
        for walker in due:
            if self.journey.leave_at_goal and self._did(walker.profile, walker.entered_at, {self.goal}, now):
                party.moved.append(walker.leaves(Status.GOAL.value, ""))
                walker.end(Status.GOAL, now)
        party.lead(due)
        for moved in party.moved:
            self.told.passed[moved.step][moved.outcome] += 1
            if moved.profile in self.told.ways:
                self.told.ways[moved.profile].append((now, moved.step, moved.outcome))
        for walker in due:
            self._settle(walker)

    def _starts(self, one: Happened) -> bool:
        trigger = self.graph.trigger
        return trigger.kind == "event" and following.names(one.kind, one.name, {(trigger.event, trigger.name)})

    def _due(self, now: datetime) -> Iterator[int]:
        while self.agenda and self.agenda[0][0] <= now:
            yield heappop(self.agenda)[2]

    def _settle(self, walker: Walker) -> None:
        if walker.status == Status.WALKING:
            heappush(self.agenda, (walker.due_at, next(self.numbers), walker.profile))
            return
        self.walkers.pop(walker.profile, None)
        self.told.ended[walker.status] += 1
        if walker.status == Status.FAILED:
            self.told.failures[walker.step, walker.reason] += 1

    def _enter(self, came: Sequence[Happened], now: datetime) -> None:
        meant = {one.person for one in came if self._may(one.person, now)}
        meant &= segments.among(self.segment, meant, now)
        people = sorted(meant)
        if not people:
            return
        out = experiments.uniform(self.run.salt, people) < float(self.journey.campaign.holdout)
        placed = places.zones(people)
        for person, is_out in zip(people, out.tolist(), strict=True):
            self.entered[person] = now
            self.told.entered += 1
            self.told.days[now.date().isoformat()] += 1
            if is_out:
                self.told.ended[Status.HELD_OUT] += 1
                continue
            if len(self.told.ways) < SHOWN:
                self.told.ways.setdefault(person, [])
            zone = placed[person]
            due = waits.until(self.graph.steps[self.graph.first], now, zone)
            walker = Walker(uuid4(), person, 0, self.graph.first, 0, now, now, zone, due)
            self.walkers[person] = walker
            heappush(self.agenda, (due, next(self.numbers), person))

    def _may(self, person: int, now: datetime) -> bool:
        if person in self.walkers:
            return False
        before = self.entered.get(person)
        if before is None:
            return True
        return self.journey.again != Journey.Again.NEVER and before + self.journey.again_after <= now

    def _did(self, person: int, since: datetime, what: set[tuple[str, str]], now: datetime) -> bool:
        return any(
            since < one.at <= now and following.names(one.kind, one.name, what)
            for one in reversed(self.done.get(person, []))
        )

    def _act(self, step: Step, walkers: Sequence[Any], run: Run, now: datetime) -> Sequence[Outcome]:
        """Do a step as it is done, but for what would change something, and for what is in memory."""
        match step:
            case Send():
                came = [walker.profile for walker in walkers]
                self.told.sent[step.key].extend(came)
                channels = self.reach[step.key].channels(came)
                other = UNREACHED if UNREACHED in step.ways else NEXT
                return [NEXT if channels[walker.profile] else other for walker in walkers]
            case Update() | Webhook():
                return [NEXT] * len(walkers)
            case WaitForTime():  # the tick may be over when the hours were in it
                return [NEXT if waits.until(step, one.step_at, one.zone) <= now else None for one in walkers]
            case WaitForEvent():
                what = {(step.event, step.name)}
                over = [IN_TIME_NOT if one.step_at + step.longest <= now else None for one in walkers]
                return [
                    CAME if self._did(one.profile, one.step_at, what, now) else late
                    for one, late in zip(walkers, over, strict=True)
                ]
        return acting.act(step, walkers, run, now)
