"""What the canvas of a journey calls things: the kinds of steps, what comes of them, and its own words."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.journeys.checking import NO_TRIGGERS
from crm.models import Channel, Event

# By kind: what it is called, its icon, its colour, and what it is for.
KINDS: Mapping[str, tuple[Any, str, str, Any]] = {
    "send": (_("Message"), "send", "act", _("Sends a message by the first channel that reaches the person.")),
    "wait": (_("Wait"), "hourglass_top", "time", _("Lets some time go by.")),
    "wait_for_time": (_("Time window"), "schedule", "time", _("Waits for hours of the day, by her own clock.")),
    "best_hour": (_("Best hour"), "wb_sunny", "time", _("Waits for the hour at which the person is best written to.")),
    "wait_for_event": (
        _("Wait for something"),
        "notifications",
        "time",
        _("Waits for what somebody does, but not for ever."),
    ),
    "wait_for_next": (
        _("Usual day"),
        "event_repeat",
        "time",
        _("Waits for the day on which the person usually does it again, by her own median."),
    ),
    "condition": (_("Condition"), "alt_route", "ask", _("Yes or no: does a rule describe the person?")),
    "split": (_("Several ways"), "account_tree", "ask", _("The first rule that fits says which way.")),
    "random_split": (_("By chance"), "casino", "ask", _("Sends people different ways by chance, to compare them.")),
    "update": (_("Write down"), "edit", "act", _("Writes attributes into the person's profile.")),
    "webhook": (_("Tell a system"), "webhook", "act", _("Tells another system that the person came by.")),
    "goal": (_("Goal"), "flag", "end", _("The person reached what the journey is for.")),
    "exit": (_("Exit"), "logout", "end", _("The journey ends here.")),
}
OUTCOMES: Mapping[str, Any] = {
    "next": _("then"),
    "came": _("did it"),
    "not": _("did not in time"),
    "yes": _("yes"),
    "no": _("no"),
    "else": _("everybody else"),
    "unknown": _("nothing usual is known"),
    "unreached": _("could not be reached"),
    "goal": _("reached the goal"),
    "end": _("the end"),
    "skipped": _("sent past it"),
    "moved": _("moved elsewhere"),
    "retried": _("tried again"),
    "removed": _("taken out"),
}
TRIGGERS: Mapping[str, Any] = {
    "event": _("Somebody does something"),
    "segment": _("Somebody comes into the segment"),
    "date": _("A birthday"),
    "api": _("A program lets her in"),
}
WORDS: Mapping[str, Any] = {
    "trigger": _("Who enters"),
    "enters": _("Beginning"),
    "steps": _("Steps"),
    "palette_note": _("Drag one onto a line or into the open; a click hangs it on what is chosen."),
    "next_step": _("What comes next?"),
    "walking": _("At it now"),
    "failed": _("Stuck"),
    "people": _("People"),
    "way_on": _("Then"),
    "then": _("Where it goes on"),
    "ends_here": _("the journey ends"),
    "insert": _("A step between"),
    "detach": _("Cut this line"),
    "copy": _("Copy"),
    "remove": _("Remove"),
    "close": _("Close"),
    "title": _("Name of the step"),
    "name": _("name"),
    "value": _("value"),
    "how_long": _("How long"),
    "longest": _("No longer than"),
    "unit": _("unit"),
    "minutes": _("minutes"),
    "hours": _("hours"),
    "days": _("days"),
    "weeks": _("weeks"),
    "minute_one": _("1 minute"),
    "minute_many": _("%(n)s minutes"),
    "hour_one": _("1 hour"),
    "hour_many": _("%(n)s hours"),
    "day_one": _("1 day"),
    "day_many": _("%(n)s days"),
    "week_one": _("1 week"),
    "week_many": _("%(n)s weeks"),
    "within_time": _("%(event)s within %(time)s?"),
    "comma": pgettext_lazy("between the parts of a list", ", "),
    "event": pgettext_lazy("trigger", "event"),
    "event_name": _("name of the event"),
    "any_name": _("any name"),
    "from": _("from"),
    "until": _("until"),
    "weekdays": _("On which days"),
    "rule": _("The rule"),
    "rule_to_come": _("Everybody: no rule is set yet."),
    "edit_rule": _("Edit the rule"),
    "see_rule": _("See the rule"),
    "of_rules": _("The first of %(n)s rules that fits"),
    "split_note": _("Rules are asked from the top; who fits none goes the last way."),
    "branches": _("Ways"),
    "more_branch": _("one more way"),
    "weight": _("weight"),
    "channels": _("channels"),
    "channels_note": _("In the order in which they are chosen: the next one where one cannot reach a person."),
    "order": _("Which channel first"),
    "order_given": _("in this order"),
    "order_preference": _("the one that the person prefers"),
    "message": _("Message"),
    "messages": _("Messages that are compared"),
    "more_message": _("compare with another message"),
    "template": _("template"),
    "no_template": _("no message is chosen"),
    "no_templates": _("There is no template yet: write one first."),
    "says_nothing": _("It says nothing for: %(channels)s."),
    "attributes": _("What is written down"),
    "more_attribute": _("one more"),
    "webhook_name": _("Name of the step for the other system"),
    "webhook_note": _("Webhooks that ask for steps of journeys are told."),
    "goal_says": _("Counts as reached; the journey ends."),
    "exit_says": _("The journey ends without its goal."),
    "usual_before": _("%(n)s days before the usual next one: %(event)s"),
    "usual_on": _("on the day of the usual next one: %(event)s"),
    "present": _("Who is in it already"),
    "present_not": _("does not enter"),
    "present_too": _("enters at the beginning"),
    "trigger_present_says": _("whoever is in the segment, and comes into it"),
    "trigger_segment_says": _("when somebody comes into the segment"),
    "trigger_before": _("%(n)s days before the birthday, at %(at)s"),
    "trigger_on": _("on the birthday, at %(at)s"),
    "trigger_api_says": _("when a program says so, by the API"),
    "days_before": _("days before the day"),
    "at": _("at (by her clock)"),
    "first": _("The first step"),
    "before_submit": _("Before it can be submitted"),
    "to_know": _("Good to know"),
    "choose_step": _("Choose a step to see what it says."),
    "fine": _("Nothing stands against it."),
    "problem_one": _("1 problem"),
    "problem_many": _("%(n)s problems"),
    "unsaved": _("not saved yet"),
    "saving": _("saving…"),
    "saved": _("saved"),
    "not_saved": _("It was not saved."),
    "unreachable": _("The server could not be asked. It is asked again with the next change."),
}


def words() -> dict[str, Any]:
    """Return all of it in the reader's language, for ``journey_*.js``."""
    return {
        "words": {name: str(text) for name, text in WORDS.items()},
        "kinds": [
            {"code": code, "label": str(label), "icon": icon, "tone": tone, "hint": str(hint)}
            for code, (label, icon, tone, hint) in KINDS.items()
        ],
        "outcomes": {code: str(text) for code, text in OUTCOMES.items()},
        "triggers": _pairs(TRIGGERS),
        "weekdays": [str(WEEKDAYS_ABBR[day]) for day in range(7)],
        "events": [(kind.value, str(kind.label)) for kind in Event.Kind if kind not in NO_TRIGGERS],
        "channels": [(code, str(text)) for code, text in Channel.choices],
    }


def _pairs(told: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    return [(code, capfirst(str(text))) for code, text in told.items()]


def outcome_word(outcome: str) -> str:
    """Return what came of a step, in words; a branch is called what it was called on the canvas."""
    return str(OUTCOMES.get(outcome, outcome))
