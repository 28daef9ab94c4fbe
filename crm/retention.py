"""Retention: what is past its time leaves, class by class, in batches; what a legal hold keeps, stays.

A class of data is a line of ``crm.retention_classes.CLASSES``. How long it is kept follows the purposes that it serves:
of several, the longest counts, and a rule of the officer's (``RetentionRule``) wins over ours. A rehearsal counts what
a pass would take, and writes the same report.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db.models import Max

from crm import holds
from crm.evidence import note
from crm.locks import only_one
from crm.models import RetentionRule, RetentionRun
from crm.retention_classes import CLASSES, EVENT_CLASSES, DataClass, Limits

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a pass found in one class: how many rows were past their time, how many went, how many are held."""

    data_class: str
    keep_days: int
    cutoff: str
    due: int = 0
    deleted: int = 0
    held: int = 0
    dropped: int = 0
    hold: bool = False


def keeps() -> Mapping[str, timedelta]:
    """Return how long each class is kept now."""
    ruled = dict(RetentionRule.objects.values_list("data_class").annotate(longest=Max("keep")))
    return {name: ruled.get(name, kept.keep) for name, kept in CLASSES.items()}


def keep_events(keep: timedelta, *, purpose: str, now: datetime) -> int:
    """Rule that no event goes before this time, and return for how many classes that is new; other rules stay."""
    rules = [RetentionRule(data_class=name, purpose=purpose, keep=keep, changed_at=now) for name in EVENT_CLASSES]
    before = RetentionRule.objects.count()
    RetentionRule.objects.bulk_create(rules, ignore_conflicts=True)
    return RetentionRule.objects.count() - before


def run(clock: Clock, *, dry_run: bool, user: "User | None" = None) -> RetentionRun:
    """Go through all classes once; return the pass with its report.

    Raises
    ------
    crm.locks.Busy
        Another pass is going on.
    """
    with only_one("retention"):
        now = clock()
        pass_ = RetentionRun.objects.create(dry_run=dry_run, requested_by=user, started_at=now)
        everything = holds.classes_held(now)
        people = tuple(sorted(holds.people_held(now)))
        found = []
        for name, keep in keeps().items():
            limits = Limits(cutoff=now - keep, people=people, now=now)
            finding = Finding(data_class=name, keep_days=keep.days, cutoff=limits.cutoff.isoformat())
            held = everything is None or name in everything
            found.append(_one(CLASSES[name], finding, limits, held=held, dry_run=dry_run))
            pass_.report = [asdict(one) for one in found]
            pass_.save(update_fields=["report"])  # a pass that is killed tells how far it came
        pass_.finished_at = clock()
        pass_.save(update_fields=["finished_at"])
        if not dry_run:
            facts = {one.data_class: {"deleted": one.deleted, "held": one.held} for one in found}
            note("retention", f"pass {pass_.pk}", facts, now=now)
    return pass_


def _one(kept: DataClass, finding: Finding, limits: Limits, *, held: bool, dry_run: bool) -> Finding:
    counted = kept.store.count(limits)
    found = replace(finding, due=counted.due, held=counted.due if held else counted.held, hold=held)
    if dry_run or held:
        return found
    gone = kept.store.delete(limits)
    return replace(found, deleted=gone.rows, dropped=gone.partitions)
