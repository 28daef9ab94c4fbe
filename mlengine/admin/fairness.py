"""How a model treats groups of people, as its page tells it: a table an attribute, and what was found unfair first."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.charts import Chart, Series, written
from mlengine.admin.fairness_words import MEASURES, attribute_title
from mlengine.admin.words import metric_title

DECIMALS = frozenset({"ndcg_at_10", "ndcg_new_at_10", "recall_at_10", "novelty"})
VERDICTS: Mapping[str, tuple[str, Any]] = {
    "best": ("accent", gettext_lazy("the best, which others are compared with")),
    "fair": ("good", gettext_lazy("within the limit")),
    "unclear": ("warn", gettext_lazy("beyond the limit, but it may be chance")),
    "unfair": ("bad", gettext_lazy("unequal")),
}


COLOURS: Mapping[str, str] = {"unclear": "amber", "unfair": "red"}


def about(report: Mapping[str, Any], *, counts: bool) -> dict[str, Any]:
    """Return a report as tables and drawings; to who may not see people only the verdicts.

    An exact rate with its interval tells how many people a group has, and how many of them did it.
    """
    told = [_attribute(found, counts=counts) for found in report.get("attributes", [])]
    return {
        "selected": written(report.get("selected"), "percent"),
        "unfair": [sentence(one) if counts else _named(one) for one in report.get("unfair", [])],
        "attributes": [one for one in told if one["rows"]],
        "nothing": [one["title"] for one in told if not one["rows"]],
        "unmeasured": bool(report.get("unmeasured")),
        "counts": counts,
    }


def sentence(one: Mapping[str, Any]) -> str:
    """Return what was found unfair, in words."""
    facts = {
        "attribute": attribute_title(one["attribute"]),
        "group": one["group"],
        "measure": measure_title(one["measure"]),
        "gap": written(one["gap"], "decimal"),
        "low": written(one["gap_low"], "decimal"),
        "high": written(one["gap_high"], "decimal"),
        "limit": written(one["limit"], "decimal"),
    }
    return _("%(attribute)s %(group)s – %(measure)s: %(gap)s [%(low)s, %(high)s], the limit is %(limit)s") % facts


def _named(one: Mapping[str, Any]) -> str:
    return f"{attribute_title(one['attribute'])} {one['group']} – {measure_title(one['measure'])}"


def measure_title(name: str) -> str:
    return str(MEASURES.get(name) or metric_title(name))


def _attribute(found: Mapping[str, Any], *, counts: bool) -> dict[str, Any]:
    measures = [measure for measure in found["measures"] if measure["groups"]]
    names = sorted({one["group"] for measure in measures for one in measure["groups"]}, key=_by_number)
    return {
        "title": attribute_title(found["name"]),
        "hidden": found["hidden"],
        "unknown": written(found["unknown"], "integer") if counts and found["unknown"] else None,
        "measures": [{"title": measure_title(one["name"]), "limit": _limit(one)} for one in measures],
        "rows": [_row(name, measures, counts=counts) for name in names],
        "chart": _chart(found["name"], names, measures[0]) if counts and measures else None,
    }


def _by_number(name: str) -> tuple[float, str]:
    """Order 5+ after 4, and 100-124K after 15-24K.

    >>> sorted(["100-124K", "Under 15K", "15-24K", "> 4", "≤ 4"], key=_by_number)
    ['≤ 4', '> 4', 'Under 15K', '15-24K', '100-124K']
    """
    digits = "".join(letter if letter.isdigit() else " " for letter in name).split()
    below = name.startswith(("Under", "≤", "<"))
    return (float(digits[0]) - 0.5 * below if digits else float("inf"), name)


def _row(name: str, measures: Sequence[Mapping[str, Any]], *, counts: bool) -> dict[str, Any]:
    cells = [
        (_cell if counts else _verdict)(measure, next((one for one in measure["groups"] if one["group"] == name), None))
        for measure in measures
    ]
    people = max((one["people"] for m in measures for one in m["groups"] if one["group"] == name), default=0)
    return {"group": name, "people": written(people, "integer") if counts else None, "cells": cells}


def _cell(measure: Mapping[str, Any], one: Mapping[str, Any] | None) -> dict[str, Any]:
    if one is None:
        return {"text": "–"}
    tone, title = VERDICTS.get(one["verdict"], ("", ""))
    unit = "decimal" if measure["name"] in DECIMALS else "percent"
    ratio = measure["kind"] == "ratio" and one["verdict"] != "best" and measure["limit"] is not None
    return {
        "text": written(one["value"], unit),
        "interval": f"[{written(one['low'], unit)}, {written(one['high'], unit)}]",
        "tone": tone,
        "verdict": title,
        "gap": "× " + written(one["gap"], "decimal") if ratio else "",
    }


def _verdict(_measure: Mapping[str, Any], one: Mapping[str, Any] | None) -> dict[str, Any]:
    tone, title = VERDICTS.get(one["verdict"], ("", "")) if one else ("", "")
    return {"text": title or "–", "tone": tone, "verdict": title}


def _limit(measure: Mapping[str, Any]) -> str:
    limit = measure["limit"]
    if limit is None:
        return ""
    text = written(limit, "percent")
    match measure["kind"]:
        case "ratio":
            return _("at least %(limit)s of the best group's") % {"limit": text}
        case "difference":
            return _("at most %(limit)s below the best group's") % {"limit": text}
        case _bias:
            return _("at most %(limit)s off") % {"limit": text}


def _chart(attribute: str, names: Sequence[str], measure: Mapping[str, Any]) -> Chart:
    """Return the first measure by group; those beyond the limit stand out."""
    found = {one["group"]: one for one in measure["groups"]}
    shown = [name for name in names if name in found]
    unit = "decimal" if measure["name"] in DECIMALS else "percent"
    return Chart(
        id=f"fairness-{attribute}",
        title=measure_title(measure["name"]),
        labels=shown,
        label_title=attribute_title(attribute),
        series=[
            Series(
                label=measure_title(measure["name"]),
                values=[found[name]["value"] for name in shown],
                unit=unit,
                kind="bar",
            )
        ],
        colours=[COLOURS.get(found[name]["verdict"], "primary") for name in shown],
        y_title=measure_title(measure["name"]),
        height=190,
    )
