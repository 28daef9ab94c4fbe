"""Which events retention has let go, for stores that hold copies of them: the lake.

A class counts from the last pass that took it, and never further than it is kept now: where somebody rules that it is
kept longer, what comes in of old times stays. A hold wins here as it does in the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from crm import holds
from crm.models import RetentionRun
from crm.retention_classes import CLASSES, EVENT_CLASSES
from crm.retention_keeps import keeps


@dataclass(frozen=True, kw_only=True)
class LetGo:
    """Events of a kind before a moment, but of nobody who is held."""

    before: Mapping[str, datetime]
    held: tuple[int, ...]


def let_go(now: datetime) -> LetGo:
    """Return what the database has let go, and no copy may keep."""
    held, times = holds.classes_held(now), keeps()
    before: dict[str, datetime] = {}
    for name, cutoff in _taken().items():
        if held is None or name in held:
            continue
        for kind in CLASSES[name].store.kinds:  # type: ignore[attr-defined]  # of events, by its name
            before[kind] = min(cutoff, now - times[name])
    return LetGo(before=before, held=tuple(sorted(holds.people_held(now))))


def _taken() -> dict[str, datetime]:
    """Return up to when each class of events was taken by a pass."""
    found: dict[str, datetime] = {}
    for report in RetentionRun.objects.filter(dry_run=False, finished_at__isnull=False).values_list(
        "report", flat=True
    ):
        for one in report:
            name = one["data_class"]
            if name in EVENT_CLASSES and one.get("released") and not one["hold"]:
                cutoff = datetime.fromisoformat(one["cutoff"])
                found[name] = max(cutoff, found.get(name, cutoff))
    return found
