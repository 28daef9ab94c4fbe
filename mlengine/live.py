"""What somebody is doing right now, and which items it leads to: events of the last minutes, followed along links.

The links are rows that a training exported, so that an event that has arrived counts in the very next answer, and no
model is loaded here; where the model that answers has a network, that is asked beside them (``mlengine.network``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from crm.models import Event
from mlengine.models import ItemLink

Link = tuple[int, int, float, int]  # an item, where it leads, how strongly, and how many people did both
Told = tuple[int, float, Mapping[str, Any]]  # an item, how strongly it is meant, and why

SESSION: Final = timedelta(hours=4)  # nothing older is looked at
CLOCKS_DIFFER: Final = timedelta(minutes=5)  # those of phones run ahead
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
    began: datetime | None = None

    @property
    def is_empty(self) -> bool:
        return not self.items


def session(done: Iterable[tuple[int, str, datetime]], now: datetime) -> Session:
    """Return what a person did with items since the last pause; from items, kinds and times, the latest first."""
    items: dict[int, float] = {}
    bought, latest = set[int](), now
    for item, kind, at in done:
        if latest - at > PAUSE:
            break
        latest = min(latest, at)
        items.setdefault(item, WEIGHTS[kind])
        if kind == Event.Kind.PURCHASE:
            bought.add(item)
    return Session(items=tuple(items.items()), bought=frozenset(bought), began=latest if items else None)


def led_to(doing: Session, links: Iterable[Link]) -> list[Told]:
    """Return the items that a session leads to, with how strongly and why, the strongest first."""
    worth, because = _added_up(doing, links)
    best = sorted((-value, item) for item, value in worth.items())[: 2 * MOST]
    return [(item, worth[item], _reason(*because[item])) for _value, item in best]


def _added_up(doing: Session, links: Iterable[Link]) -> tuple[dict[int, float], dict[int, tuple[float, int, int]]]:
    """Return the strength of each item that is led to, and the item of the session that leads there most."""
    worth: dict[int, float] = {}
    because: dict[int, tuple[float, int, int]] = {}
    weights = {item: weight * FADES**back for back, (item, weight) in enumerate(doing.items)}
    for item, other, value, people in links:
        if item not in weights or other in weights:
            continue
        adds = (weights[item] * value, item, people)
        most = because.get(other)
        worth[other] = worth.get(other, 0.0) + adds[0]
        because[other] = adds if most is None or adds > most else most
    return worth, because


def _reason(_adds: float, item: int, people: int) -> dict[str, Any]:
    return {"code": "because_of_now", "values": {"item": item, "people": people}}
