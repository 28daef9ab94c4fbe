"""Why nothing is claimed of what campaigns cause, in the reader's words, and how far it is to there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.timezone import now
from django.utils.translation import gettext as _

from crm import assessments
from crm.models import JobRun
from mlengine import jobs
from mlengine.specs import SPECS

SPEC: Final = "uplift"
# What a training says when it refuses, as it is kept in English.
NO_LOT = re.compile(r"No campaign held anybody out by lot")
RUNS = re.compile(r"\((?P<without>\d+) runs without held-out people, (?P<other>\d+) whose groups")
TOO_FEW = re.compile(r"held out by lot.*?(?:has|there are) (?P<treated>\d+)\s+and (?P<held_out>\d+)", re.S)
NONE_LATER = re.compile(r"and later (?P<judged>\d+) of each to be judged by")
TOO_LITTLE = re.compile(r"not enough to learn from until")
NO_EVENTS = re.compile(r"there are no \w+ events yet")


@dataclass(frozen=True, kw_only=True)
class Bar:
    """How many of those needed are there."""

    title: str
    there: int
    needed: int

    @property
    def percent(self) -> int:
        return round(100 * min(1.0, self.there / max(1, self.needed)))


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why, how far it is, and the job that said so; ``code`` is for tests and for what the page offers first."""

    code: str
    why: str
    more: str = ""
    bars: Sequence[Bar] = field(default_factory=list)
    job: JobRun | None = None
    is_assessed: bool = True


def refusal(*, counts: bool) -> Refusal:
    """Return why nothing is claimed; how many people there are only to those who may see people."""
    job = JobRun.objects.filter(kind=jobs.TRAIN, parameters__spec=SPEC).order_by("-created_at", "-pk").first()
    about: dict[str, Any] = {
        "job": job,
        "is_assessed": SPECS[SPEC].subject in assessments.assessed([SPECS[SPEC].subject], now()),
    }
    if job is None or job.status != JobRun.Status.FAILED:
        return Refusal(code="never", why=_("Nothing has been learned yet: this model was never trained."), **about)
    return _told(job.error, counts=counts, about=about)


def _told(error: str, *, counts: bool, about: dict[str, Any]) -> Refusal:
    if NO_LOT.search(error):
        why = _(
            "No campaign held anybody out by lot. Whoever got a message was chosen, so nobody can tell what it caused:"
            " those who got none may be quite different people."
        )
        return Refusal(code="no_lot", why=why, more=_runs(error), **about)
    if few := TOO_FEW.search(error):
        there = {name: int(number) for name, number in few.groupdict().items()}
        return _few(error, there, counts=counts, about=about)
    if TOO_LITTLE.search(error) or NO_EVENTS.search(error):
        why = _("There is too little history: too few purchases, people or days to know what people do unasked.")
        return Refusal(code="too_little", why=why, more=error if counts else "", **about)
    return Refusal(code="other", why=_("The last training did not end well:"), more=error if counts else "", **about)


def _few(error: str, there: dict[str, int], *, counts: bool, about: dict[str, Any]) -> Refusal:
    """Return the refusal for want of people drawn: too few to learn from, or enough and none later to judge by."""
    least = int(SPECS[SPEC].parameters["least"])
    titles = {"treated": _("Drawn to get a message"), "held_out": _("Held out by lot")}
    bars = [Bar(title=title, there=there[name], needed=least) for name, title in titles.items()] if counts else []
    if NONE_LATER.search(error) and min(there.values()) >= least:
        why = _(
            "Enough people were drawn to learn from, and no later campaign is over that could judge what was learned."
            " What a model says of the people it learned from proves nothing."
        )
        return Refusal(code="no_judge", why=why, bars=bars, **about)
    why = _("Too few people were drawn by lot so far: what chance alone does would be taken for an effect.")
    return Refusal(code="too_few", why=why, bars=bars, **about)


def _runs(error: str) -> str:
    found = RUNS.search(error)
    if not found:
        return ""
    return (
        _("%(without)s runs held nobody out; the groups of %(other)s were not of the size drawn.") % found.groupdict()
    )
