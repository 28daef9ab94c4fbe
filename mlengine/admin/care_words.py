"""Why a model learned again, what a night did and what it left, in the reader's language."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mlengine.admin.words import metric_title

CAUSES: Mapping[str, Any] = {
    "first": _("It had never learned."),
    "asked": _("A person asked for it."),
    "search": _("A search found its recipe."),
    "recipe": _("The recipe in the code is a new one."),
    "schedule": _("There were %(days)s days of new data."),
    "drift": _("%(of)s drifted: PSI %(psi)s."),
    "worse_than_backtest": _("%(metric)s fell by %(by)s below the backtest."),
    # -- why a night's step was left out, or what it found --
    "not_due": _("Not due before %(until)s."),
    "no_events": _("There are no events."),
    "no_champion": _("There is no champion."),
    "no_challenger": _("There is no challenger."),
    "no_news": _("It had answered at this date."),
    "not_assessed": _("It has no valid impact assessment."),
    "not_enough": _("There is nothing to learn from yet: %(what)s"),
    "no_answers": _("There are no answers yet."),
    "same_date": _("Its answers are as old as its training."),
    "judged": _("%(count)s batches of answers judged."),
    "nothing_ripe": _("No answers whose outcome is known yet."),
    "measured": _("%(count)s indices measured."),
}
KINDS: Mapping[str, Any] = {
    "export": _("Export events"),
    "train": _("Train"),
    "predict": _("Predict"),
    "shadow": _("Shadow"),
    "judge": _("Judge"),
    "drift": _("Drift"),
    "compact": _("Compact the lake"),
}
STATES: Mapping[str, Any] = {
    "waiting": _("waiting"),
    "running": _("running"),
    "done": _("done"),
    "skipped": _("left out"),
    "failed": _("failed"),
}
MINUTE = 60  # seconds; of an hour, minutes
SUBJECTS: Mapping[str, Any] = {"labels": _("What people did"), "score": _("Its answers"), "cluster": _("Its answers")}


def cause_text(told: Mapping[str, Any] | None) -> str:
    """Return a code and its values as a sentence; nothing where there is none."""
    if not told or told.get("code") not in CAUSES:
        return ""
    values = dict(told.get("values") or {})
    if "metric" in values:
        values["metric"] = metric_title(str(values["metric"]))
    if "of" in values:
        values["of"] = drifting_title(str(values["of"]))
    return str(CAUSES[told["code"]]) % values


def drifting_title(subject: str) -> str:
    return str(SUBJECTS.get(subject, subject.replace("_", " ")))


def duration(seconds: float | None) -> str:
    """Return how long something took, short.

    >>> duration(0.4), duration(75), duration(3700), duration(None)
    ('0.4 s', '1 min 15 s', '1 h 1 min', '')
    """
    if seconds is None:
        return ""
    if seconds < MINUTE:
        return gettext("%(seconds)s s") % {"seconds": f"{seconds:.1f}" if seconds < 10 else round(seconds)}
    minutes, rest = divmod(round(seconds), 60)
    if minutes < MINUTE:
        return gettext("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    return gettext("%(hours)s h %(minutes)s min") % {"hours": minutes // 60, "minutes": minutes % 60}
