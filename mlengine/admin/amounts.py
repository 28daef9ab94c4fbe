"""What a score and the numbers beside it read like: by their unit, with their interval, and as a curve over time."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.charts import Chart, Series, rounded, written
from mlengine.columns import AWAY
from mlengine.models import PredictionRun, Score
from mlengine.specs import SPECS

ENDS = ("_low", "_high")  # of the interval of another number


@dataclass(frozen=True, kw_only=True)
class Beside:
    """A number beside a score, in words."""

    title: str
    text: str
    between: str = ""


ANSWERED = frozenset({"response", "conversion", "redemption"})  # a probability of what one hopes for


def unit_of(spec: str) -> str:
    return SPECS[spec].unit if spec in SPECS else "probability"


def is_welcome(spec: str) -> bool:
    """Return whether a high score of a model is what one hopes for, as with money and answers, and not a risk."""
    return spec in SPECS and (SPECS[spec].unit in {"money", "effect"} or spec in ANSWERED)


def amount(value: float | None, unit: str, currency: str = "") -> str:
    """Return a number as it is read: a probability as percent, money, days, a count, an hour, or an effect."""
    if value is None:
        return "–"
    match unit:
        case "probability" | "effect":
            return f"{'+' if unit == 'effect' and value > 0 else ''}{written(value, 'percent')}"
        case "days":
            told = ngettext("about %(days)s day", "about %(days)s days", round(value))
            return told % {"days": rounded(value, 0)}
        case "hour":
            return f"{value:.0f}:00"
        case _:
            plain = rounded(value, 1) if unit == "count" else written(value, unit)
            return f"{plain} {currency}" if unit == "money" and currency else plain


def currency_of(run: PredictionRun) -> str:
    """Return the currency of the amounts of a run; nothing where a model tells of no money."""
    return run.currency if unit_of(run.spec) == "money" else ""


def between(score: Score) -> str:
    """Return the interval of a score, and nothing where it has none."""
    return span(score.low, score.high, unit_of(score.run.spec))


def span(low: float | None, high: float | None, unit: str) -> str:
    """Return a 95 % interval as it is read, and nothing where there is none."""
    if low is None or high is None:
        return ""
    return _("95 %%: %(low)s to %(high)s") % {"low": amount(low, unit), "high": amount(high, unit)}


def beside(score: Score) -> list[Beside]:
    """Return the numbers beside a score in the order of its spec, those that are known; points of a curve are drawn."""
    held: Mapping[str, float | None] = score.facts or {}
    asked = SPECS[score.run.spec].facts if score.run.spec in SPECS else {}
    return [
        Beside(
            title=_(fact.title),
            text=amount(held[name], fact.unit, currency_of(score.run)),
            between=span(held.get(f"{name}_low"), held.get(f"{name}_high"), fact.unit),
        )
        for name, fact in asked.items()
        if held.get(name) is not None and not name.startswith(AWAY) and not name.endswith(ENDS)
    ]


def curve(score: Score) -> Chart | None:
    """Return how likely somebody stays away for how long; ``None`` for scores that say nothing of it."""
    held: Mapping[str, float | None] = score.facts or {}
    points = sorted((int(name.removeprefix(AWAY)), value) for name, value in held.items() if name.startswith(AWAY))
    if not points:
        return None
    return Chart(
        id=f"curve-{score.run.spec}",
        title=_("How likely they stay away, and for how long"),
        labels=["0", *(str(days) for days, _value in points)],
        label_title=_("Days from then"),
        x_title=_("Days from then"),
        series=[
            Series(
                label=_("No purchase until then"),
                values=[1.0, *(value for _days, value in points)],
                unit="percent",
                fill=True,
            )
        ],
        legend=False,
        height=190,
    )
