"""What a journey is made of, once it has been read: values that never change, and can be compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import ClassVar, TypeVar

from campaigns.rules.nodes import Rule

NEXT, CAME, IN_TIME_NOT, YES, NO, ELSE, END = "next", "came", "not", "yes", "no", "else", "end"
UNREACHED, UNKNOWN = "unreached", "unknown"
GIVEN, PREFERENCE = "given", "preference"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: ``ways`` say, by what comes of it, the key of the step that follows; none where the journey ends."""

    kind: ClassVar[str] = ""
    key: str
    title: str = ""
    ways: Mapping[str, str] = field(default_factory=dict)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """Return what may come of it."""
        return (NEXT,)


@dataclass(frozen=True, kw_only=True)
class Wait(Step):
    """Waits a while."""

    kind: ClassVar[str] = "wait"
    length: timedelta


@dataclass(frozen=True, kw_only=True)
class WaitForTime(Step):
    """Waits until it is between two times of the day, on some weekdays (0 is Monday), by the person's own clock."""

    kind: ClassVar[str] = "wait_for_time"
    begins: time
    ends: time
    weekdays: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BestHour(Step):
    """Waits for the hour at which the person is best written to; without a model of it, until her night is over."""

    kind: ClassVar[str] = "best_hour"


@dataclass(frozen=True, kw_only=True)
class WaitForEvent(Step):
    """Waits for something that the person does, no longer than a while."""

    kind: ClassVar[str] = "wait_for_event"
    event: str
    name: str = ""
    longest: timedelta

    @property
    def outcomes(self) -> tuple[str, ...]:
        return CAME, IN_TIME_NOT


@dataclass(frozen=True, kw_only=True)
class WaitForNext(Step):
    """Waits until the person is expected to do something again, by what is usual for her, no longer than a while.

    She goes on ``early`` before that day. If she does it meanwhile, the day moves. Of whom nothing can be expected, or
    not within the while, goes the way ``unknown``.
    """

    kind: ClassVar[str] = "wait_for_next"
    event: str
    early: timedelta
    longest: timedelta

    @property
    def outcomes(self) -> tuple[str, ...]:
        return NEXT, UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Condition(Step):
    """Asks whether a rule describes the person."""

    kind: ClassVar[str] = "condition"
    rule: Rule

    @property
    def outcomes(self) -> tuple[str, ...]:
        return YES, NO


@dataclass(frozen=True, kw_only=True)
class Split(Step):
    """Sends each person the way of the first rule that describes her."""

    kind: ClassVar[str] = "split"
    branches: tuple[tuple[str, Rule], ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (*(name for name, _rule in self.branches), ELSE)


@dataclass(frozen=True, kw_only=True)
class RandomSplit(Step):
    """Sends people different ways by chance, by weights."""

    kind: ClassVar[str] = "random_split"
    branches: tuple[tuple[str, int], ...]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return tuple(name for name, _weight in self.branches)


@dataclass(frozen=True, kw_only=True)
class Send(Step):
    """Sends one of several messages: each a version of a template with its weight.

    The channels are tried in the order given, or in the one that the person prefers. Whom nothing may be sent to goes
    the way ``unreached`` where there is one, and on with the others where there is none.
    """

    kind: ClassVar[str] = "send"
    channels: tuple[str, ...]
    variants: tuple[tuple[str, int, int], ...]  # name, template version, weight
    order: str = GIVEN

    @property
    def outcomes(self) -> tuple[str, ...]:
        return NEXT, UNREACHED


@dataclass(frozen=True, kw_only=True)
class Update(Step):
    """Writes attributes into the person's profile."""

    kind: ClassVar[str] = "update"
    attributes: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Webhook(Step):
    """Tells another system that the person came by."""

    kind: ClassVar[str] = "webhook"
    name: str


@dataclass(frozen=True, kw_only=True)
class Goal(Step):
    """Ends the journey: the person reached its goal."""

    kind: ClassVar[str] = "goal"

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Exit(Step):
    """Ends the journey."""

    kind: ClassVar[str] = "exit"

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Trigger:
    """What lets people in: an event, coming into the segment, a day of the year, or a call of the API."""

    kind: str
    event: str = ""
    name: str = ""
    field: str = ""
    days_before: int = 0
    at: time = time(10)
    present: bool = False  # who belongs to the segment already when the journey begins enters, too


Kind = TypeVar("Kind", bound=Step)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A journey: what lets people in, where they begin, and the steps by their keys."""

    trigger: Trigger
    first: str
    steps: Mapping[str, Step]

    def after(self, step: str, outcome: str) -> Step | None:
        """Return the step that follows; nothing where the journey ends."""
        return self.steps.get(self.steps[step].ways.get(outcome, ""))

    def of(self, kind: type[Kind]) -> list[Kind]:
        """Return the steps of a kind."""
        return [step for step in self.steps.values() if isinstance(step, kind)]
