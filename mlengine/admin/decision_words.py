"""Why a backtest promoted a version or not, in the reader's language."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from mlengine.admin import fairness_words
from mlengine.admin.recipe_words import listed
from mlengine.admin.words import metric_title, subject_title

# The sentence of ``training.decide``, which is kept in English.
DECISION = re.compile(
    r"(?P<verdict>Promoted|Not promoted[^:]*): (?P<metric>\w+) (?P<value>-?[\d.]+) against (?P<rivals>.*);"
    r" mean over (?P<count>\d+) cutoffs, (?P<first>[\d-]+) to (?P<last>[\d-]+)\."
)
SHADOWS: Mapping[str, Any] = {
    "Not promoted, it answers in the shadow first": _("It answers in the shadow first."),
    "Not promoted, another one that waits to be judged is in the shadow": _(
        "Another one that waits to be judged is in the shadow."
    ),
}
UNEQUAL = re.compile(r"treats groups of people unequally \((?P<groups>.*)\)$")
UNMEASURED = "how it treats groups of people could not be measured"
RIVAL = re.compile(r"([^\s,][^,]*?) (-?\d+\.\d+)")


def decision_text(decision: str) -> str:
    """Return why a backtest promoted a version or not, in the reader's language; a person's own words as they are."""
    found = DECISION.fullmatch(decision)
    if found is None:
        return decision
    rivals = listed(f"{subject_title(name)} {value}" for name, value in RIVAL.findall(found["rivals"]))
    promoted = found["verdict"] == "Promoted"
    unequal = UNEQUAL.search(found["verdict"])
    if unequal:
        sentence = gettext(
            "Not promoted, it treats groups of people unequally (%(groups)s); it had %(metric)s %(value)s."
        )
        return sentence % {
            "groups": fairness_words.in_words(unequal["groups"]),
            "metric": metric_title(found["metric"]),
            "value": found["value"],
        }
    if found["verdict"].endswith(UNMEASURED):
        sentence = gettext(
            "Not promoted, how it treats groups of people could not be measured; it had %(metric)s %(value)s."
        )
        return sentence % {"metric": metric_title(found["metric"]), "value": found["value"]}
    sentence = (
        gettext("Promoted: %(metric)s %(value)s against %(rivals)s; mean over %(count)s cutoffs, %(span)s.")
        if promoted
        else gettext("Not promoted: %(metric)s %(value)s against %(rivals)s; mean over %(count)s cutoffs, %(span)s.")
    )
    if found["verdict"] in SHADOWS:
        sentence = f"{sentence} {SHADOWS[found['verdict']]}"
    facts = {"metric": metric_title(found["metric"]), "value": found["value"], "rivals": rivals or "–"}
    return sentence % (facts | {"count": found["count"], "span": f"{found['first']} – {found['last']}"})
