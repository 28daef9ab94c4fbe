"""What each kind of step does to those who stand at it: of many people at once, with what comes of it for each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import connection

from campaigns import outgoing
from campaigns.journeys import expecting, messages, waits
from campaigns.journeys.graph import (
    CAME,
    ELSE,
    END,
    IN_TIME_NOT,
    NEXT,
    NO,
    UNKNOWN,
    UNREACHED,
    YES,
    BestHour,
    Condition,
    Exit,
    Goal,
    RandomSplit,
    Send,
    Split,
    Step,
    Update,
    Wait,
    WaitForEvent,
    WaitForNext,
    WaitForTime,
    Webhook,
)
from campaigns.journeys.reasons import Reason
from campaigns.journeys.walkers import Walker
from campaigns.models import Run, SendingPolicy
from campaigns.outgoing import Fact
from campaigns.reach import policies, quiet
from campaigns.rules import RuleError
from campaigns.rules.nodes import Rule
from campaigns.runs import experiments
from campaigns.runs.triggers import SKEW
from campaigns.segmenting import segments
from crm import people
from crm.copying import int_array, moments, text_array
from crm.merging import canonical_ids, pairs_of
from mlengine import online


@dataclass(frozen=True)
class Failed:
    """The step could not be done for somebody; she stays where she is until a person has looked at it."""

    reason: str


Outcome = str | Failed | datetime | None  # a moment: she waits until then; None: as long as the step says

# For each asked the first such event after her moment, of any of the profiles that are read as her.
SINCE = """
SELECT asked.place, min(event.occurred_at)
FROM unnest(%(places)s::int[], %(members)s::bigint[], %(since)s::timestamptz[]) AS asked (place, member, since)
JOIN crm_event event ON event.profile_id = asked.member AND event.kind = %(kind)s
    AND event.occurred_at > asked.since AND event.occurred_at > %(first)s AND event.occurred_at <= %(until)s
    AND (%(name)s = '' OR event.name = %(name)s)
GROUP BY asked.place
"""


def act(step: Step, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    """Return what comes of a step for each who stands at it."""
    return ACTS[type(step)](step, walkers, run, now)


def since(asked: Sequence[tuple[int, datetime]], kind: str, name: str, now: datetime) -> list[datetime | None]:
    """Return for each person and moment when she first did something after it; nothing where she has not."""
    found: list[datetime | None] = [None] * len(asked)
    if not asked:
        return found
    who, members = pairs_of(dict.fromkeys(profile for profile, _moment in asked))
    of: dict[int, list[int]] = {}
    for profile, member in zip(who, members, strict=True):
        of.setdefault(profile, []).append(member)
    rows = [(place, member, at) for place, (profile, at) in enumerate(asked) for member in of[profile]]
    values: dict[str, Any] = {
        "places": int_array(place for place, _member, _at in rows),
        "members": int_array(member for _place, member, _at in rows),
        "since": text_array(moments(at for _place, _member, at in rows)),
        "first": min(at for _profile, at in asked),
        "until": now + SKEW,  # what the log has, has happened: by a clock that is ahead, or while others were led on
        "kind": kind,
        "name": name,
    }
    with connection.cursor() as cursor:
        cursor.execute(SINCE, values)
        for place, at in cursor.fetchall():
            found[place] = at
    return found


def _wait(step: Step, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    return [NEXT if waits.until(step, one.step_at, one.zone) <= now else None for one in walkers]


def _wait_for_time(step: WaitForTime, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    """Ask the clock on the wall as it is now: the hours may be over that somebody was to go on in."""
    return [NEXT if (at := waits.until(step, max(now, one.step_at), one.zone)) <= now else at for one in walkers]


def _best_hour(step: BestHour, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    policy, person = policies.policy(), canonical_ids(one.profile for one in walkers)
    hours = online.best_hours(set(person.values()))
    begins = [_best_begin(hours.get(person[one.profile], []), one, policy) for one in walkers]
    waited = [quiet.allowed_from(max(at, now), one.zone, policy) for at, one in zip(begins, walkers, strict=True)]
    return [NEXT if at <= now else at for at in waited]


def _best_begin(hours: Sequence[int], walker: Walker, policy: SendingPolicy) -> datetime:
    """Return when the best hour begins that is not quiet: put off to the morning, an evening would be no best one."""
    wall = ZoneInfo(settings.TIME_ZONE)  # the log tells hours as the organisation's clock shows them
    begins = [waits.until_hour(hour, walker.step_at, wall) for hour in hours]
    allowed = (at for at in begins if not quiet.is_quiet(at, walker.zone, policy))
    return next(allowed, begins[0] if begins else walker.step_at)


def _wait_for_event(step: WaitForEvent, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    did = since([(one.profile, one.step_at) for one in walkers], step.event, step.name, now)
    over = [IN_TIME_NOT if one.step_at + step.longest <= now else None for one in walkers]
    return [CAME if at else late for at, late in zip(did, over, strict=True)]


def _wait_for_next(step: WaitForNext, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    person = canonical_ids(one.profile for one in walkers)
    expected = expecting.next_of(set(person.values()), step.event, now)
    return [_expected(step, one, expected.get(person[one.profile]), now) for one in walkers]


def _expected(step: WaitForNext, walker: Walker, expected: datetime | None, now: datetime) -> Outcome:
    if expected is None or walker.step_at + step.longest <= now:
        return UNKNOWN
    return NEXT if expected - step.early <= now else min(expected - step.early, walker.step_at + step.longest)


def _condition(step: Condition, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    return _by_rules([(YES, step.rule)], NO, walkers, now)


def _split(step: Split, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    return _by_rules(step.branches, ELSE, walkers, now)


def _by_rules(
    branches: Sequence[tuple[str, Rule]], otherwise: str, walkers: Sequence[Walker], now: datetime
) -> Sequence[Outcome]:
    """Send each the way of the first rule that describes her; of nobody it is asked twice."""
    person = canonical_ids(one.profile for one in walkers)
    ways: dict[int, str] = {}
    try:
        for name, rule in branches:
            for profile in segments.among(rule, set(person.values()) - ways.keys(), now):
                ways[profile] = name
    except RuleError:
        return [Failed(Reason.RULE)] * len(walkers)
    return [ways.get(person[one.profile], otherwise) for one in walkers]


def _random_split(step: RandomSplit, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    weights = np.cumsum([weight for _name, weight in step.branches])
    drawn = experiments.uniform(f"{run.salt} {step.key}", [one.profile for one in walkers])
    places = np.searchsorted(weights / weights[-1], drawn, side="right")
    return [step.branches[place][0] for place in places.tolist()]


def _send(step: Send, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    try:
        unreached = messages.write(step, walkers, run, now)
    except messages.TemplateGone:
        return [Failed(Reason.TEMPLATE_GONE)] * len(walkers)
    other = UNREACHED if UNREACHED in step.ways else NEXT
    return [other if one.profile in unreached else NEXT for one in walkers]


def _update(step: Update, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    people.update_many({one.profile: {"attributes": dict(step.attributes)} for one in walkers}, now=now)
    return [NEXT] * len(walkers)


def _webhook(step: Webhook, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    facts = [
        Fact(
            kind="journey.step",
            key=f"{one.id}:{one.moves}",
            happened_at=now,
            profile=one.profile,
            data={
                "journey": run.campaign_id,
                "version": one.version,
                "step": step.key,
                "name": step.name,
                "entry": str(one.id),
            },
        )
        for one in walkers
    ]
    outgoing.tell(facts, now)
    return [NEXT] * len(walkers)


def _end(step: Step, walkers: Sequence[Walker], run: Run, now: datetime) -> Sequence[Outcome]:
    return [END] * len(walkers)


Act = Callable[[Any, Sequence[Walker], Run, datetime], Sequence[Outcome]]
ACTS: Mapping[type[Step], Act] = {
    Wait: _wait,
    WaitForTime: _wait_for_time,
    BestHour: _best_hour,
    WaitForEvent: _wait_for_event,
    WaitForNext: _wait_for_next,
    Condition: _condition,
    Split: _split,
    RandomSplit: _random_split,
    Send: _send,
    Update: _update,
    Webhook: _webhook,
    Goal: _end,
    Exit: _end,
}
