"""Names of models, metrics and reasons in the reader's language."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from mlengine import reasons
from mlengine.specs import SPECS

# Metrics keep their usual names in the data; people read these.
METRICS: Mapping[str, Any] = {
    "roc_auc": _("ROC AUC"),
    "average_precision": _("Average precision"),
    "brier": _("Brier score (lower is better)"),
    "calibration_error": _("Calibration error (lower is better)"),
    "lift_at_10": _("Lift in the top tenth"),
    "lift_top_decile": _("Lift in the top tenth"),
    "ndcg_at_10": _("NDCG of the first 10"),
    "recall_at_10": _("Recall of the first 10"),
    "coverage": _("Share of the catalogue shown"),
    "novelty": _("Novelty (bits)"),
    "popularity_share": _("Share of popular items"),
    "adjusted_rand": _("Stability (adjusted Rand)"),
    "silhouette": _("Separation (silhouette)"),
    "psi": _("Drift (PSI)"),
}


def spec_title(name: str) -> str:
    """Return a model's title; the catalogue translates what ``SPECS`` says in English."""
    return gettext(SPECS[name].title) if name in SPECS else name


def spec_description(name: str) -> str:
    return gettext(SPECS[name].description) if name in SPECS else ""


def metric_title(name: str) -> str:
    return str(METRICS.get(name, name.replace("_", " ")))


def subject_title(name: str) -> str:
    """Return a baseline's name as words, in the reader's language."""
    return gettext("This model") if name == "model" else gettext(name.replace("_", " "))


def in_language(texts: Mapping[str, str]) -> str:
    """Return the text that is nearest to the reader's language."""
    language = get_language() or "en"
    return texts.get("zh-hans" if language.startswith("zh") else "en") or texts.get(language[:2]) or texts.get("en", "")


def because(reason: Mapping[str, Any]) -> str:
    """Return a stored reason as a sentence, and nothing for a code that this release no longer knows."""
    code = str(reason.get("code", ""))
    known = getattr(reasons, "TEXTS", {})
    return reasons.say(code, reason.get("values") or {}, get_language() or "en") if code in known else ""
