"""Words about what campaigns cause: ways of choosing, learners, what is assumed, and figures as they are read."""

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.charts import rounded, written

Measure = Mapping[str, float | None]  # value, low, high

WAYS: Final[Mapping[str, Any]] = {
    "nobody": gettext_lazy("Send to nobody"),
    "by_lot": gettext_lazy("Send to %(share)s, drawn by lot"),
    "targeted": gettext_lazy("Send to the %(share)s it helps most"),
    "everybody": gettext_lazy("Send to everybody"),
}
LEARNERS: Final[Mapping[str, tuple[Any, Any]]] = {
    "t": (gettext_lazy("T-learner"), gettext_lazy("one model of those who got it, one of those held out")),
    "s": (gettext_lazy("S-learner"), gettext_lazy("one model that knows who got it")),
    "x": (gettext_lazy("X-learner"), gettext_lazy("what each did beyond what the other group leads one to expect")),
    "class_transformation": (
        gettext_lazy("Class transformation"),
        gettext_lazy("one model of who did what their group should"),
    ),
}
BASES: Final[Mapping[str, Any]] = {"logistic": gettext_lazy("weighted sums"), "trees": gettext_lazy("small trees")}
ASSUMED: Final = (
    gettext_lazy("The lot was drawn as the log says. Runs whose groups are not of the size drawn are left out."),
    gettext_lazy("One person's message does not change what another does: nobody passes a coupon on."),
    gettext_lazy("The next campaign does about what the former ones did. A new kind of offer has to be tried first."),
    gettext_lazy("What counts is being chosen, whether or not the message arrived or was read."),
    gettext_lazy("A purchase counts within %(days)s days after being chosen; what comes later is not seen."),
)


def assumed(days: int) -> list[str]:
    """Return what is assumed, in plain words."""
    return [str(text) % {"days": days} for text in ASSUMED]


def way_title(name: str, share: float) -> str:
    return str(WAYS[name]) % {"share": percent(share)}


def learner_title(name: str) -> tuple[str, str, str]:
    """Return a candidate (``learner_base``) in words: what it is called, what it does, and what it is made of."""
    learner, _dash, base = name.rpartition("_")
    called, does = LEARNERS.get(learner, (learner, ""))
    return str(called), str(does), str(BASES.get(base, base))


def percent(share: float) -> str:
    return f"{rounded(100 * share, 0)} %"


def hundred(value: float | None, *, signed: bool = True) -> str:
    """Return a share of one as so many of 100 people.

    >>> hundred(0.0312), hundred(-0.002), hundred(0.5, signed=False)
    ('+3.1', '-0.2', '50.0')
    """
    if value is None:
        return "–"
    return f"{'+' if signed and value > 0 else ''}{rounded(100 * value, 1)}"


def between(measure: Measure, *, by: float = 1.0) -> str:
    """Return the interval of a share of one as so many of 100 people; ``by`` is what the ends are divided by."""
    low, high = measure.get("low"), measure.get("high")
    if low is None or high is None:
        return ""
    return _("95 %%: %(low)s to %(high)s") % {"low": hundred(low / by), "high": hundred(high / by)}


def chance(p: float | None) -> str:
    """Return how likely it is to see an order as good by luck.

    >>> chance(0.0004), chance(0.25), chance(None)
    ('below 0.1 %', '25.0 %', '–')
    """
    if p is None:
        return "–"
    return _("below %(share)s") % {"share": written(0.001, "percent")} if p < 0.001 else written(p, "percent")
