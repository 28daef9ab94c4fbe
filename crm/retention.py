"""Retention: what is past its time leaves, class by class, in batches; what a legal hold keeps, stays.

A class of data is a line of ``crm.retention_classes.CLASSES``. How long it is kept follows the purposes that it serves:
a rule of the officer's (``RetentionRule``) wins over the purposes' own retention, and that over ours; of several, the
longest counts, and never less than the law wants. A rehearsal counts what a pass would take, and writes the same
report. A pass deletes only classes that somebody released after a look at a rehearsal (``crm.retention_releases``).
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from crm import holds, lake
from crm.evidence import note
from crm.lake import LakeError
from crm.locks import Busy, only_one
from crm.models import RetentionRule, RetentionRun
from crm.retention_classes import ABOUT_PEOPLE, CLASSES
from crm.retention_keeps import Keep, all_keeps
from crm.retention_releases import released
from crm.retention_stores import Limits

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a pass found in one class: how many rows were past their time, how many went, how many are held."""

    data_class: str
    keep_days: int
    shortest_days: int  # of the rows of one purpose, where they differ
    cutoff: str
    due: int = 0
    deleted: int = 0
    held: int = 0
    dropped: int = 0
    hold: bool = False
    released: bool = False


def keep_sample(keep: timedelta, *, purpose: str, now: datetime) -> int:
    """Rule that no event goes before this time, nor what was learned and proven of it; return how many rules are new.

    Other rules stay.
    """
    rules = [RetentionRule(data_class=name, purpose=purpose, keep=keep, changed_at=now) for name in ABOUT_PEOPLE]
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
        found = []
        for name, keep in all_keeps().items():
            found.append(_one(name, keep, now=now, dry_run=dry_run))
            pass_.report = [asdict(one) for one in found]
            pass_.save(update_fields=["report"])  # a pass that is killed tells how far it came
        pass_.finished_at = clock()
        pass_.save(update_fields=["finished_at"])
        if not dry_run:
            _end(pass_, found, clock)
    return pass_


def _end(pass_: RetentionRun, found: list[Finding], clock: Clock) -> None:
    """Take what went out of the lake, too (at the next compaction, if others are at it), and note the pass."""
    try:
        pass_.lake_rows = lake.compact(clock())
    except (Busy, LakeError):
        pass_.lake_rows = None
    pass_.save(update_fields=["lake_rows"])
    facts: dict[str, object] = {one.data_class: {"deleted": one.deleted, "held": one.held} for one in found}
    note("retention", f"pass {pass_.pk}", facts, now=pass_.started_at)


def _one(name: str, keep: Keep, *, now: datetime, dry_run: bool) -> Finding:
    # Asked for each class anew: a pass may take hours, in which somebody places a hold or takes a release back.
    everything = holds.classes_held(now)
    held = everything is None or name in everything
    limits = Limits(
        cutoff=now - keep.longest, people=tuple(sorted(holds.people_held(now))), now=now, keeps=keep.by_purpose
    )
    free = released(name, keep.shortest)
    counted = CLASSES[name].store.count(limits)
    found = Finding(
        data_class=name,
        keep_days=keep.longest.days,
        shortest_days=keep.shortest.days,
        cutoff=limits.cutoff.isoformat(),
        due=counted.due,
        held=counted.due if held else counted.held,
        hold=held,
        released=free,
    )
    if dry_run or held or not free:
        return found
    gone = CLASSES[name].store.delete(limits)
    return replace(found, deleted=gone.rows, dropped=gone.partitions)
