"""How figures, durations and states read in our pages."""

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import conditional_escape
from django.utils.translation import gettext as _

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
    """Return a key of a JSON object as words."""
    return WORDS_OF_ABBREVIATIONS.get(name, str(name).replace("_", " ").capitalize())


@register.filter
def fact(value: Any) -> str:
    """Return a JSON value in one line."""
    if isinstance(value, dict):
        return "; ".join(f"{spoken(name)}: {fact(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(fact(one) for one in value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int | float):
        return rounded(value, 0 if isinstance(value, int) else 4)
    return conditional_escape("–" if value in (None, "") else value)


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
def learned(context: dict[str, Any], profile: Profile) -> dict[str, Any]:
    """Return what the models say of a person: here, where packages meet, so that the record imports no learning."""
    from mlengine.admin import people  # noqa: PLC0415 (Unfold renders a template while it is being imported)

    return people.about(profile, context["request"].user, timezone.now())


@register.simple_tag
def assessable() -> list[tuple[str, str]]:
    """Return what an impact assessment can be about: here, where packages meet."""
    from mlengine.admin.words import spec_title  # noqa: PLC0415 (as above)
    from mlengine.specs import SPECS  # noqa: PLC0415

    return [(spec.subject, spec_title(spec.name)) for spec in SPECS.values()]
