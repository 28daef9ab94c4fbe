"""How figures, durations and states read in our pages."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Any

from django import template
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import conditional_escape
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.charts import rounded
from crm.models import JobRun, Profile
from crm.models.jobs import SILENT_AFTER

register = template.Library()

TONES = {
    "succeeded": "good",
    "champion": "good",
    "failed": "bad",
    "cancelled": "warn",
    "paused": "warn",
    "running": "accent",
    "candidate": "accent",
    "challenger": "warn",
}
WORDS_OF_ABBREVIATIONS = {"roc_auc": "ROC AUC", "ndcg_at_10": "NDCG@10", "sha256": "SHA-256", "id": "ID"}


@register.filter
def grouped(value: Any, digits: int = 0) -> str:
    """Return a number with the language's separators, and a dash for none."""
    return "–" if value is None or value == "" else rounded(value, digits)


@register.filter
def percent(value: Any, digits: int = 0) -> str:
    """Return a share of one as percent."""
    return "–" if value is None or value == "" else f"{rounded(value * 100, digits)} %"


@register.filter
def per_thousand(value: float) -> str:
    """Return a share of one as a number of a thousand."""
    return rounded(value * 1000, 1)


# Keys of what jobs, approvals and events tell of themselves; what a source sends keeps its own names.
KEYS = {
    "begin": gettext_lazy("From"),
    "from": gettext_lazy("From"),
    "end": gettext_lazy("To"),
    "until": gettext_lazy("To"),
    "people": gettext_lazy("People"),
    "purpose": gettext_lazy("Purpose"),
    "purposes": gettext_lazy("Purposes"),
    "language": gettext_lazy("Language"),
    "clear_text": gettext_lazy("In clear text"),
    "held": gettext_lazy("The auditor's checkpoint"),
    "spec": gettext_lazy("Model"),
    "cutoff": gettext_lazy("Cutoff"),
    "stage": gettext_lazy("Stage"),
    "version": gettext_lazy("Version"),
    "decision": gettext_lazy("Decision"),
    "seconds": gettext_lazy("Seconds by step"),
    "rows": gettext_lazy("Rows"),
    "minutes": gettext_lazy("Minutes"),
    "days": gettext_lazy("Days"),
    "cutoffs": gettext_lazy("Cutoffs"),
    "calibration": gettext_lazy("Calibration"),
    "trials": gettext_lazy("Trials"),
    "found": gettext_lazy("What was found"),
    "sends": gettext_lazy("Sends"),
    "violations": gettext_lazy("Violations"),
    "records": gettext_lazy("Records"),
    "source": gettext_lazy("Source"),
    "file": gettext_lazy("File"),
    "store_id": gettext_lazy("Shop"),
    "retail_disc": gettext_lazy("Discount of the shop"),
    "coupon_disc": gettext_lazy("Discount by coupon"),
    "coupon_match_disc": gettext_lazy("Discount by a matched coupon"),
    "manufacturer_id": gettext_lazy("Manufacturer"),
    "package_size": gettext_lazy("Package size"),
    "income": gettext_lazy("income"),
    "home_ownership": gettext_lazy("home ownership"),
    "marital_status": gettext_lazy("marital status"),
    "household_size": gettext_lazy("household size"),
    "household_composition": gettext_lazy("household composition"),
    "kids": gettext_lazy("children in the household"),
    "task": gettext_lazy("Task"),
    "parameters": gettext_lazy("Parameters"),
    "horizon_days": gettext_lazy("Days looked ahead"),
    "activity_days": gettext_lazy("Days that count as active"),
}


@register.filter
def tone(state: str) -> str:
    """Return the colour class of a state's tag."""
    return TONES.get(state, "")


@register.filter
def at_work(job: JobRun) -> bool:
    """Return whether a job's page should keep asking how far it is."""
    return job.status in {JobRun.Status.QUEUED, JobRun.Status.RUNNING}


@register.filter
def unended(job: JobRun) -> bool:
    return job.finished_at is None and job.status != JobRun.Status.FAILED


@register.filter
def silent(job: JobRun, now: datetime) -> bool:
    """Return whether the worker has not been heard of for long."""
    return job.status == JobRun.Status.RUNNING and bool(job.heartbeat_at and job.heartbeat_at < now - SILENT_AFTER)


@register.filter
def took(job: JobRun, now: datetime) -> str:
    """Return how long a job has run, or ran."""
    if job.started_at is None:
        return "–"
    return span((job.finished_at or now) - job.started_at)


@register.filter
def span(duration: timedelta) -> str:
    """Return a duration in the two largest units that matter."""
    seconds = max(0, int(duration.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return _("%d s") % seconds
    if minutes < 60:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": minutes, "seconds": seconds % 60}
    if hours < 48:
        return _("%(hours)d h %(minutes)d min") % {"hours": hours, "minutes": minutes % 60}
    return _("%d days") % days


@register.filter
def spoken(name: str) -> str:
    """Return a key of a JSON object as words, in the reader's language where the key is one of ours."""
    return str(KEYS.get(name) or WORDS_OF_ABBREVIATIONS.get(name, str(name).replace("_", " ").capitalize()))


@register.filter
def fact(value: Any) -> str:
    """Return a JSON value in one line."""
    return _line(value, spoken)


def _line(value: Any, named: Callable[[str], str]) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{named(name)}: {_line(one, named)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_line(one, named) for one in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, float) and not isfinite(value):  # 1e999 is JSON, too
        return "–"
    if isinstance(value, int | float):
        return rounded(value, 0 if isinstance(value, int) or value.is_integer() else 4)
    return conditional_escape("–" if value in (None, "") else value)


@register.filter
def recipe_rows(recipe: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return what a model is made of as names and lines; its parameters have words that other keys do not share."""
    from mlengine.admin.recipe_words import PARAMETERS  # noqa: PLC0415 (as below)

    return _rows(recipe, PARAMETERS)


@register.filter
def found_rows(facts: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return what a model found when it learned as names and lines."""
    from mlengine.admin.recipe_words import FOUND  # noqa: PLC0415 (as below)

    return _rows(facts, FOUND)


def _rows(told: Mapping[str, Any] | None, words: Mapping[str, Any]) -> list[tuple[str, str]]:
    def named(name: str) -> str:
        return str(words.get(name) or spoken(name))

    return [(named(name), _line(value, named)) for name, value in (told or {}).items()]


@register.filter
def fact_named(value: Any, name: str) -> str:
    """Return a JSON value in one line; values that are words of ours in the reader's language."""
    from mlengine.admin import decision_words, words  # noqa: PLC0415 (as below)
    from mlengine.models import ModelVersion  # noqa: PLC0415 (as below)

    if name == "decision":
        return conditional_escape(decision_words.decision_text(str(value)))
    if name == "spec":
        return conditional_escape(words.spec_title(str(value)))
    if name == "stage":
        return conditional_escape(dict(ModelVersion.Stage.choices).get(str(value), value))
    if name == "seconds":
        steps = value.items() if isinstance(value, dict) else value
        return "; ".join(f"{words.step_title(step)}: {rounded(took, 1)}" for step, took in steps)
    if name == "cutoff" and (at := parse_datetime(str(value))):
        return date_format(timezone.localtime(at), "DATETIME_FORMAT")
    return fact(value)


@register.filter
def refused(error: str) -> str:
    """Return what a job says of its end; what is missing to learn from in the reader's language."""
    from mlengine.admin.refusals import refusal_text  # noqa: PLC0415 (as below)

    return refusal_text(error)


@register.filter
def titled(job: JobRun) -> str:
    """Return a job's title in the reader's language."""
    from mlengine.admin.words import job_title  # noqa: PLC0415 (as below)

    return job_title(job)


@register.filter
def stepped(step: str) -> str:
    """Return a job's step in the reader's language."""
    from mlengine.admin.words import step_title  # noqa: PLC0415 (as below)

    return step_title(step)


@register.simple_tag(takes_context=True)
def way_here(context: Any) -> Any:
    """Return the steps from the menu to this page."""
    from config.places import way  # noqa: PLC0415 (the admin's registry is filled later than templates are read)

    return way(context.flatten())


@register.simple_tag(takes_context=True)
def learned(context: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Return what the models say of a person: here, where packages meet, so that the record imports no learning."""
    from mlengine.admin import people  # noqa: PLC0415 (Unfold renders a template while it is being imported)

    return people.about(profile, context["request"].user, timezone.now())


@register.simple_tag(takes_context=True)
def journeys_of(context: dict[str, Any], profile: Profile) -> Any:
    """Return a person's journeys, by who may see them: here, where packages meet."""
    from campaigns.admin import journey_paths  # noqa: PLC0415 (as above)

    return journey_paths.about(profile, context["request"].user)


@register.simple_tag(takes_context=True)
def companions_of(context: dict[str, Any], item: Any) -> Any:
    """Return what goes with an item, by kind: here, where packages meet."""
    from mlengine.admin import offers  # noqa: PLC0415 (as above)

    return offers.companions(item, context["request"].user, timezone.now())


@register.simple_tag(takes_context=True)
def begun_segment(context: dict[str, Any], spec: str, *, with_lever: bool = False) -> str:
    """Return where a segment begins that is made of a model's answer; nothing for who may not make one."""
    from config import questions  # noqa: PLC0415 (it names pages, which are there later)

    question, user = questions.QUESTIONS.get(spec), context["request"].user
    if question is None or question.rule is None:
        return ""
    return questions.begun_with_lever(question, user) if with_lever else questions.begun(question.rule, user=user)


@register.simple_tag(takes_context=True)
def named_runs(context: dict[str, Any], runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return runs that a model's card tells of, with their campaigns' names: here, where packages meet."""
    from campaigns.models import Campaign  # noqa: PLC0415 (as above)

    sees = context["request"].user.has_perm("campaigns.view_campaign")
    known = Campaign.objects.in_bulk({run["campaign"] for run in runs if run["campaign"]}) if sees else {}
    return [
        {
            **run,
            "day": date.fromisoformat(run["at"]),
            "name": known[run["campaign"]].name if run["campaign"] in known else _("campaign %s") % run["campaign"],
            "address": reverse("admin:campaigns_figures_change", args=[run["campaign"]])
            if run["campaign"] in known and context["request"].user.has_perm("campaigns.view_figures")
            else "",
        }
        for run in runs
    ]


@register.filter
def assessed(subject: str) -> str:
    """Return what an impact assessment is about, in words where it is one of our models."""
    return next((str(title) for code, title in assessable() if code == subject), subject)


@register.simple_tag
def assessable() -> list[tuple[str, str]]:
    """Return what an impact assessment can be about: here, where packages meet."""
    from mlengine.admin.words import spec_title  # noqa: PLC0415 (as above)
    from mlengine.specs import SPECS  # noqa: PLC0415

    return [(spec.subject, spec_title(spec.name)) for spec in SPECS.values()]


@register.filter
def is_welcome(spec: str) -> bool:
    """Return whether a high score of a model is what one hopes for, as with money and answers, and not a risk."""
    from mlengine.admin import amounts  # noqa: PLC0415 (as below)

    return amounts.is_welcome(spec)
