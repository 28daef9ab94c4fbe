"""How a model treats groups of people, found out at the last cutoff of its backtest; what is unfair is not promoted."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
from django.conf import settings
from django.contrib.auth.models import User
from django.utils.translation import gettext
from numpy.typing import NDArray

from mlengine.anonymity.tidying import FLOOR
from mlengine.columns import LABEL, SAID, SCORE, USER, Log
from mlengine.models import ModelVersion
from mlengine.specs import Matches, Ripens, Serves, Spec

if TYPE_CHECKING:  # web processes may load this module, which needs no science to read a report
    from mlengine.metrics.fairness import Question, Treated

Array = NDArray[Any]
Frame = nw.DataFrame[Any]

SELECTION: Final = "selection_rate"
OPPORTUNITY: Final = "equal_opportunity"
CALIBRATION: Final = "calibration_gap"


OVERRIDE: Final = "mlengine.override_fairness"


class Unfair(RuntimeError):
    """A version treats groups of people unequally; the message names them."""


def of(version: ModelVersion) -> dict[str, Any]:
    """Return the report that was made when a version was trained; empty where there is none."""
    return dict(version.card.get("details", {}).get("fairness") or {})


def require(version: ModelVersion, by: User | None) -> None:
    """Refuse to let an unfair version serve, unless it is somebody with the right who decides so."""
    found = of(version)
    if not refusal(found) or (by and by.has_perm(OVERRIDE)):
        return
    if unequal := wording(found):
        raise Unfair(
            gettext("%(version)s treats groups of people unequally (%(groups)s). Who may override that has to decide.")
            % {"version": version, "groups": unequal}
        )
    raise Unfair(
        gettext("How %(version)s treats groups of people could not be measured. Who may override that has to decide.")
        % {"version": version}
    )


def report(spec: Spec, answers: Frame, log: Log, cutoff: datetime) -> dict[str, Any]:
    """Return how answers given at the cutoff treat each group of people; the log must reach the horizon's end.

    Parameters
    ----------
    answers : DataFrame
        What ``predict`` gave.
    Returns
    -------
    dict
        ``attributes``: for each its measures with a row a group (``metrics.fairness.Treated``); ``unfair``: those that
        lie beyond their limit with certainty; ``unmeasured``: no score was a number, so that nothing can be said. Empty
        where a task's answers cannot be asked about.
    """
    from mlengine.metrics import fairness  # noqa: PLC0415

    people = _people(spec, answers, log, cutoff)
    if people is None:
        return {}
    if SCORE in people.columns and not np.isfinite(_numbers(people, SCORE)).any():
        return {"selected": spec.fair.selected, "attributes": [], "unfair": [], "unmeasured": True}
    if not len(people):
        return {}
    asked = list(_asked(spec, people, log))
    count = sum(
        fairness.comparisons(one.groups, sum(each.limit is not None for each in one.questions)) for one in asked
    )
    told = [
        {
            "name": one.name,
            "hidden": one.hidden,
            "unknown": _coarse(int((one.groups == "").sum())),
            "measures": [
                _told(each, fairness.treated(each, one.groups, of=count, floor=FLOOR)) for each in one.questions
            ],
        }
        for one in asked
    ]
    return {"selected": spec.fair.selected, "comparisons": count, "attributes": told, "unfair": list(_unfair(told))}


def wording(found: Mapping[str, Any]) -> str:
    """Return who is treated unfairly, in English as decisions are kept; empty where nobody is.

    >>> wording({"unfair": [{"attribute": "age_band", "group": "65+", "measure": "selection_rate", "gap": 0.512}]})
    'age_band 65+ by selection_rate (0.51)'
    """
    return ", ".join(
        f"{one['attribute']} {one['group']} by {one['measure']} ({one['gap']:.2f})" for one in found.get("unfair", [])
    )


def refusal(found: Mapping[str, Any]) -> str:
    """Return why a version may not serve by itself, in English as decisions are kept; empty where it may.

    >>> refusal({"unfair": [], "unmeasured": True})
    'how it treats groups of people could not be measured'
    """
    if unequal := wording(found):
        return f"it treats groups of people unequally ({unequal})"
    return "how it treats groups of people could not be measured" if found.get("unmeasured") else ""


def _people(spec: Spec, answers: Frame, log: Log, cutoff: datetime) -> Frame | None:
    """Return ``user`` and what each was given: a score with what came after (if that can be told), or measures."""
    task = spec.verbs
    if isinstance(task, Serves):
        return task.served(answers, log, cutoff)
    if SCORE not in answers.columns or spec.answers != "score":
        return None
    scored = answers.select(USER, nw.col(SCORE).cast(nw.Float64))
    if isinstance(task, Matches):
        matched = task.matched(answers, log, cutoff).unique(USER, keep="first", maintain_order=True)
        matched = matched.select(USER, SAID, nw.col(LABEL).cast(nw.Float64))
        return scored.join(matched, on=USER, how="left").sort(USER)
    if not isinstance(task, Ripens):
        return scored
    after = task.after(log, cutoff).select(USER, nw.col(LABEL).cast(nw.Float64))
    return scored.join(after, on=USER, how="left").sort(USER)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """People grouped by one attribute, and what is asked of the groups."""

    name: str
    groups: Array
    hidden: int
    questions: "Sequence[Question]"


def _asked(spec: Spec, people: Frame, log: Log) -> Iterator[_Asked]:
    """Yield the attributes, with limits, and how the task itself tells people apart, without."""
    from mlengine.metrics import fairness  # noqa: PLC0415

    questions = list(_questions(spec, people))
    for name, each in _attributes(spec, people, log):
        groups, hidden = fairness.named(each, floor=FLOOR)
        yield _Asked(name=name, groups=groups, hidden=hidden, questions=questions)
    told = [replace(one, limit=None) for one in questions]
    for name in people.columns:
        if people.schema[name] == nw.String:
            groups, hidden = fairness.named(people[name].to_numpy(), floor=FLOOR)
            yield _Asked(name=name, groups=groups, hidden=hidden, questions=told)


def _questions(spec: Spec, people: Frame) -> "Iterator[Question]":
    from mlengine.metrics.fairness import Question  # noqa: PLC0415

    limits = spec.fair.limits
    if SCORE not in people.columns:
        for name in people.columns:
            if name != USER and people.schema[name].is_numeric():
                yield Question(name=name, values=_numbers(people, name), kind="ratio", limit=limits.get(name))
        return
    score = _numbers(people, SCORE)
    chosen = leading(score, spec.fair.selected)
    yield Question(name=SELECTION, values=chosen, kind="ratio", limit=limits.get(SELECTION))
    if LABEL in people.columns:
        y = _numbers(people, LABEL)
        found = np.where(_positive(y, spec), chosen, np.nan)
        yield Question(name=OPPORTUNITY, values=found, kind="difference", limit=limits.get(OPPORTUNITY))
        said = _numbers(people, SAID) if SAID in people.columns else score  # of the very thing that came, if it is told
        off = (np.where(np.isfinite(said), said, np.nan) - y) / (
            1.0 if spec.unit == "probability" else max(float(np.nanmean(np.abs(y))), 1e-12)
        )
        yield Question(name=CALIBRATION, values=off, kind="bias", limit=limits.get(CALIBRATION))


def leading(score: Array, share: float) -> Array:
    """Return who is among the ``share`` with the highest scores: 1, 0, or for those tied at its edge their part.

    Whoever has no finite score is not selected: a model that says nothing of a group leaves it out.

    >>> leading(np.array([0.9, 0.5, 0.5, 0.1]), 0.5).tolist()
    [1.0, 0.5, 0.5, 0.0]
    >>> leading(np.array([np.nan, 0.5, 0.9, np.inf]), 0.5).tolist()
    [0.0, 0.0, 1.0, 0.0]
    """
    from mlengine.metrics.ties import among_first  # noqa: PLC0415

    return among_first(score, int(np.ceil(np.isfinite(score).sum() * share)))


def _positive(y: Array, spec: Spec) -> Array:
    """Return who should have been selected: those who did it or, of an amount, those with the most of it."""
    known = y[~np.isnan(y)]
    if spec.unit == "probability" or not len(known):
        return np.asarray(y == 1)
    return np.asarray((y > 0) & (y >= np.quantile(known, 1 - spec.fair.selected)))


def _attributes(spec: Spec, people: Frame, log: Log) -> Iterator[tuple[str, Array]]:
    """Yield the coarse attributes that people are grouped by, in the order of people; those that nobody has are not."""
    wanted = settings.FAIRNESS_ATTRIBUTES if spec.fair.attributes is None else spec.fair.attributes
    there = [name for name in wanted if name in log.profiles.collect_schema().names()]
    profiles = log.profiles.select(USER, *there).unique(USER, keep="any").collect("polars")
    known = people.select(USER).join(profiles, on=USER, how="left")
    for name in there:
        if not known[name].is_null().all():
            yield name, known[name].cast(nw.String).to_numpy()


def _told(asked: "Question", found: "Iterable[Treated]") -> dict[str, Any]:
    return {
        "name": asked.name,
        "kind": asked.kind,
        "limit": asked.limit,
        "groups": [asdict(one) for one in found],
    }


def _unfair(told: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    for attribute in told:
        for measure in attribute["measures"]:
            for one in measure["groups"]:
                if one["verdict"] == "unfair":
                    gaps = {name: one[name] for name in ("group", "gap", "gap_low", "gap_high")}
                    yield {
                        "attribute": attribute["name"],
                        "measure": measure["name"],
                        "limit": measure["limit"],
                        **gaps,
                    }


def _coarse(count: int) -> int | None:
    """Return a count that may be told: none of a handful."""
    return count if count == 0 or count >= FLOOR else None


def _numbers(frame: Frame, name: str) -> Array:
    return np.asarray(frame[name].cast(nw.Float64).fill_null(float("nan")).to_numpy(), dtype=float)
