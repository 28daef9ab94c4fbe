"""A model is a spec with three verbs; ``SPECS`` lists them as dotted paths, so that listing them imports none.

``fit(log, cutoff)`` learns from what was known at the cutoff, ``predict(model, log, cutoff)`` answers for everybody
at the cutoff, ``evaluate(predictions, log, cutoff)`` judges answers with what came after. The verbs cut the log
themselves, so handing them a log that reaches past the cutoff leaks nothing; a test holds every spec to that.

The specs themselves stand by what is asked about: ``people``, ``items``, ``messages``. What a spec can say is in
``spec``; the verbs, and what else a model or a task may offer, in ``verbs``.
"""

from typing import Final

from mlengine.specs import items, messages, people
from mlengine.specs.spec import Fact, Fairness, Spec
from mlengine.specs.verbs import (
    AddsUp,
    Averages,
    Continues,
    Dated,
    Explains,
    Exposes,
    Follows,
    Group,
    Groups,
    Judged,
    Matches,
    Measure,
    Model,
    NotEnoughData,
    Ripens,
    Serves,
    Shown,
    Supposes,
    Task,
    Tells,
    Watched,
    Weighs,
)

__all__ = [
    "SPECS",
    "AddsUp",
    "Averages",
    "Continues",
    "Dated",
    "Explains",
    "Exposes",
    "Fact",
    "Fairness",
    "Follows",
    "Group",
    "Groups",
    "Judged",
    "Matches",
    "Measure",
    "Model",
    "NotEnoughData",
    "Ripens",
    "Serves",
    "Shown",
    "Spec",
    "Supposes",
    "Task",
    "Tells",
    "Watched",
    "Weighs",
]

_ALL: tuple[Spec, ...] = (
    people.CHURN,
    people.STAYING_AWAY,
    people.RFM,
    people.CLUSTERS,
    items.COMPANIONS,
    items.REPURCHASE,
    items.RECOMMENDATIONS,
    people.VALUE,
    messages.RESPONSE,
    messages.CONVERSION,
    messages.REDEMPTION,
    messages.UPLIFT,
    items.DISCOVERY,
)
SPECS: Final[dict[str, Spec]] = {spec.name: spec for spec in _ALL}
