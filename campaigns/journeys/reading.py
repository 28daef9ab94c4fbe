"""How each kind of step, and what lets people in, is read from JSON."""

from collections.abc import Callable, Mapping
from datetime import time, timedelta

from django.utils.translation import gettext as _

from campaigns import rules
from campaigns.journeys.nodes import (
    ELSE,
    GIVEN,
    PREFERENCE,
    BestHour,
    Condition,
    Exit,
    Goal,
    RandomSplit,
    Send,
    Split,
    Step,
    Trigger,
    Update,
    Wait,
    WaitForEvent,
    WaitForNext,
    WaitForTime,
    Webhook,
)
from campaigns.rules.nodes import Rule
from campaigns.rules.reading import Place, RuleError
from crm.models import Channel, Event

MOST_BRANCHES, KEY, VARIANT = 20, 24, 20
A_YEAR = 366 * 24 * 60  # minutes

Told = Mapping[str, Place]


def _length(at: Place) -> timedelta:
    return timedelta(minutes=at.whole(1, A_YEAR))


def _yes_or_no(at: Place) -> bool:
    if not isinstance(at.value, bool):
        raise at.wrong(_("yes or no was expected"))
    return at.value


def _time(at: Place) -> time:
    try:
        return time.fromisoformat(at.text(5))
    except ValueError:
        raise at.wrong(_("a time like 09:30 was expected")) from None


def _wait(key: str, title: str, told: Told) -> Step:
    return Wait(key=key, title=title, length=_length(told["minutes"]))


def _wait_for_time(key: str, title: str, told: Told) -> Step:
    begins, ends = _time(told["begins"]), _time(told["ends"])
    if begins >= ends:
        raise told["ends"].wrong(_("it ends before it begins"))
    days = tuple(one.whole(0, 6) for one in told["weekdays"].items(7)) if "weekdays" in told else ()
    return WaitForTime(key=key, title=title, begins=begins, ends=ends, weekdays=tuple(sorted(set(days))))


def _best_hour(key: str, title: str, told: Told) -> Step:
    return BestHour(key=key, title=title)


def _wait_for_event(key: str, title: str, told: Told) -> Step:
    event, name = _event(told)
    return WaitForEvent(key=key, title=title, event=event, name=name, longest=_length(told["minutes"]))


def _wait_for_next(key: str, title: str, told: Told) -> Step:
    early = timedelta(days=told["days_before"].whole(0, 60) if "days_before" in told else 0)
    event = told["event"].one_of(Event.Kind.values)
    return WaitForNext(key=key, title=title, event=event, early=early, longest=_length(told["minutes"]))


def _event(told: Told) -> tuple[str, str]:
    name = told["name"].text() if told.get("name") and told["name"].value else ""
    return told["event"].one_of(Event.Kind.values), name


def _rule(at: Place) -> Rule:
    try:
        return rules.parse(at.value)
    except RuleError as error:
        raise RuleError(f"{at.path}.{error.path}" if error.path else at.path, error.reason) from None


def _condition(key: str, title: str, told: Told) -> Step:
    return Condition(key=key, title=title, rule=_rule(told["rule"]))


def _branches(at: Place, what: str) -> list[tuple[str, Place]]:
    found = []
    for one in at.items(MOST_BRANCHES, 1):
        told = one.keys({"name", what})
        found.append((one.need("name", {"name", what}).text(KEY), told.get(what) or one.need(what, {"name", what})))
    names = [name for name, _place in found]
    if len(set(names)) < len(names) or ELSE in names:
        raise at.wrong(_("each branch needs a name of its own"))
    return found


def _split(key: str, title: str, told: Told) -> Step:
    branches = tuple((name, _rule(place)) for name, place in _branches(told["branches"], "rule"))
    return Split(key=key, title=title, branches=branches)


def _random_split(key: str, title: str, told: Told) -> Step:
    branches = tuple((name, place.whole(1, 1000)) for name, place in _branches(told["branches"], "weight"))
    return RandomSplit(key=key, title=title, branches=branches)


def _send(key: str, title: str, told: Told) -> Step:
    channels = tuple(one.one_of(Channel.values) for one in told["channels"].items(len(Channel.values), 1))
    variants = []
    for one in told["variants"].items(MOST_BRANCHES, 1):
        of = one.keys({"name", "template", "weight"})
        name = one.need("name", of).text(VARIANT)
        weight = of["weight"].whole(1, 1000) if "weight" in of else 1
        variants.append((name, one.need("template", of).whole(1, 2**31 - 1), weight))
    if len({name for name, _template, _weight in variants}) < len(variants):
        raise told["variants"].wrong(_("each message needs a name of its own"))
    order = told["order"].one_of({GIVEN, PREFERENCE}) if "order" in told else GIVEN
    return Send(key=key, title=title, channels=tuple(dict.fromkeys(channels)), variants=tuple(variants), order=order)


def _update(key: str, title: str, told: Told) -> Step:
    at = told["set"]
    if not isinstance(at.value, dict) or not 1 <= len(at.value) <= MOST_BRANCHES:
        raise at.wrong(_("1 to %(most)s attributes were expected") % {"most": MOST_BRANCHES})
    values: dict[str, object] = {}
    for name, place in at.keys(at.value.keys()).items():
        Place(value=name, path=at.path).text(80)
        if place.value is None or isinstance(place.value, bool):
            values[name] = place.value
        elif isinstance(place.value, int | float):
            values[name] = float(place.number()) if isinstance(place.value, float) else place.value
        else:
            values[name] = place.text()
    return Update(key=key, title=title, attributes=values)


def _webhook(key: str, title: str, told: Told) -> Step:
    return Webhook(key=key, title=title, name=told["name"].text(80))


def _goal(key: str, title: str, told: Told) -> Step:
    return Goal(key=key, title=title)


def _exit(key: str, title: str, told: Told) -> Step:
    return Exit(key=key, title=title)


Read = Callable[[str, str, Told], Step]
OPTIONAL = frozenset({"name", "weekdays", "order", "days_before"})
KINDS: Mapping[str, tuple[Read, tuple[str, ...]]] = {
    Wait.kind: (_wait, ("minutes",)),
    WaitForTime.kind: (_wait_for_time, ("begins", "ends", "weekdays")),
    BestHour.kind: (_best_hour, ()),
    WaitForEvent.kind: (_wait_for_event, ("event", "name", "minutes")),
    WaitForNext.kind: (_wait_for_next, ("event", "days_before", "minutes")),
    Condition.kind: (_condition, ("rule",)),
    Split.kind: (_split, ("branches",)),
    RandomSplit.kind: (_random_split, ("branches",)),
    Send.kind: (_send, ("channels", "variants", "order")),
    Update.kind: (_update, ("set",)),
    Webhook.kind: (_webhook, ("name",)),
    Goal.kind: (_goal, ()),
    Exit.kind: (_exit, ()),
}


def trigger(at: Place) -> Trigger:
    kinds = {"event": {"event", "name"}, "segment": {"present"}, "date": {"field", "days_before", "at"}, "api": set()}
    kind = at.need("kind", {"kind", *(name for names in kinds.values() for name in names)}).one_of(kinds)
    told = at.keys({"kind", *kinds[kind]})
    if kind == "event":
        at.need("event", told)
        event, name = _event(told)
        return Trigger(kind=kind, event=event, name=name)
    if kind == "segment":
        return Trigger(kind=kind, present="present" in told and _yes_or_no(told["present"]))
    if kind == "date":
        days = told["days_before"].whole(0, 60) if "days_before" in told else 0
        hour = _time(told["at"]) if "at" in told else Trigger.at
        return Trigger(kind=kind, field=at.need("field", told).one_of({"birthday"}), days_before=days, at=hour)
    return Trigger(kind=kind)
