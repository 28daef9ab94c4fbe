"""The steps of a journey, read from JSON; what is not understood is refused by its place, as rules are.

``{"trigger": {…}, "first": "wait", "steps": {"wait": {"kind": "wait", "minutes": 60, "ways": {"next": "mail"}}, …}}``

Each step has *ways*: by what comes of it, the step that follows. A way that leads nowhere leads out of the journey.
"""

from django.utils.translation import gettext as _

from campaigns.journeys.nodes import (
    CAME,
    ELSE,
    END,
    IN_TIME_NOT,
    NEXT,
    NO,
    PREFERENCE,
    UNKNOWN,
    UNREACHED,
    YES,
    BestHour,
    Condition,
    Exit,
    Goal,
    Graph,
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
from campaigns.journeys.reading import KEY, KINDS, OPTIONAL, trigger
from campaigns.rules.reading import Place, RuleError

__all__ = [
    "CAME",
    "ELSE",
    "END",
    "IN_TIME_NOT",
    "NEXT",
    "NO",
    "PREFERENCE",
    "UNKNOWN",
    "UNREACHED",
    "YES",
    "BestHour",
    "Condition",
    "Exit",
    "Goal",
    "Graph",
    "RandomSplit",
    "Send",
    "Split",
    "Step",
    "Trigger",
    "Update",
    "Wait",
    "WaitForEvent",
    "WaitForNext",
    "WaitForTime",
    "Webhook",
    "parse",
]

MOST_STEPS, FARTHEST = 200, 1_000_000


def parse(tree: object) -> Graph:
    """Return the journey that a tree of JSON describes.

    Raises
    ------
    RuleError
        Something in it is not understood; the error names the place.
    """
    told = Place(value=tree).keys({"trigger", "first", "steps"})
    for name in ("trigger", "first", "steps"):
        if name not in told:
            raise RuleError("", _("“%(key)s” is missing") % {"key": name})
    steps = _steps(told["steps"])
    first = told["first"].text(KEY)
    if first not in steps:
        raise told["first"].wrong(_("there is no such step"))
    return Graph(trigger=trigger(told["trigger"]), first=first, steps=steps)


def _steps(at: Place) -> dict[str, Step]:
    if not isinstance(at.value, dict) or not 1 <= len(at.value) <= MOST_STEPS:
        raise at.wrong(_("1 to %(most)s steps were expected") % {"most": MOST_STEPS})
    places = at.keys(at.value.keys())
    steps: dict[str, Step] = {}
    for key, place in places.items():
        if not key or len(key) > KEY or key[0] in "-_" or not all(one.isalnum() or one in "-_" for one in key):
            raise place.wrong(_("a step's name is made of letters and digits"))
        steps[key] = _step(key, place)
    for key, place in places.items():
        for outcome, target in steps[key].ways.items():
            if target and target not in steps:
                raise RuleError(f"{place.path}.ways.{outcome}", _("there is no such step"))
    return steps


def _step(key: str, at: Place) -> Step:
    if not isinstance(at.value, dict):
        raise at.wrong(_("an object was expected"))
    kind = Place(value=at.value.get("kind"), path=f"{at.path}.kind").one_of(KINDS)
    read, names = KINDS[kind]
    told = at.keys({"kind", "title", "ways", "place", *names})
    for name in names:
        if name not in told and name not in OPTIONAL:
            raise at.wrong(_("“%(key)s” is missing") % {"key": name})
    if told.get("place") and told["place"].value is not None:  # where its card stands
        for one in told["place"].items(2, 2):
            one.number(-FARTHEST, FARTHEST)
    title = told["title"].text(80) if told.get("title") and told["title"].value else ""
    step = read(key, title, told)
    ways = told["ways"].keys(step.outcomes) if "ways" in told else {}
    return type(step)(**{**vars(step), "ways": {name: _target(place) for name, place in ways.items()}})


def _target(at: Place) -> str:
    return "" if at.value in ("", None) else at.text(KEY)
