"""What campaigns cause, on one page for marketing: the curve, what aiming would have brought, and what is assumed.

All figures are of people who were drawn by lot after the model had learned. Where nothing was learned the page says
why, and what leads there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from crm import whiskers
from crm.charts import Chart, Series, rounded, written
from crm.models import Channel, JobRun
from mlengine import jobs
from mlengine.admin import effects_missing, private
from mlengine.admin.decision_words import decision_text
from mlengine.admin.effect_words import (
    Measure,
    assumed,
    between,
    chance,
    hundred,
    learner_title,
    percent,
    way_title,
)
from mlengine.models import Metric, ModelVersion, PredictionRun
from mlengine.specs import SPECS

SPEC: Final = effects_missing.SPEC
ORDER: Final = ("nobody", "by_lot", "targeted", "everybody")

Policy = Mapping[str, Any]  # as a version's card keeps what a way of choosing brought


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of choosing whom to send to, and what it would have brought of 100 people."""

    name: str
    title: str
    messages: str
    bought: str
    bought_between: str
    more: str
    more_between: str
    each: str
    earned: str
    earned_between: str
    unbiased: str


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A learner that was tried: its Qini on people it had not seen, and whether it is the one in use."""

    name: str
    title: str
    base: str
    qini: str
    percent: int
    chance: str
    is_chosen: bool


def page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Answer with what campaigns cause, by the champion or else the latest version, or with why nothing is known."""
    if not request.user.has_perm("mlengine.view_modelversion"):
        raise PermissionDenied
    facts = about(counts=private.sees_people(request.user))
    facts |= {"title": _("What campaigns cause"), "may_train": request.user.has_perm("mlengine.add_modelversion")}
    return TemplateResponse(request, "zhiyin/version/effects.html", context | facts)


def about(*, counts: bool) -> dict[str, Any]:
    """Return what the page shows; how many people there are only to those who may see people."""
    champion = ModelVersion.objects.champion(SPEC)
    version = champion or ModelVersion.objects.filter(spec=SPEC).order_by("-number").first()
    parameters = SPECS[SPEC].parameters
    found = {
        "version": version,
        "serves": champion is not None,
        "run": PredictionRun.objects.latest_finished(SPEC),
        "job": JobRun.objects.active().filter(kind=jobs.TRAIN, parameters__spec=SPEC).first(),
        "counts": counts,
        "days": parameters["window"].days,
        "least": parameters["least"],
        "judged": parameters["least_judged"],
        "currency": _currency(version),
        "assumed": assumed(parameters["window"].days),
        "refusal": effects_missing.refusal(counts=counts) if version is None else None,
    }
    return found | (of_version(version, counts=counts) if version else {})


def _currency(version: ModelVersion | None) -> str:
    """Return the currency of what a version learned from; the shop's own where none says so."""
    told: Mapping[str, Any] = (version.card.get("data") if version else None) or {}
    return str(told.get("currency") or settings.CURRENCY)


def of_version(version: ModelVersion, *, counts: bool) -> dict[str, Any]:
    """Return what one version found, as its card tells it; one of a release before tells less."""
    facts: Mapping[str, Any] = version.card.get("facts") or {}
    shown: Mapping[str, Any] = (version.card.get("details") or {}).get("shown") or {}
    ways: dict[str, Policy] = {one["name"]: one for one in shown.get("policies", ())}
    return {
        "decision": decision_text(version.decision),
        "differs": facts.get("effects_differ"),
        "average": _average(facts),
        "headline": headline(ways) if ways else "",
        "tiles": tiles(version, ways),
        "curve": curve(shown["curve"]) if shown else None,
        "ways": [_way(ways[name]) for name in ORDER if name in ways],
        "whiskers": _by_way(ways),
        "channels": _by_channel(facts),
        "candidates": candidates(facts),
        "is_expected": facts.get("learner") == facts.get("expected_best"),
        "learned_from": _runs(facts.get("trials"), counts=counts),
        "judged_by": _runs(shown.get("campaigns"), counts=counts),
    }


def headline(ways: Mapping[str, Policy]) -> str:
    """Return the finding as a sentence."""
    targeted, everybody = ways["targeted"]["more"], ways["everybody"]["more"]
    told = {
        "share": percent(ways["targeted"]["share"]),
        "aimed": hundred(targeted["value"], signed=False),
        "all": hundred(everybody["value"], signed=False),
        "between": between(targeted),
    }
    if (targeted["low"] or 0.0) <= 0:
        unsure = _(
            "Whether sending to the %(share)s it helps most makes anybody buy cannot be told yet: %(aimed)s of 100"
            " people, but it may be none (%(between)s)."
        )
        return unsure % told
    if everybody["value"] <= targeted["value"]:
        better = _(
            "Sending to the %(share)s it helps most makes %(aimed)s more of 100 people buy (%(between)s); sending to"
            " everybody makes %(all)s more: the other messages help nobody."
        )
        return better % told
    sure = _(
        "Sending to the %(share)s it helps most makes %(aimed)s more of 100 people buy (%(between)s). That is %(part)s"
        " of what sending to everybody brings, %(all)s, for %(share)s of the messages."
    )
    return sure % (told | {"part": percent(targeted["value"] / everybody["value"])})


def tiles(version: ModelVersion, ways: Mapping[str, Policy]) -> list[dict[str, str]]:
    """Return the figures at the top: what 100 messages bring, aimed and not, and how good the order is."""
    found = []
    for name, label in (("targeted", _("100 messages, aimed")), ("everybody", _("100 messages, to anybody"))):
        if way := ways.get(name):
            value = _("%(count)s purchases") % {"count": hundred(way["more"]["value"] / way["share"])}
            found.append({"label": label, "value": value, "note": between(way["more"], by=way["share"])})
    rows = version.metrics.filter(kind=Metric.Kind.BACKTEST, subject="model", name__in=("qini", "auuc"))
    latest = {row.name: row for row in rows.order_by("cutoff")}
    titles = {"qini": _("Qini: 0 is chance, 1 a perfect order"), "auuc": _("AUUC: 0 is chance, 1 a perfect order")}
    for row, title in ((latest[name], title) for name, title in titles.items() if name in latest):
        ends = {"low": written(row.low, "decimal"), "high": written(row.high, "decimal")}
        note = _("95 %%: %(low)s to %(high)s") % ends
        found.append({"label": title, "value": written(row.value, "decimal"), "note": note})
    return found


def curve(found: Mapping[str, Sequence[float]]) -> Chart:
    """Return how many more of 100 people buy if the first so many are sent to, beside chance."""
    whole = found["gained"][-1]
    lines: tuple[tuple[str, Sequence[float], str, bool | str], ...] = (
        (_("Those first whom it helps most"), found["gained"], "primary", False),
        (_("In any order"), [share * whole for share in found["shares"]], "grey", False),
        (_("At least (95 %)"), found["low"], "soft", "+1"),
        (_("At most (95 %)"), found["high"], "soft", "-1"),
    )
    return Chart(
        id="qini-curve",
        title=_("How many more buy, by how many are sent to"),
        labels=[percent(share) for share in found["shares"]],
        label_title=_("Sent to"),
        series=[
            Series(
                label=label,
                values=[100 * value for value in values],
                unit="decimal",
                colour=colour,
                dashed=colour == "grey",
                fill=fill,
            )
            for label, values, colour, fill in lines
        ],
        x_title=_("Sent to, those first whom it helps most"),
        y_title=_("More of 100 people who buy"),
        height=320,
    )


def candidates(facts: Mapping[str, Any]) -> list[Candidate]:
    """Return the learners that were tried, the best first."""
    found: Mapping[str, float | None] = facts.get("qini_crosswise") or {}
    chances: Mapping[str, float] = facts.get("chance_crosswise") or {}
    most = max((value for value in found.values() if value), default=0.0)
    return [
        Candidate(
            name=learner_title(name)[0],
            title=learner_title(name)[1],
            base=learner_title(name)[2],
            qini=written(value, "decimal"),
            percent=round(100 * max(0.0, value or 0.0) / most) if most > 0 else 0,
            chance=chance(chances.get(name)),
            is_chosen=name == facts.get("learner"),
        )
        for name, value in sorted(found.items(), key=lambda pair: -(pair[1] or 0.0))
    ]


def _average(facts: Mapping[str, Any]) -> str:
    """Return the average effect on 100 people with its interval; nothing where the card does not tell it."""
    value, error = facts.get("average_effect"), facts.get("average_effect_error")
    if value is None or error is None:
        return ""
    ends = {"value": value, "low": value - 1.96 * error, "high": value + 1.96 * error}
    return f"{hundred(value)} ({between(ends)})"


def _way(way: Policy) -> Way:
    nobody = way["name"] == "nobody"
    return Way(
        name=way["name"],
        title=way_title(way["name"], way["share"]),
        messages=rounded(100 * way["share"], 0),
        bought=hundred(way["bought"]["value"], signed=False),
        bought_between=between(way["bought"]).replace("+", ""),
        more="–" if nobody else hundred(way["more"]["value"]),
        more_between="" if nobody else between(way["more"]),
        each="–" if nobody else hundred(way["more"]["value"] / way["share"]),
        earned="–" if nobody else _money(way["earned"]["value"]),
        earned_between="" if nobody else _money_between(way["earned"]),
        unbiased=hundred(way["ips"], signed=False),
    )


def _by_way(ways: Mapping[str, Policy]) -> list[whiskers.Whisker]:
    """Return what each way brings beside sending to nobody, on one scale."""
    return whiskers.drawn(
        [
            whiskers.Row(
                label=way_title(name, ways[name]["share"]),
                note="",
                text=hundred(ways[name]["more"]["value"]),
                span=_span(ways[name]["more"]),
                pale=name == "by_lot",
            )
            for name in ORDER[1:]
            if name in ways
        ]
    )


def _by_channel(facts: Mapping[str, Any]) -> list[whiskers.Whisker]:
    """Return what a campaign does on average by each channel, the most first."""
    found: Mapping[str, Sequence[float]] = facts.get("by_channel") or {}
    rows = [
        whiskers.Row(
            label=str(Channel(channel).label),
            note="",
            text=hundred(value),
            span=(value, value - 1.96 * error, value + 1.96 * error),
        )
        for channel, (value, error) in sorted(found.items(), key=lambda pair: -pair[1][0])
    ]
    return whiskers.drawn(rows)


def _span(measure: Measure) -> whiskers.Span | None:
    value, low, high = (measure.get(name) for name in ("value", "low", "high"))
    return None if value is None or low is None or high is None else (value, low, high)


def _runs(found: Sequence[Mapping[str, Any]] | None, *, counts: bool) -> list[dict[str, Any]]:
    """Return runs of campaigns as a card tells them, channels in words."""
    return [
        {**one, "channels": [str(Channel(name).label) for name in one["channels"]], "counts": counts}
        for one in found or ()
    ]


def _money(value: float | None) -> str:
    return "–" if value is None else f"{'+' if value > 0 else ''}{rounded(100 * value, 0)}"


def _money_between(measure: Measure) -> str:
    if measure.get("low") is None:
        return ""
    return _("95 %%: %(low)s to %(high)s") % {"low": _money(measure["low"]), "high": _money(measure["high"])}
