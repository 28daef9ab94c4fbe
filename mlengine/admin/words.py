"""Names of models, metrics and reasons in the reader's language."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from crm.models import JobRun
from mlengine import reasons
from mlengine.estimators import recommendation_reasons
from mlengine.specs import SPECS

# Metrics keep their usual names in the data; people read these.
METRICS: Mapping[str, Any] = {
    "roc_auc": _("ROC AUC"),
    "average_precision": _("Average precision"),
    "brier": _("Brier score (lower is better)"),
    "calibration_error": _("Calibration error (lower is better)"),
    "lift_top_decile": _("Lift in the top tenth"),
    "ndcg_at_10": _("NDCG of the first 10"),
    "ndcg_new_at_10": _("NDCG of the first 10, new items only"),
    "recall_at_10": _("Recall of the first 10"),
    "coverage": _("Share of the catalogue shown"),
    "novelty": _("Novelty (bits)"),
    "popularity_share": _("Share of popular items"),
    "value_explained": _("Variance of later value explained"),
    "lines_explained": _("Variance of the number of bought lines explained"),
    "behaviour_explained": _("Variance of later behaviour explained"),
    "stability": _("Stability (adjusted Rand)"),
    "silhouette": _("Separation (silhouette)"),
    "psi": _("Drift (PSI)"),
}


SUBJECTS: Mapping[str, Any] = {
    "model": _("This model"),
    "days_since_last_purchase": _("Days since last purchase"),
    "rfm_logistic": _("RFM logistic regression"),
    "recency_quintiles": _("Quintiles of recency"),
    "popular": _("Popular items"),
    "own_history": _("Own history"),
}
TITLES: Mapping[str, Any] = {
    "audit_bundle": _("Audit bundle"),
    "fsck": _("Check of the ledger"),
    "train": _("Train: %(model)s"),
    "predict": _("Predict: %(model)s"),
    "judge": _("Judge: %(model)s"),
    "nightly": _("Nightly learning"),
}
STEPS: Mapping[str, Any] = {
    "export events": _("export events"),
    "compact the lake": _("compact the lake"),
    "read the log": _("read the log"),
    "predict": _("predict"),
    "explain": _("explain"),
    "write": _("write"),
    "writing": _("writing"),
    "learn from everything": _("learn from everything"),
    "keep and decide": _("keep and decide"),
}


# The sentence of ``training.decide``, which is kept in English.
DECISION = re.compile(
    r"(?P<verdict>Promoted|Not promoted[^:]*): (?P<metric>\w+) (?P<value>-?[\d.]+) against (?P<rivals>.*);"
    r" mean over (?P<count>\d+) cutoffs, (?P<first>[\d-]+) to (?P<last>[\d-]+)\."
)
RIVAL = re.compile(r"([^\s,][^,]*?) (-?\d+\.\d+)")

# What ``SPECS`` says in plain English, named for the catalogue; a test holds every spec to being here.
SPEC_WORDS = (
    gettext_noop("Churn risk"),
    gettext_noop("The probability that somebody who purchased in the last 90 days will not in the next 28."),
    gettext_noop("RFM segments"),
    gettext_noop("Eleven segments by how recently, how often and for how much people purchased in half a year."),
    gettext_noop("Behaviour clusters"),
    gettext_noop("People who purchase alike, grouped without names given beforehand, and what sets them apart."),
    gettext_noop("Recommendations"),
    gettext_noop("The items that each person is most likely to buy in the next 28 days, out of all that is bought."),
)


def spec_title(name: str) -> str:
    """Return a model's title; the catalogue translates what ``SPECS`` says in English."""
    return gettext(SPECS[name].title) if name in SPECS else name


def spec_description(name: str) -> str:
    return gettext(SPECS[name].description) if name in SPECS else ""


def metric_title(name: str) -> str:
    return str(METRICS.get(name, name.replace("_", " ")))


def subject_title(name: str) -> str:
    """Return a baseline's name as words, in the reader's language."""
    return str(SUBJECTS.get(name, name.replace("_", " ")))


def decision_text(decision: str) -> str:
    """Return why a backtest promoted a version or not, in the reader's language; a person's own words as they are."""
    found = DECISION.fullmatch(decision)
    if found is None:
        return decision
    rivals = ", ".join(f"{subject_title(name)} {value}" for name, value in RIVAL.findall(found["rivals"]))
    promoted = found["verdict"] == "Promoted"
    sentence = (
        gettext("Promoted: %(metric)s %(value)s against %(rivals)s; mean over %(count)s cutoffs, %(span)s.")
        if promoted
        else gettext("Not promoted: %(metric)s %(value)s against %(rivals)s; mean over %(count)s cutoffs, %(span)s.")
    )
    facts = {"metric": metric_title(found["metric"]), "value": found["value"], "rivals": rivals or "–"}
    return sentence % (facts | {"count": found["count"], "span": f"{found['first']} – {found['last']}"})


def job_title(job: JobRun) -> str:
    """Return what a job is called, in the reader's language; its row keeps the English title."""
    if job.kind not in TITLES:
        return job.title
    return str(TITLES[job.kind]) % {"model": spec_title(str(job.parameters.get("spec", "")))}


def step_title(step: str) -> str:
    """Return where a job is, in the reader's language: a known step, or a cutoff and who is judged there."""
    cutoff, colon, subject = step.removeprefix("backtest ").partition(": ")
    if step.startswith("backtest ") and colon:
        return gettext("backtest %(cutoff)s: %(subject)s") % {"cutoff": cutoff, "subject": subject_title(subject)}
    if step not in STEPS and step.startswith("backtest "):
        return gettext("backtest: %(subject)s") % {"subject": subject_title(cutoff)}
    return str(STEPS.get(step, step))


def in_language(texts: Mapping[str, str]) -> str:
    """Return the text that is nearest to the reader's language."""
    language = get_language() or "en"
    return texts.get("zh-hans" if language.startswith("zh") else "en") or texts.get(language[:2]) or texts.get("en", "")


def because(reason: Mapping[str, Any]) -> str:
    """Return a stored reason as a sentence, and nothing for a code that this release no longer knows."""
    code, values, language = str(reason.get("code", "")), reason.get("values") or {}, get_language() or "en"
    if code in reasons.TEXTS:
        return reasons.say(code, values, language)
    try:
        return recommendation_reasons.say(code, values, language)
    except KeyError:
        return ""
