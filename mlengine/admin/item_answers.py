"""What a run of items answered, at a glance: which items most people are shown, what goes together, what is needed."""

from typing import Any
from urllib.parse import urlencode

import orjson
from django.urls import reverse

from crm.models import Item
from mlengine.admin.offers import due
from mlengine.models import ItemLink, PredictionRun

SHOWN = 20
IN_SEGMENTS = "recommendations"  # whose lists a segment's rule asks for
WITHIN = 10


def about(run: PredictionRun, user: Any) -> dict[str, Any]:
    """Return what the page of a run shows beside its facts; nothing for runs that say something of people.

    A segment begins only beside the answers that its rule would ask: those of the latest run.
    """
    makes = user.has_perm("campaigns.add_segment") and run == PredictionRun.objects.latest_finished(run.spec)
    if run.summary.get("top") and user.has_perm("mlengine.view_recommendation"):
        return {"items": _most_shown(run, makes=makes and run.spec == IN_SEGMENTS)}
    if run.spec == "companions" and user.has_perm("mlengine.view_itemlink"):
        return {"pairs": _pairs(run)}
    if run.spec == "repurchase" and user.has_perm("mlengine.view_repurchase"):
        return due(run) | {"may_make": makes}
    return {}


def _most_shown(run: PredictionRun, *, makes: bool) -> list[tuple[Item, int, int, str]]:
    """Return the items on most lists: each with how many people, that in percent, and where a segment of it begins."""
    most = run.summary["top"][:SHOWN]
    items = Item.objects.in_bulk([item for item, _people in most])
    whole = max(int(run.summary.get("people", 0)), 1)
    return [
        (items[item], people, round(100 * people / whole), _segment(items[item]) if makes else "")
        for item, people in most
        if item in items
    ]


def _segment(item: Item) -> str:
    rule = {"recommended": {"item": item.code}, "within_rank": WITHIN}
    asked = urlencode({"rule": orjson.dumps({"all": [rule]}).decode()})
    return f"{reverse('admin:campaigns_segment_add')}?{asked}"


def _pairs(run: PredictionRun) -> list[ItemLink]:
    """Return the pairs that most people bought together, each once whichever way it is told."""
    links = ItemLink.objects.filter(run=run, kind=ItemLink.Kind.TOGETHER, rank=1).select_related("item", "other")
    once: dict[frozenset[int], ItemLink] = {}
    for one in links.order_by("-people", "item_id")[: 2 * SHOWN]:
        once.setdefault(frozenset((one.item_id, one.other_id)), one)
    return list(once.values())[:SHOWN]
