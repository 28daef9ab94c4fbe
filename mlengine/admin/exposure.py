"""Which items a model shows, as its page tells it: shares of places beside shares of sales, and how uneven they are."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from crm.charts import Chart, Series, written

TITLES: Mapping[str, Any] = {"category": _("Category"), "brand": _("Brand")}
TWICE = 2.0  # shown so many times as much, or as little, as sold: pointed out, and no more


def about(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report as tables and drawings; shares of items tell nothing of single people. Empty without one."""
    if not report:
        return {}
    return {
        "items": written(report["items"], "integer"),
        "shown": written(report["shown"], "percent"),
        "gini": written(report["gini"], "decimal"),
        "gini_sold": written(report["gini_sold"], "decimal"),
        "attributes": [_attribute(one) for one in report["attributes"] if one["groups"]],
    }


def _attribute(one: Mapping[str, Any]) -> dict[str, Any]:
    title = str(TITLES.get(one["name"], one["name"]))
    return {
        "title": title,
        "hidden": one["hidden"],
        "unknown": written(one["unknown"]["places"], "percent") if one["unknown"] else None,
        "rows": [_row(group) for group in one["groups"]],
        "chart": _chart(one, title),
    }


def _row(group: Mapping[str, Any]) -> dict[str, Any]:
    ratio = group["ratio"]
    far = ratio is not None and not 1 / TWICE <= ratio <= TWICE
    return {
        "group": group["group"],
        "items": written(group["items"], "integer"),
        "places": written(group["places"], "percent"),
        "sold": written(group["sold"], "percent"),
        "ratio": "–" if ratio is None else "× " + written(ratio, "decimal"),
        "far": far,
    }


def _chart(one: Mapping[str, Any], title: str) -> Chart:
    groups = one["groups"]
    return Chart(
        id=f"exposure-{one['name']}",
        title=str(_("Places and sales")),
        labels=[group["group"] for group in groups],
        label_title=title,
        series=[
            Series(
                label=str(_("share of places")),
                values=[group["places"] for group in groups],
                unit="percent",
                kind="bar",
            ),
            Series(
                label=str(_("share of sales")),
                values=[group["sold"] for group in groups],
                unit="percent",
                kind="bar",
                colour="grey",
            ),
        ],
        height=240,
    )
