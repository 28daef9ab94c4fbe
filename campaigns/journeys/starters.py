"""The journeys to start from: what each is for, what it needs, and its steps for a purpose, channels and messages.

Consent is asked at a step of its own before the first message, so that a canvas shows where people go who allow none;
the gate of every message asks it again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Journey
from crm.models import Event, Purpose

HOUR, DAY = 60, 24 * 60  # minutes
Words = str | Promise
Tree = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a journey is made for: the code of its purpose, its channels, and the template version of each message."""

    purpose: str
    channels: Sequence[str]
    templates: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Starter:
    """A journey to start from.

    ``messages`` are those that it sends (``starter_words``), ``rule`` says who may enter where nobody chooses another
    segment, ``needs`` what has to be there for it to do any good.
    """

    key: str
    title: Words
    about: Words
    needs: Sequence[Words]
    graph: Callable[[Setting], Tree]
    messages: Sequence[str]
    rule: Mapping[str, Any] = field(default_factory=lambda: {"all": []})
    purpose: str = Purpose.Kind.MARKETING
    goal: str = Event.Kind.PURCHASE
    window: timedelta = timedelta(days=14)
    again: str = Journey.Again.ENDED
    again_after: timedelta = timedelta(days=90)
    leave_at_goal: bool = True


def _tree(trigger: Tree, first: str, **steps: Tree) -> Tree:
    return {"trigger": trigger, "first": first, "steps": steps}


def _allowed(of: Setting, to: str) -> dict[str, Tree]:
    """Return the steps that ask for consent on any of the channels, and where people go who gave none."""
    parts = [{"consent": of.purpose, "channel": channel, "is": "allowed"} for channel in of.channels]
    return {
        "consent": {
            "kind": "condition",
            "title": _("May we write to her?"),
            "rule": {"any": parts},
            "ways": {"yes": to, "no": "not_allowed"},
        },
        "not_allowed": _exit(_("Did not allow it")),
        "not_reached": _exit(_("Could not be reached")),
    }


def _daytime(to: str) -> Tree:
    return {
        "kind": "wait_for_time",
        "title": _("In the daytime"),
        "begins": "10:00",
        "ends": "20:00",
        "weekdays": [],
        "ways": {"next": to},
    }


def _wait(minutes: int, to: str, title: str) -> Tree:
    return {"kind": "wait", "title": title, "minutes": minutes, "ways": {"next": to}}


def _happens(event: str, minutes: int, title: str, came: str, otherwise: str) -> Tree:
    return {
        "kind": "wait_for_event",
        "title": title,
        "event": event,
        "minutes": minutes,
        "ways": {"came": came, "not": otherwise},
    }


def _send(of: Setting, message: str, to: str, title: str) -> Tree:
    return {
        "kind": "send",
        "title": title,
        "channels": list(of.channels),
        "order": "preference",
        "variants": [{"name": "A", "template": of.templates[message], "weight": 1}],
        "ways": {"next": to, "unreached": "not_reached"},
    }


def _goal(title: str) -> Tree:
    return {"kind": "goal", "title": title}


def _exit(title: str) -> Tree:
    return {"kind": "exit", "title": title}


def _welcome(of: Setting) -> Tree:
    return _tree(
        {"kind": "event", "event": Event.Kind.IDENTIFY.value}, "consent",
        **_allowed(of, "daytime"),
        daytime=_daytime("welcome"),
        welcome=_send(of, "welcome", "bought", _("Welcome")),
        bought=_happens("purchase", 4 * DAY, _("Buys something?"), "began", "daytime_2"),
        daytime_2=_daytime("first_offer"),
        first_offer=_send(of, "first_offer", "bought_2", _("A few things to begin with")),
        bought_2=_happens("purchase", 10 * DAY, _("Buys something now?"), "began", "over"),
        began=_goal(_("First purchase")),
        over=_exit(_("Did not buy yet")),
    )  # fmt: skip


def _first_purchase(of: Setting) -> Tree:
    return _tree(
        {"kind": "event", "event": Event.Kind.PURCHASE.value}, "settle",
        settle=_wait(DAY, "consent", _("A day later")),
        **_allowed(of, "daytime"),
        daytime=_daytime("thanks"),
        thanks=_send(of, "thanks", "bought", _("Thank you")),
        bought=_happens("purchase", 14 * DAY, _("Buys again?"), "again", "daytime_2"),
        daytime_2=_daytime("second_offer"),
        second_offer=_send(of, "second_offer", "bought_2", _("What goes well with it")),
        bought_2=_happens("purchase", 14 * DAY, _("Buys again now?"), "again", "over"),
        again=_goal(_("Second purchase")),
        over=_exit(_("Did not come back yet")),
    )  # fmt: skip


def _replenishment(of: Setting) -> Tree:
    return _tree(
        {"kind": "event", "event": Event.Kind.PURCHASE.value}, "due",
        due={
            "kind": "wait_for_next",
            "title": _("Two days before she usually buys"),
            "event": Event.Kind.PURCHASE.value,
            "days_before": 2,
            "minutes": 120 * DAY,
            "ways": {"next": "consent", "unknown": "unknown"},
        },
        unknown=_exit(_("Bought too seldom to tell when")),
        **_allowed(of, "daytime"),
        daytime=_daytime("order_again"),
        order_again=_send(of, "order_again", "bought", _("Is it time again?")),
        bought=_happens("purchase", 10 * DAY, _("Buys again?"), "again", "over"),
        again=_goal(_("Filled up")),
        over=_exit(_("Did not need it")),
    )  # fmt: skip


def _left_behind(event: str) -> Callable[[Setting], Tree]:
    def graph(of: Setting) -> Tree:
        return _tree(
            {"kind": "event", "event": event}, "thinks",
            thinks=_happens("purchase", 4 * HOUR, _("Buys within four hours?"), "bought", "consent"),
            **_allowed(of, "daytime"),
            daytime=_daytime("left_behind"),
            left_behind=_send(of, "left_behind", "decides", _("It is still there")),
            decides=_happens("purchase", 3 * DAY, _("Buys now?"), "bought", "over"),
            bought=_goal(_("Bought it")),
            over=_exit(_("Does not want it")),
        )  # fmt: skip

    return graph


def _win_back(of: Setting) -> Tree:
    return _tree(
        {"kind": "segment", "present": True}, "quiet",
        quiet=_happens("purchase", 3 * DAY, _("Quiet for three days?"), "back", "consent"),
        **_allowed(of, "daytime"),
        daytime=_daytime("we_miss_you"),
        we_miss_you=_send(of, "we_miss_you", "bought", _("We have not seen you")),
        bought=_happens("purchase", 7 * DAY, _("Buys within a week?"), "back", "daytime_2"),
        daytime_2=_daytime("coupon"),
        coupon=_send(of, "coupon", "bought_2", _("A coupon")),
        bought_2=_happens("purchase", 14 * DAY, _("Buys with it?"), "back", "over"),
        back=_goal(_("Is back")),
        over=_exit(_("Is gone")),
    )  # fmt: skip


def _birthday(of: Setting) -> Tree:
    return _tree(
        {"kind": "date", "field": "birthday", "days_before": 3, "at": "10:00"}, "consent",
        **_allowed(of, "birthday"),
        birthday=_send(of, "birthday", "comes", _("Happy birthday")),
        comes=_happens("purchase", 10 * DAY, _("Comes by?"), "came", "over"),
        came=_goal(_("Was here")),
        over=_exit(_("Did not come by")),
    )  # fmt: skip


def _survey(of: Setting) -> Tree:
    return _tree(
        {"kind": "event", "event": Event.Kind.TRACK.value, "name": "Service Completed"}, "settle",
        settle=_wait(2 * HOUR, "consent", _("Two hours later")),
        **_allowed(of, "daytime"),
        daytime=_daytime("survey"),
        survey=_send(of, "survey", "answers", _("How did we do?")),
        answers=_happens("replied", 5 * DAY, _("Answers?"), "answered", "over"),
        answered=_goal(_("Answered")),
        over=_exit(_("Did not answer")),
    )  # fmt: skip


_CONSENT = gettext_lazy("People who allow marketing on one of the channels; the others leave at the first step.")
_PURCHASES = gettext_lazy("Purchases in the log.")
_ITEMS = gettext_lazy("Recommendations, or popular items: without them the list in the e-mail is empty.")

STARTERS: Sequence[Starter] = (
    Starter(
        key="welcome",
        title=gettext_lazy("Welcome newcomers"),
        about=gettext_lazy("Greets who has just joined, and leads to the first purchase."),
        needs=(
            gettext_lazy("Events “identified” when somebody joins. For followers of WeChat take “WeChat Followed”."),
            _CONSENT,
            _ITEMS,
        ),
        graph=_welcome,
        messages=("welcome", "first_offer"),
        again=Journey.Again.NEVER,
        again_after=timedelta(0),
    ),
    Starter(
        key="first_purchase",
        title=gettext_lazy("First purchase"),
        about=gettext_lazy("Thanks for the first purchase, and leads to the second."),
        needs=(_PURCHASES, _CONSENT, _ITEMS),
        graph=_first_purchase,
        messages=("thanks", "second_offer"),
        rule={
            "all": [
                {"event": "purchase", "measure": {"first": {"is": "within_days", "value": 2}}},
            ]
        },
        window=timedelta(days=28),
        again=Journey.Again.NEVER,
        again_after=timedelta(0),
    ),
    Starter(
        key="replenishment",
        title=gettext_lazy("Replenishment"),
        about=gettext_lazy("Asks who buys regularly whether it is time again, two days before she usually does."),
        needs=(gettext_lazy("People who bought at least three times in half a year."), _CONSENT, _ITEMS),
        graph=_replenishment,
        messages=("order_again",),
        rule={
            "all": [
                {
                    "event": "purchase",
                    "within": {"days": 183},
                    "measure": {"count": {"is": "at_least", "value": 3}},
                }
            ]
        },
        again_after=timedelta(days=21),
        leave_at_goal=False,  # what she buys while she waits moves the day, and is no answer to a message
    ),
    Starter(
        key="cart",
        title=gettext_lazy("Cart left behind"),
        about=gettext_lazy("Reminds who put something into the cart and did not buy it, once."),
        needs=(gettext_lazy("Events “added to cart” of a shop, and its purchases."), _CONSENT),
        graph=_left_behind(Event.Kind.CART.value),
        messages=("left_behind",),
        window=timedelta(days=7),
        again_after=timedelta(days=14),
    ),
    Starter(
        key="browse",
        title=gettext_lazy("Looked at, not bought"),
        about=gettext_lazy("Reminds who looked at something and did not buy it, at most once a month."),
        needs=(gettext_lazy("Events “item viewed” of a shop, and its purchases."), _CONSENT),
        graph=_left_behind(Event.Kind.VIEW.value),
        messages=("left_behind",),
        window=timedelta(days=7),
        again_after=timedelta(days=30),
    ),
    Starter(
        key="win_back",
        title=gettext_lazy("Win back"),
        about=gettext_lazy("Writes to who will probably not come back, and sends a coupon if that does not help."),
        needs=(
            gettext_lazy("A model of churn that has scored people; the segment says from which risk on."),
            _CONSENT,
            gettext_lazy("A coupon of the catalogue with the code welcome_back, if the message is to show its code."),
        ),
        graph=_win_back,
        messages=("we_miss_you", "coupon"),
        rule={"all": [{"score": "churn", "is": "at_least", "value": 0.3}]},
        window=timedelta(days=28),
    ),
    Starter(
        key="birthday",
        title=gettext_lazy("Birthday"),
        about=gettext_lazy("Wishes a happy birthday, three days before."),
        needs=(gettext_lazy("Birthdays (day and month are enough)."), _CONSENT),
        graph=_birthday,
        messages=("birthday",),
        again_after=timedelta(days=300),
    ),
    Starter(
        key="survey",
        title=gettext_lazy("After service"),
        about=gettext_lazy("Asks after a service how it was, once, and waits for the answer."),
        needs=(
            gettext_lazy("Events “other action” with the name Service Completed."),
            gettext_lazy("A purpose that is a service: an answer is asked for, and nothing is sold."),
        ),
        graph=_survey,
        messages=("survey",),
        purpose=Purpose.Kind.SERVICE,
        goal=Event.Kind.REPLIED,
        window=timedelta(days=5),
        again_after=timedelta(days=30),
    ),
)
