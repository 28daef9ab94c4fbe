"""Two versions of a journey side by side: which steps came, went and changed, in words and on the canvas."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from campaigns.admin.journey_canvas import name_of
from campaigns.admin.journey_parts import canvas_data, head, journey_of, version_of
from campaigns.admin.journey_people import name_of as name_of_step
from campaigns.admin.journey_people import steps_of
from campaigns.admin.journey_words import TRIGGERS, outcome_word
from campaigns.admin.journey_words import WORDS as CANVAS
from campaigns.admin.segment_words import catalogue
from campaigns.models import Journey, JourneyVersion, TemplateVersion
from campaigns.rules import RuleError, parse, sentences
from crm.models import Channel, Event

WORDS: Mapping[str, Any] = {
    "title": _("name"),
    "kind": _("kind"),
    "minutes": _("How long"),
    "begins": _("from"),
    "ends": _("until"),
    "weekdays": _("On which days"),
    "event": _("event"),
    "name": _("name"),
    "rule": _("The rule"),
    "branches": _("Ways"),
    "channels": _("channels"),
    "variants": _("Messages"),
    "order": _("Which channel first"),
    "set": _("What is written down"),
}
ASIDE = frozenset({"place"})  # where a card stands changes nothing


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is different about a step: the field, what it said before and after."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What is different between two versions, by the keys of the steps."""

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, list[Change]]]
    entrance: list[Change]


def compared(one: JourneyVersion, other: JourneyVersion) -> Compared:
    """Return what came, went and changed from one version to another."""
    before, after = one.graph.get("steps", {}), other.graph.get("steps", {})
    names = {**steps_of(one), **steps_of(other)}
    both = [key for key in after if key in before]
    found = {key: (names[key], list(_changes(before[key], after[key], names))) for key in both}
    return Compared(
        added={key: names[key] for key in after if key not in before},
        removed={key: name_of_step(key, before[key]) for key in before if key not in after},
        changed={key: (name, changes) for key, (name, changes) in found.items() if changes},
        entrance=list(_entrance(one.graph, other.graph, names)),
    )


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Change]:
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field), after.get(field)
        if field == "ways":
            yield from _ways(old or {}, new or {}, names)
        elif field not in ASIDE and old != new:
            yield Change(what=str(WORDS.get(field, field)), before=_said(field, old), after=_said(field, new))


def _ways(before: Mapping[str, str], after: Mapping[str, str], names: Mapping[str, str]) -> Iterator[Change]:
    end = gettext("the journey ends")
    for outcome in dict.fromkeys([*before, *after]):
        old, new = before.get(outcome) or "", after.get(outcome) or ""
        if old != new:
            yield Change(what=outcome_word(outcome), before=names.get(old, end), after=names.get(new, end))


def _entrance(before: Mapping[str, Any], after: Mapping[str, Any], names: Mapping[str, str]) -> Iterator[Change]:
    if before.get("trigger") != after.get("trigger"):
        yield Change(what=gettext("Who enters"), before=_trigger(before), after=_trigger(after))
    if before.get("first") != after.get("first"):
        first = [names.get(str(one.get("first")), "–") for one in (before, after)]
        yield Change(what=gettext("The first step"), before=first[0], after=first[1])


def _trigger(tree: Mapping[str, Any]) -> str:
    told = tree.get("trigger", {})
    rest = [str(value) for name, value in told.items() if name not in {"kind", "event"} and value]
    event = [str(Event.Kind(told["event"]).label)] if told.get("event") in Event.Kind.values else []
    return ", ".join([str(TRIGGERS.get(told.get("kind"), told.get("kind"))), *event, *rest])


def _said(field: str, value: Any) -> str:
    """Return a field in words, as far as it is not plain already."""
    if value in (None, "", []):
        return "–"
    return (
        SAYS[field](value) if field in SAYS else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    )


def _length(minutes: Any) -> str:
    """Return a length as the canvas says it: in the largest unit that fits."""
    if not isinstance(minutes, int):
        return str(minutes)
    unit, size = next((one for one in UNITS if minutes % one[1] == 0), UNITS[-1])
    number = minutes // size
    return str(CANVAS[f"{unit}_one" if number == 1 else f"{unit}_many"]) % {"n": number}


def _branches(value: Any) -> str:
    return "; ".join(
        f"{one.get('name')}: {_sentence(one['rule']) if 'rule' in one else one.get('weight')}" for one in value
    )


def _channels(value: Any) -> str:
    return " → ".join(str(Channel(one).label) if one in Channel.values else str(one) for one in value)


def _messages(value: Any) -> str:
    templates = TemplateVersion.objects.select_related("template").in_bulk([one.get("template") for one in value])
    said = [(one.get("name"), templates.get(one.get("template"), "–"), one.get("weight", 1)) for one in value]
    return "; ".join(f"{name}: {template} × {weight}" for name, template, weight in said)


def _sentence(rule: Any) -> str:
    try:
        return sentences.sentence(parse(rule))
    except RuleError as error:
        return str(error)


UNITS = (("week", 7 * 24 * 60), ("day", 24 * 60), ("hour", 60), ("minute", 1))
SAYS: Mapping[str, Callable[[Any], str]] = {
    "rule": _sentence,
    "minutes": _length,
    "branches": _branches,
    "channels": _channels,
    "variants": _messages,
    "set": lambda value: ", ".join(f"{name} = {one}" for name, one in value.items()),
}


@require_GET
def compare_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show two versions: what is different in words, and the later one on the canvas with marks."""
    journey = journey_of(request, pk)
    one, other = version_of(request, journey, "one"), version_of(request, journey, "other")
    found = compared(one, other)
    marks = dict.fromkeys(found.added, "added") | dict.fromkeys(found.changed, "changed")
    context = {
        **site.each_context(request),
        **head(request, journey, "versions"),
        "title": str(journey),
        "opts": Journey._meta,
        "one": one,
        "other": other,
        "one_name": name_of(one),
        "other_name": name_of(other),
        "found": found,
        "same": not (found.added or found.removed or found.changed or found.entrance),
        "data": canvas_data(journey, other, marks=marks, shown=True),
        "catalogue": catalogue(),
    }
    return TemplateResponse(request, "zhiyin/journey/compare.html", context)
