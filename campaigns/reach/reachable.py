"""Who of a group could be written to now, on which channel, and why the others could not: as sending itself decides.

The question is the one that is asked before each message (``campaigns.reach.audience.reach``); of a large group it is
asked of a sample, and the figures say so by their bounds.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from campaigns.reach.audience import Demands, Reached, reach
from campaigns.rules.nodes import Rule
from campaigns.segmenting import counting, sampling, segments
from campaigns.segmenting.counting import Count
from campaigns.segmenting.statements import OutOfTime
from crm.models import Purpose

MOST_ASKED = 5000
FOR_MEMBERS = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class Reachable:
    """How many of a group one channel (or the best of several: ``""``) reaches, and of the others how many for what."""

    channel: str
    people: Count
    reasons: dict[str, Count]


def reachable(
    rule: Rule, channels: Sequence[str], purpose: Purpose, now: datetime, demands: Demands | None = None
) -> list[Reachable]:
    """Return it for each channel by itself, and for all of them in their order."""
    asked, whole = _members(rule, now)
    ways = [("", tuple(channels)), *((channel, (channel,)) for channel in channels)]
    return [_one(channel, reach(asked, way, purpose, now, demands), len(asked), whole) for channel, way in ways]


def _one(channel: str, found: Reached, asked: int, whole: Count) -> Reachable:
    reasons = Counter(found.reasons[found.channels == ""].tolist())
    people = int((found.channels != "").sum())
    return Reachable(
        channel=channel,
        people=_of(people, asked, whole),
        reasons={reason: _of(number, asked, whole) for reason, number in reasons.most_common()},
    )


def _members(rule: Rule, now: datetime) -> tuple[list[int], Count]:
    """Return whom to ask, and how many they stand for: all members, or some of them at random."""
    query = segments.compile(rule, now)
    try:
        ids = segments.fetched(query, FOR_MEMBERS)
    except OutOfTime:
        return _found(rule, now)
    total = len(ids)
    if total > MOST_ASKED:
        ids = ids[sampling.sample(total, 0, MOST_ASKED) - 1]
    return ids.tolist(), Count(value=total, low=total, high=total, exact=True)


def _found(rule: Rule, now: datetime) -> tuple[list[int], Count]:
    return counting.some(rule, now, MOST_ASKED, FOR_MEMBERS), counting.estimated(rule, now)


def _of(number: int, asked: int, whole: Count) -> Count:
    """Return the share of those asked, of the whole; both uncertainties widen the bounds."""
    if asked == 0:
        return Count(value=0, low=0, high=0 if whole.exact else whole.high, exact=whole.exact)
    if whole.exact and asked >= whole.value:
        return Count(value=number, low=number, high=number, exact=True)
    told = [sampling.estimate(number, asked, max(end, asked + 1)) for end in (whole.value, whole.low, whole.high)]
    return Count(value=told[0].value, low=told[1].low, high=told[2].high, exact=False)
