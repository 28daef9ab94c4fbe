"""Whoever is due in a journey is led on, batch by batch; whom something unforeseen happens to holds up nobody else.

A batch that fails has changed nothing. It is tried again with half of its people, who come in the same order, until
they get through or one is left: she fails at her step, where staff see her and why, and the others go on.
"""

import logging
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction

from campaigns.journeys import walking
from campaigns.journeys.reasons import Reason
from campaigns.models import JourneyEntry, Run
from campaigns.reach import policies

log = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError)  # the database is, and nobody is to blame for it
A_WHILE = 100  # batches of one journey at most, which may be small, before the next one has its turn
MOST = 10 * walking.AT_ONCE  # people, who take some seconds


def lead(run: Run, now: datetime) -> int:
    """Lead on everybody of a run who is due, for a while, as long as nobody pauses or stops it; return how many moved.

    Raises
    ------
    django.db.OperationalError, django.db.InterfaceError
        The database is away; the next tick tries again.
    """
    moved, most = 0, walking.AT_ONCE
    for _turn in range(A_WHILE):
        if not _goes_on(run):
            break
        try:
            done = walking.walk(run, now, most)
        except AWAY:
            raise
        except Exception:
            if most > 1:
                most //= 2
                continue
            log.exception("Somebody in the journey of campaign %s cannot go on", run.campaign_id)
            done = _fail_first(run, now)
        moved += done
        if done < most or moved >= MOST:
            break
        most = min(2 * most, walking.AT_ONCE)
    return moved


def _goes_on(run: Run) -> bool:
    return Run.objects.sending().filter(pk=run.pk).exists() and not policies.policy().stopped_at


def _fail_first(run: Run, now: datetime) -> int:
    """Let the one fail whose turn it is; 0 where another worker has her."""
    with transaction.atomic():
        due = JourneyEntry.objects.due(now).filter(run=run, profile__restricted_at=None).order_by("due_at", "pk")
        first = due.select_for_update(of=("self",), skip_locked=True).first()
        if first is None:
            return 0
        first.status, first.reason, first.ended_at = JourneyEntry.Status.FAILED, Reason.ERROR, now
        first.save(update_fields=["status", "reason", "ended_at"])
    return 1
