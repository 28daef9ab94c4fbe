"""Who let deletion begin: no class of data is deleted before somebody has looked at what would go, and said so.

A release names the rehearsal that was looked at and the time that the class was kept for then. Kept shorter since, the
class waits for another look; kept longer, it does not.
"""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from crm.evidence import note
from crm.models import RetentionRelease, RetentionRun

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class CannotRelease(ValueError):
    """The class cannot be released by this run; the message says why."""


def released(data_class: str, keep: timedelta) -> bool:
    """Tell whether a pass may delete the class, where its shortest time is ``keep``."""
    return RetentionRelease.objects.filter(data_class=data_class, keep__lte=keep).exists()


def waiting(keeps: "dict[str, timedelta]") -> list[str]:
    """Return the classes, given with their shortest times, that nobody has released."""
    free = dict(RetentionRelease.objects.values_list("data_class", "keep"))
    return [name for name, keep in keeps.items() if name not in free or free[name] > keep]


def release(run: RetentionRun, data_class: str, *, keep: timedelta, user: "User", now: datetime) -> RetentionRelease:
    """Let passes delete a class, as the rehearsal showed it, if it is kept as long as was shown then.

    Raises
    ------
    CannotRelease
        The run was no rehearsal, has not ended, did not look at the class, or the class is kept for another time now.
    """
    shown = [one for one in run.report if one["data_class"] == data_class]
    if not run.dry_run or run.finished_at is None or not shown:
        raise CannotRelease("Only a rehearsal that has ended, and that looked at the class, can be released.")
    if shown[0].get("shortest_days", shown[0]["keep_days"]) != keep.days:
        raise CannotRelease("The class is kept for another time now: rehearse again.")
    with transaction.atomic():
        facts = {"run": run, "keep": keep, "released_by": user, "released_at": now}
        made, _ = RetentionRelease.objects.update_or_create(data_class=data_class, defaults=facts)
        note("retention", f"release {data_class}", {"rehearsal": run.pk, "by": user.pk, "days": keep.days}, now=now)
    return made


def take_back(data_class: str, *, user: "User", now: datetime) -> bool:
    """Let passes leave a class alone again; False if they did."""
    with transaction.atomic():
        gone = RetentionRelease.objects.filter(data_class=data_class).delete()[0] > 0
        if gone:
            note("retention", f"kept {data_class}", {"by": user.pk}, now=now)
    return gone
