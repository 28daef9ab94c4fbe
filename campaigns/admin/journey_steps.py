"""The steps of a journey as a plain list of forms: what the canvas draws, for those who cannot use it."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import orjson
from django.contrib import messages
from django.contrib.admin import site
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.admin.journey_parts import CHANGE, canvas_data, head, journey_of, looked_at, version_of
from campaigns.admin.journey_people import name_of, steps_of
from campaigns.admin.journey_words import KINDS, outcome_word, words
from campaigns.journeys import graph, versions
from campaigns.models import Journey, JourneyVersion
from campaigns.rules import RuleError
from crm.admin.lists import person_of

Tree = dict[str, Any]
MOST = 200
A_DAY = 24 * 60

# By kind: its fields, each with its sort of control; and a new step of it.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "wait": {"minutes": "number"},
    "wait_for_time": {"begins": "time", "ends": "time", "weekdays": "weekdays"},
    "wait_for_event": {"event": "event", "name": "text", "minutes": "number"},
    "wait_for_next": {"event": "event", "days_before": "number", "minutes": "number"},
    "condition": {"rule": "json"},
    "split": {"branches": "json"},
    "random_split": {"branches": "json"},
    "send": {"channels": "channels", "order": "order", "variants": "json"},
    "update": {"set": "json"},
    "webhook": {"name": "text"},
}
BLANKS: Mapping[str, Tree] = {
    "wait": {"minutes": A_DAY},
    "wait_for_time": {"begins": "09:00", "ends": "20:00", "weekdays": []},
    "wait_for_event": {"event": "purchase", "minutes": 7 * A_DAY},
    "wait_for_next": {"event": "purchase", "days_before": 2, "minutes": 90 * A_DAY},
    "condition": {"rule": {"all": []}},
    "split": {"branches": [{"name": "A", "rule": {"all": []}}, {"name": "B", "rule": {"all": []}}]},
    "random_split": {"branches": [{"name": "A", "weight": 1}, {"name": "B", "weight": 1}]},
    "send": {"channels": ["email"], "variants": [{"name": "A", "template": 0, "weight": 1}]},
    "update": {"set": {"stage": ""}},
    "webhook": {"name": "step"},
}
LABELS: Mapping[str, Any] = {
    "minutes": _("minutes"),
    "begins": _("from"),
    "ends": _("until"),
    "weekdays": _("On which days"),
    "event": _("event"),
    "days_before": _("days before the day"),
    "name": _("name"),
    "rule": _("The rule"),
    "branches": _("Ways"),
    "channels": _("channels"),
    "order": _("Which channel first"),
    "variants": _("Messages"),
    "set": _("What is written down"),
}


def _whole(told: QueryDict, name: str) -> Any:
    said = told.get(name, "").strip()
    return int(said) if said.isdecimal() and len(said) < 9 else said


def _text(told: QueryDict, name: str) -> str:
    return told.get(name, "").strip()


def _json(told: QueryDict, name: str) -> Any:
    said = told.get(name, "")
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        return said  # shown again, and refused where it stands


READ: Mapping[str, Callable[[QueryDict, str], Any]] = {
    "number": _whole,
    "json": _json,
    "weekdays": lambda told, name: [int(one) for one in told.getlist(name) if one.isdecimal()],
    "channels": lambda told, name: told.getlist(name),
}


def read(tree: Tree, told: QueryDict) -> Tree:
    """Return the steps with what the form says of each; where cards stand is kept."""
    made = deepcopy(tree)
    steps: dict[str, Any] = made["steps"]
    for key in [key for key in steps if f"{key}.remove" in told and len(steps) > 1]:
        del steps[key]
    for key, step in steps.items():
        steps[key] = _step(key, step, told)
    for step in steps.values():
        step["ways"] = {name: to if to in steps else "" for name, to in step.get("ways", {}).items()}
    made["first"] = told.get("first", "") if told.get("first") in steps else next(iter(steps))
    if told.get("add") in KINDS and "add_it" in told and len(steps) < MOST:
        _add(made, str(told.get("add")), told.get("behind", ""))
    return made


def _step(key: str, step: Tree, told: QueryDict) -> Tree:
    made = dict(step)
    if title := told.get(f"{key}.title", "").strip():
        made["title"] = title[:80]
    else:
        made.pop("title", None)
    for name, control in FIELDS.get(str(step.get("kind")), {}).items():
        value = READ.get(control, _text)(told, f"{key}.{name}")
        if value in ("", []) and name in {"name", "order", "weekdays"}:
            made.pop(name, None)
        else:
            made[name] = value
    ways = {name: told.get(f"{key}.ways.{name}", "") for name in outcomes(made)}
    return made | {"ways": {name: to for name, to in ways.items() if to}}


def _add(tree: Tree, kind: str, behind: str) -> None:
    """Put a new step behind another, on its first way; what stood there follows it."""
    steps = tree["steps"]
    key = next(name for number in range(1, MOST + 2) if (name := f"{kind[:18]}-{number}") not in steps)
    made = {"kind": kind, **deepcopy(dict(BLANKS.get(kind, {}))), "ways": {}}
    before = steps.get(behind)
    if before is not None and (names := outcomes(before)):
        way = next((name for name in names if not before["ways"].get(name)), names[0])
        if (on := before["ways"].get(way)) and (own := outcomes(made)):
            made["ways"] = {own[0]: on}
        before["ways"] = before["ways"] | {way: key}
    for step in steps.values():
        step.pop("place", None)  # laid out anew
    steps[key] = made


def outcomes(step: Tree) -> list[str]:
    """Return what may come of a step as far as it is understood."""
    alone = {"trigger": {"kind": "api"}, "first": "one", "steps": {"one": {**step, "ways": {}}}}
    try:
        return list(graph.parse(alone).steps["one"].outcomes)
    except RuleError:
        return list(step.get("ways", {}))


def steps_view(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the steps one below the other, and keep what is changed as a draft."""
    journey = journey_of(request, pk)
    version = version_of(request, journey)
    tree: Tree = version.graph
    if request.method == "POST":
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        tree = read(tree, request.POST)
        if kept := _kept(request, journey, tree):
            messages.success(request, gettext("Saved as version %(number)s.") % {"number": kept.number})
            return redirect(f"{reverse('admin:campaigns_journey_steps', args=[pk])}?version={kept.pk}")
    return _shown(request, journey, version, tree)


def _kept(request: HttpRequest, journey: Journey, tree: Tree) -> JourneyVersion | None:
    try:
        return versions.save(journey, tree, person_of(request), timezone.now())
    except RuleError as error:
        messages.error(request, gettext("It was not saved: %(why)s") % {"why": error})
        return None


def _shown(request: HttpRequest, journey: Journey, version: JourneyVersion, tree: Tree) -> HttpResponse:
    found, said = looked_at(journey, tree)
    told = words()
    shown = JourneyVersion(pk=version.pk, journey=journey, graph=tree)
    names = steps_of(shown)
    context = {
        **site.each_context(request),
        **head(request, journey, "steps"),
        "title": str(journey),
        "opts": Journey._meta,
        "version": version,
        "may_change": request.user.has_perm(CHANGE),
        "first": tree.get("first"),
        "names": names,
        "whole": [one for one in found if not one["step"]],
        "steps": [_form(key, step, names, found, said) for key, step in _ordered(tree)],
        "kinds": [(code, facts[0]) for code, facts in KINDS.items()],
        "events": told["events"],
        "channels": told["channels"],
        "weekdays": list(enumerate(told["weekdays"])),
        "templates": canvas_data(journey, shown)["templates"],
    }
    return TemplateResponse(request, "zhiyin/journey/steps.html", context)


def _ordered(tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield the steps as they follow each other from the first, then those to which no way leads."""
    steps = {key: step for key, step in tree["steps"].items() if isinstance(step, dict)}
    left, seen = [tree.get("first", "")], set()
    while left:
        key = left.pop()
        if key in steps and key not in seen:
            seen.add(key)
            yield key, steps[key]
            left += reversed(list(steps[key].get("ways", {}).values()))
    yield from ((key, step) for key, step in steps.items() if key not in seen)


def _form(key: str, step: Tree, names: Mapping[str, str], found: list[Tree], said: Mapping[str, str]) -> Tree:
    kind = str(step.get("kind", ""))
    fields = [
        (f"{key}.{name}", LABELS[name], control, _value(step.get(name), control))
        for name, control in FIELDS.get(kind, {}).items()
    ]
    ways = [(f"{key}.ways.{name}", outcome_word(name), step.get("ways", {}).get(name, "")) for name in outcomes(step)]
    return {
        "key": key,
        "title": step.get("title", ""),
        "label": name_of(key, {"kind": kind}),
        "icon": KINDS.get(kind, ("", "help"))[1],
        "fields": fields,
        "ways": ways,
        "others": {other: name for other, name in names.items() if other != key},
        "said": [text for place, text in said.items() if place.split(" ")[0] == key],
        "problems": [one for one in found if one["step"] == key],
    }


def _value(value: Any, control: str) -> Any:
    if control == "json" and not isinstance(value, str):
        return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    return value if value is not None or control not in {"text", "order"} else ""
