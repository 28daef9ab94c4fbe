"""What a model is made of, in the reader's language: the parameters of its recipe and what it found on the way."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext

from mlengine.admin.words import METRICS, RECOMMENDER, subject_title

# What recipes are made of; a test holds all of them to being here.
PARAMETERS: Mapping[str, Any] = {
    "rounds": _("rounds (trees)"),
    "learning_rate": _("learning rate"),
    "leaves": _("leaves of a tree"),
    "min_in_leaf": _("people in a leaf at least"),
    "columns_share": _("share of columns a tree sees"),
    "l2": _("smoothing (L2)"),
    "top_categories": _("categories told apart"),
    "most_cutoffs": _("past dates to learn from"),
    "strength": _("smoothing of effects"),
    "kind": _("kind"),
    "history": _("history"),
    "step": _("step"),
    "rows_share": _("share of rows a tree sees"),
    "seeds": _("random seeds"),
    "calibration_folds": _("parts to calibrate with"),
    "growing": _("growing of trees"),
    "fewest": _("fewest"),
    "most": _("at most"),
    "least_stability": _("stability at least"),
    "least_share": _("share of a group at least"),
    "k": _("number of places"),
    "recommender": _("recommends by"),
    "new_only": _("new items only"),
    "fresh": _("new ones"),
    "window": _("window"),
    "clicked_within": _("clicks count for"),
    "least": _("at least"),
    "least_answers": _("answers at least"),
    "least_judged": _("people to judge by at least"),
    "again": _("repeated"),
}

# What a model found when it learned; the same key can mean another thing in a recipe.
FOUND: Mapping[str, Any] = {
    **METRICS,
    "k": _("number of groups"),
    "sizes": _("shares of the groups"),
    "met": _("as stable and as large as asked for"),
}


def parameters_text(parameters: Mapping[str, Any]) -> str:
    """Return what a recipe changes, as words where it names a recommender."""
    flat = {**parameters}
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= flat.pop(name)
    return listed(_parameter(name, value) for name, value in flat.items())


def _parameter(name: str, value: Any) -> str:
    return subject_title(value) if name == RECOMMENDER else f"{PARAMETERS.get(name, name)} {value}"


def listed(parts: Iterable[str]) -> str:
    """Return parts as a list is written in the reader's language."""
    return pgettext("between the parts of a list", ", ").join(parts)
