"""A campaign runs: scheduled by a person, started by the clock, paused, resumed, cancelled, finished.

The truth is rows. Whatever rings twice, or two beats at once, meets a status that was changed, a run whose id is
derived from campaign and moment, or a row that somebody else holds. This module has what people do and what beat
rings; how runs begin stands in :mod:`campaigns.runs.starting`, how they are planned in
:mod:`campaigns.runs.preparing`, and how they end in :mod:`campaigns.runs.ending`.
"""

from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from campaigns import bell
from campaigns.guarding import alarms
from campaigns.journeys import following
from campaigns.models import Campaign
from campaigns.runs import approving, ending, preparing, readiness, starting, transitions, triggers
from campaigns.runs.ending import cancel
from campaigns.runs.preparing import PLAN, plan
from campaigns.runs.transitions import NotPossible, Verb
from crm.finder import masked_text

__all__ = ["PLAN", "cancel", "pause", "plan", "resume", "schedule", "tick"]


def schedule(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """Let an approved campaign run at the time that was approved, which may be now.

    Raises
    ------
    campaigns.runs.approving.NotReady, campaigns.runs.transitions.NotPossible
        It is not approved, or not as it is now, or cannot be sent any more.
    """
    with transaction.atomic():
        approving.locked(campaign)
        _demand_approval(campaign)
        if problems := readiness.problems(campaign, now):
            raise approving.NotReady(problems)
        begins = starting.first_run(campaign, now)
        transitions.move(campaign, Verb.SCHEDULE, status_reason=_why(reason), next_run_at=begins)
        alarms.close(campaign, by, reason or gettext("It was changed and approved again."), now)


def pause(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """Let no further message leave; those that were being handed over at this moment have left."""
    transitions.move(campaign, Verb.PAUSE, status_reason=_why(reason))


def resume(campaign: Campaign, by: User | None, reason: str, now: datetime) -> None:
    """Go on where it was paused; where it paused itself, only a person lets it, who says why.

    Raises
    ------
    campaigns.runs.transitions.NotPossible
        It is not what was approved, or there is an alarm and no person or no reason.
    """
    with transaction.atomic():
        approving.locked(campaign)
        _demand_approval(campaign)
        alarms.demand_a_person(campaign, by, reason)
        transitions.move(campaign, Verb.RESUME, status_reason=_why(reason))
        alarms.close(campaign, by, reason, now)
        transaction.on_commit(bell.ring, robust=True)


def tick(now: datetime) -> None:
    """Do all that is due; beat rings this, and it may ring twice at once."""
    starting.set_right(now)
    for pk in Campaign.objects.due(now).order_by("-priority", "next_run_at", "pk").values_list("pk", flat=True):
        starting.start_due(pk, now)
    preparing.revive(now)
    triggers.follow(now)
    following.pause_unapproved(now)
    ending.sweep(now)
    ending.finish(now)


def _demand_approval(campaign: Campaign) -> None:
    if not approving.holds(campaign):
        raise NotPossible(gettext("The campaign is not what was approved, or who approved it may not any more."))


def _why(reason: str) -> str:
    return masked_text(reason.strip())[:300]
