"""How long each class of data is kept now: by rules, by its purposes, by ours, and never less than the law wants."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from crm.models import Purpose, RetentionRule
from crm.retention_classes import CLASSES, DataClass


@dataclass(frozen=True, kw_only=True)
class Keep:
    """How long a class is kept; where its rows name their purposes, how long those of each are."""

    longest: timedelta
    by_purpose: Mapping[str, timedelta]

    @property
    def shortest(self) -> timedelta:
        return min((self.longest, *self.by_purpose.values()))


def keeps() -> Mapping[str, timedelta]:
    """Return how long each class is kept now."""
    return {name: keep.longest for name, keep in all_keeps().items()}


def all_keeps() -> Mapping[str, Keep]:
    """Return how long each class is kept now, and its rows of each purpose."""
    rules: dict[str, dict[str, timedelta]] = {}
    for name, purpose, keep in RetentionRule.objects.values_list("data_class", "purpose", "keep"):
        rules.setdefault(name, {})[purpose] = keep
    purposes = list(Purpose.objects.all())
    return {name: _keep(kept, rules.get(name, {}), purposes) for name, kept in CLASSES.items()}


def _keep(kept: DataClass, rules: Mapping[str, timedelta], purposes: list[Purpose]) -> Keep:
    if not kept.by_purpose:
        governed = [one for one in purposes if one.is_active and one.kind in kept.governed_by]
        told = rules.values() or [one.retention or kept.keep for one in governed] or [kept.keep]
        return Keep(longest=max(kept.least, *told), by_purpose={})
    # A rule that names no purpose of ours, as one for a demonstration, is for all of them.
    codes = {one.code for one in purposes}
    general = [keep for purpose, keep in rules.items() if purpose not in codes]
    by_purpose = {
        one.code: max(kept.least, rules.get(one.code) or max(general, default=None) or one.retention or kept.keep)
        for one in purposes
    }
    return Keep(longest=max([kept.least, *(by_purpose.values() or general or [kept.keep])]), by_purpose=by_purpose)
