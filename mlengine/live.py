"""What somebody is doing right now, and which items it leads to: events of the last minutes, followed along links.

The links are rows that a training exported; so an event that has arrived counts in the very next answer, and a web
process loads no model.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from crm.models import Event, Item
from mlengine.models import ItemLink, PredictionRun
from mlengine.shelf import Candidate, scaled

SESSION: Final = timedelta(hours=4)  # nothing older is looked at
PAUSE: Final = timedelta(minutes=30)  # a longer one ends a session
MOST: Final = 20  # events
FADES: Final = 0.8  # each event back counts this much less
WEIGHTS: Final[Mapping[str, float]] = {"view": 1.0, "cart": 1.5, "purchase": 1.0}
# Whatever is known best of an item: what people look at next, else what they put beside it, else who buys both.
PREFERRED: Final = (ItemLink.Kind.NEXT, ItemLink.Kind.TOGETHER, ItemLink.Kind.SIMILAR)


@dataclass(frozen=True, kw_only=True)
class Session:
    """Items of a session, the latest first, each once, with the weight of what was done; and those that were bought."""

    items: Sequence[tuple[int, float]] = ()
    bought: frozenset[int] = frozenset()

    @property
    def is_empty(self) -> bool:
        return not self.items


def session(profiles: Sequence[int], now: datetime) -> Session:
    """Return what a person did with items since the last pause; one query, on the index (profile, time)."""
    rows = Event.objects.filter(
        profile__in=profiles,
        occurred_at__gt=now - SESSION,
        occurred_at__lte=now + timedelta(minutes=5),  # the clocks of phones run ahead
        kind__in=list(WEIGHTS),
        item__isnull=False,
    )
    found = rows.order_by("-occurred_at", "-id").values_list("item_id", "kind", "occurred_at")[:MOST]
    items: dict[int, float] = {}
    bought, latest = set[int](), now
    for item, kind, at in found:
        if latest - at > PAUSE:
            break
        latest = min(latest, at)
        items.setdefault(item, WEIGHTS[kind])
        if kind == Event.Kind.PURCHASE:
            bought.add(item)
    return Session(items=tuple(items.items()), bought=frozenset(bought))


def led_to(doing: Session, now: datetime) -> list[Candidate]:
    """Return the items that a session leads to and that are available, the strongest first; two queries."""
    if doing.is_empty:
        return []
    run = PredictionRun.objects.latest_finished("companions")
    if run is None:
        return []
    links = ItemLink.objects.filter(run=run, item__in=[item for item, _weight in doing.items])
    by_item: dict[int, dict[str, list[tuple[int, float, int]]]] = {}
    for item, kind, other, value, people in links.values_list("item_id", "kind", "other_id", "value", "people"):
        by_item.setdefault(item, {}).setdefault(kind, []).append((other, value, people))
    worth, because = _added_up(doing, by_item)
    best = sorted(worth, key=lambda item: (-worth[item], item))[: 2 * MOST]
    items = Item.objects.available(now).in_bulk(best)
    shown = [item for item in best if item in items]
    return [
        Candidate(item=items[item], value=value, reason=_reason(*because[item]), source="session")
        for item, value in zip(shown, scaled([worth[item] for item in shown]), strict=True)
    ]


def _added_up(
    doing: Session, by_item: Mapping[int, Mapping[str, Sequence[tuple[int, float, int]]]]
) -> tuple[dict[int, float], dict[int, tuple[float, int, int]]]:
    """Return the strength of each item that is led to, and the item of the session that leads there most."""
    worth: dict[int, float] = {}
    because: dict[int, tuple[float, int, int]] = {}
    seen = {item for item, _weight in doing.items}
    for back, (item, weight) in enumerate(doing.items):
        kinds = by_item.get(item, {})
        kind = next((kind for kind in PREFERRED if kind in kinds), None)
        for other, value, people in kinds.get(kind, ()) if kind else ():
            if other in seen:
                continue
            adds = weight * FADES**back * value
            worth[other] = worth.get(other, 0.0) + adds
            because[other] = max(because.get(other, (0.0, 0, 0)), (adds, item, people))
    return worth, because


def _reason(_adds: float, item: int, people: int) -> dict[str, object]:
    return {"code": "because_of_now", "values": {"item": item, "people": people}}
