"""How likely somebody clicks at an hour, on a channel, a message: added up from what a model keeps; plain arithmetic.

The model of message response is a logistic line: an hour and a message each add the same to everybody's log-odds, and a
time of the day something of her own. What is written of a person is each channel at her best hour, and her best channel
at each time of the day; the rest follows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any, Final, Self

HOURS: Final = (8, 10, 12, 14, 16, 18, 20, 22)  # that a best one is sought among: at night nobody is written to
TIMES_OF_DAY: Final[Mapping[str, tuple[int, ...]]] = {  # and which of them each time of the day has
    "morning": (8, 10),
    "midday": (12,),
    "afternoon": (14, 16),
    "evening": (18, 20, 22),
}
BEST_HOURS: Final = 3
LETTERS: Final = "post"  # the channel of which nobody knows at what hour it is read


def time_of_day(hour: int) -> str:
    """Return which time of the day an hour belongs to; the night goes with the evening.

    >>> [time_of_day(hour) for hour in (4, 5, 11, 14, 17, 18)]
    ['evening', 'morning', 'midday', 'afternoon', 'afternoon', 'evening']
    """
    begins = {5: "morning", 11: "midday", 14: "afternoon", 18: "evening"}
    return begins[max((first for first in begins if first <= hour), default=18)]


@dataclass(frozen=True, kw_only=True)
class Added:
    """What something adds to the log-odds, and the standard error of that."""

    odds: float = 0.0
    error: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What hours add beside the best one, and messages beside one never sent; empty of a release before.

    ``own_doubt`` is the standard error of what a time of the day adds of her own, as a share of it.
    """

    hours: Sequence[Added]
    messages: Mapping[int, Added]
    own_doubt: float = 0.0

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> Self:
        """Return what a model's card keeps under ``parts``."""
        kept = kept or {}
        messages = {
            int(name): Added(odds=odds, error=error) for name, (odds, error) in kept.get("messages", {}).items()
        }
        hours = [Added(odds=odds, error=error) for odds, error in kept.get("hours", ())]
        return cls(hours=hours, messages=messages, own_doubt=kept.get("own_doubt", 0.0))


@dataclass(frozen=True, kw_only=True)
class Chance:
    """A probability with its 95 % interval, which is None where the model does not know its doubt."""

    probability: float
    low: float | None = None
    high: float | None = None

    def moved(self, *added: Added) -> "Chance":
        """Return the probability with something added to its log-odds.

        Doubts are added as they are, as if they went together: the interval is never too narrow.
        """
        odds = sum(one.odds for one in added)
        doubt = 1.96 * sum(one.error for one in added)
        return Chance(
            probability=_moved(self.probability, odds),
            low=None if self.low is None else _moved(self.low, odds - doubt),
            high=None if self.high is None else _moved(self.high, odds + doubt),
        )


@dataclass(frozen=True, kw_only=True)
class Reached:
    """A channel: how likely a click is at the hour asked for or else the best one, the best hours, and each hour."""

    channel: str
    chance: Chance
    best_hours: Sequence[int]
    hours: Mapping[int, Chance]


def reached(
    facts: Mapping[str, float | None], parts: Parts, hour: int | None = None, message: int | None = None
) -> list[Reached]:
    """Return the channels that a person's score knows, the likeliest first; an hour that cannot be told leaves none.

    Examples
    --------
    >>> hours = [[-1.0, 0.0]] * 20 + [[0.0, 0.0]] + [[-0.5, 0.0]] * 3
    >>> parts = Parts.of({"hours": hours, "messages": {"7": [1.0, 0.0]}})
    >>> (found,) = reached({"by_email": 0.5, "best_hour": 20.0}, parts)
    >>> found.channel, found.chance.probability, found.best_hours, round(found.hours[22].probability, 3)
    ('email', 0.5, [20, 22, 8], 0.378)
    >>> round(reached({"by_email": 0.5}, parts, hour=20, message=7)[0].chance.probability, 3)
    0.731
    """
    found = [_on(channel, chance, facts, parts, hour, message) for channel, chance in _channels(facts).items()]
    return sorted((one for one in found if one), key=lambda one: -one.chance.probability)


def ranked(facts: Mapping[str, float | None], parts: Parts) -> list[int]:
    """Return the hours by day from a person's best one on, whatever the channel; none where it is not known.

    Where a release before kept nothing of the other hours, those nearest to the best one come first.

    Examples
    --------
    >>> hours = [[-1.0, 0.0]] * 18 + [[-0.5, 0.0]] * 4 + [[0.0, 0.0]] * 2
    >>> ranked({"best_hour": 22.0}, Parts.of({"hours": hours}))
    [22, 18, 20, 8, 10, 12, 14, 16]
    >>> ranked({"best_hour": 22.0}, Parts.of(None)), ranked({}, Parts.of({"hours": hours}))
    ([22, 20, 18, 16, 14, 12, 10, 8], [])
    """
    told = facts.get("best_hour")
    if told is None:
        return []
    best, added = int(told), _of_hers(facts, parts)
    behind = {hour: -added[hour].odds if added else abs(hour - best) for hour in HOURS}
    return [best, *sorted(set(HOURS) - {best}, key=lambda hour: (behind[hour], hour))]


def _channels(facts: Mapping[str, float | None]) -> dict[str, Chance]:
    names = [name for name in facts if name.startswith("by_") and not name.endswith(("_low", "_high"))]
    return {
        name.removeprefix("by_"): Chance(
            probability=value, low=facts.get(f"{name}_low"), high=facts.get(f"{name}_high")
        )
        for name in names
        if (value := facts[name]) is not None
    }


def _on(
    channel: str,
    chance: Chance,
    facts: Mapping[str, float | None],
    parts: Parts,
    hour: int | None,
    message: int | None,
) -> Reached | None:
    about = parts.messages.get(message or 0, Added())
    best = facts.get("best_hour")
    at = {} if channel == LETTERS else _of_hers(facts, parts) or ({} if best is None else {int(best): Added()})
    hours = {each: chance.moved(added, about) for each, added in at.items()}
    by_day = sorted((each for each in hours if each in HOURS), key=lambda each: (-hours[each].probability, each))
    if hour is None:
        shown = {each: hours[each] for each in hours if each in HOURS}
        return Reached(channel=channel, chance=chance.moved(about), best_hours=by_day[:BEST_HOURS], hours=shown)
    if hour not in hours:
        return None
    return Reached(channel=channel, chance=hours[hour], best_hours=by_day[:BEST_HOURS], hours={hour: hours[hour]})


def _of_hers(facts: Mapping[str, float | None], parts: Parts) -> dict[int, Added]:
    """Return what each hour adds beside the person's own best one; beside everybody's where none is known of her."""
    own = {name: _own(facts, parts, name) for name in TIMES_OF_DAY} if parts.hours else {}
    odds = {hour: added.odds + own[time_of_day(hour)] for hour, added in enumerate(parts.hours)}
    best = facts.get("best_hour")
    if best is None or not any(own.values()):
        return dict(enumerate(parts.hours))
    at, hers = int(best), own[time_of_day(int(best))]
    return {
        hour: Added(
            odds=odds[hour] - odds[at],
            error=added.error + parts.hours[at].error + parts.own_doubt * abs(own[time_of_day(hour)] - hers),
        )
        if hour != at
        else Added()
        for hour, added in enumerate(parts.hours)
    }


def _own(facts: Mapping[str, float | None], parts: Parts, name: str) -> float:
    """Return what a time of the day is to a person (log-odds), less what its hours are to everybody."""
    told = facts.get(f"in_{name}")
    hours = TIMES_OF_DAY[name]
    return 0.0 if told is None else _log_odds(told) - sum(parts.hours[hour].odds for hour in hours) / len(hours)


def _moved(probability: float, odds: float) -> float:
    """Return a probability with something added to its log-odds."""
    return 1 / (1 + exp(-(_log_odds(probability) + odds)))


def _log_odds(probability: float) -> float:
    kept = min(max(probability, 1e-12), 1 - 1e-12)
    return log(kept / (1 - kept))
