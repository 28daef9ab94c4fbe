"""A challenger beside the champion: both judged by what came after, on the same people at the same date.

The interval of the difference is a delete-a-group jackknife over people (Efron & Stein 1981; Shao & Tu 1995, ch. 2.3):
each tenth of the people is left out once, of the answers of both and of the log alike. It asks nothing of a task but
its ``evaluate``, so it holds for ranks, probabilities, values and groups.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import narwhals as nw

from mlengine.backtest import finite
from mlengine.columns import USER, Log
from mlengine.models import Metric, PredictionRun
from mlengine.specs import Measure, NotEnoughData, Spec

DIFFERENCE: Final = "difference"
GROUPS: Final = 10
T_975: Final = 2.262157  # of Student's t with GROUPS - 1 degrees of freedom


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two figures on the same people, and how much higher the challenger's is."""

    challenger: float
    champion: float
    difference: Measure


def rows(run: PredictionRun, champion: PredictionRun, compared: Compared, metric: str) -> list[Metric]:
    """Return what a comparison found as rows of the challenger's version."""
    other = Metric(subject=f"champion v{champion.version.number}", value=compared.champion)
    more = Metric(
        subject=DIFFERENCE,
        value=compared.difference.value,
        low=finite(compared.difference.low),
        high=finite(compared.difference.high),
    )
    for row in (other, more):
        row.version, row.kind, row.name, row.cutoff = run.version, Metric.Kind.SHADOW, metric, run.cutoff
    return [other, more]


def compare(
    spec: Spec, challenger: nw.DataFrame[Any], champion: nw.DataFrame[Any], log: Log, wall: datetime
) -> Compared | None:
    """Return how both did by the deciding metric among those whom both answered for; None where nobody can tell."""
    if USER not in challenger.columns:  # answers about items alone: there is nobody to leave out
        return None
    both = challenger.select(USER).unique().join(champion.select(USER).unique(), on=USER, how="inner")
    theirs = [answers.join(both, on=USER, how="inner") for answers in (challenger, champion)]
    whole = _figures(spec, theirs, log, wall)
    if whole is None:
        return None
    left_out = [
        _figures(spec, [_without(answers, group) for answers in theirs], _log_without(log, group), wall)
        for group in range(GROUPS)
    ]
    found = [pair[0] - pair[1] for pair in left_out if pair is not None]
    return Compared(challenger=whole[0], champion=whole[1], difference=jackknife(whole[0] - whole[1], found))


def jackknife(value: float, left_out: Sequence[float]) -> Measure:
    """Return a value with its 95 % interval, from what it was with each group left out; without, if one is missing.

    Examples
    --------
    >>> jackknife(2.0, [2.0] * 10)
    Measure(value=2.0, low=2.0, high=2.0)
    >>> jackknife(2.0, [2.0] * 9).low is None
    True
    """
    if len(left_out) < GROUPS:
        return Measure(value=value)
    mean = math.fsum(left_out) / GROUPS
    spread = math.sqrt((GROUPS - 1) / GROUPS * math.fsum((each - mean) ** 2 for each in left_out))
    return Measure(value=value, low=value - T_975 * spread, high=value + T_975 * spread)


def _figures(spec: Spec, answers: Sequence[nw.DataFrame[Any]], log: Log, wall: datetime) -> tuple[float, float] | None:
    from mlengine.metrics.bootstrap import values_only  # noqa: PLC0415 (web processes may load this module)

    try:
        with values_only():
            measures: list[Mapping[str, Measure]] = [spec.verbs.evaluate(each, log, wall) for each in answers]
    except NotEnoughData:
        return None
    values = [finite(found[spec.decided_by].value) if spec.decided_by in found else None for found in measures]
    return (values[0], values[1]) if values[0] is not None and values[1] is not None else None


def _without(answers: nw.DataFrame[Any], group: int) -> nw.DataFrame[Any]:
    return answers.filter(nw.col(USER) % GROUPS != group)


def _log_without(log: Log, group: int) -> Log:
    kept = nw.col(USER) % GROUPS != group
    return replace(log, events=log.events.filter(kept), profiles=log.profiles.filter(kept), memo={})
