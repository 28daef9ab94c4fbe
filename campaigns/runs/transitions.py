"""How a campaign's status may change: one table, and one conditional UPDATE, so that of two clicks one wins."""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign

Status = Campaign.Status
ENDED = frozenset({Status.FINISHED, Status.CANCELLED})
UNENDED = frozenset(set(Status) - ENDED)


class Verb(models.TextChoices):
    """What is done to a campaign."""

    SUBMIT = "submit", _("submit")
    APPROVE = "approve", _("approve")
    REFUSE = "refuse", _("refuse")
    CHANGE = "change", _("change")
    SCHEDULE = "schedule", _("schedule")
    START = "start", _("start")
    PAUSE = "pause", _("pause")
    RESUME = "resume", _("resume")
    CANCEL = "cancel", _("cancel")
    FINISH = "finish", _("finish")


# From which states a verb leads to which.
TABLE: Mapping[Verb, tuple[frozenset[str], Status]] = {
    Verb.SUBMIT: (frozenset({Status.DRAFT}), Status.IN_REVIEW),
    Verb.APPROVE: (frozenset({Status.IN_REVIEW}), Status.APPROVED),
    Verb.REFUSE: (frozenset({Status.IN_REVIEW}), Status.DRAFT),
    Verb.CHANGE: (
        frozenset({Status.DRAFT, Status.IN_REVIEW, Status.APPROVED, Status.SCHEDULED, Status.PAUSED}),
        Status.DRAFT,
    ),
    Verb.SCHEDULE: (frozenset({Status.APPROVED}), Status.SCHEDULED),
    Verb.START: (frozenset({Status.SCHEDULED, Status.RUNNING}), Status.RUNNING),
    Verb.PAUSE: (frozenset({Status.SCHEDULED, Status.RUNNING}), Status.PAUSED),
    Verb.RESUME: (frozenset({Status.PAUSED}), Status.RUNNING),
    Verb.CANCEL: (UNENDED, Status.CANCELLED),
    Verb.FINISH: (frozenset({Status.RUNNING}), Status.FINISHED),
}


class NotPossible(RuntimeError):
    """This cannot be done to the campaign as it is now; the message says why."""


def move(campaign: Campaign, verb: Verb, **facts: Any) -> None:
    """Do a verb: change the status, and what goes with it, if the campaign is still in a state that allows it.

    Raises
    ------
    NotPossible
        It is in another state, or somebody else was faster.
    """
    before, after = TABLE[verb]
    rows = Campaign.objects.filter(pk=campaign.pk, status__in=before)
    moved = rows.update(**{"status": after} | facts)
    campaign.refresh_from_db()
    if not moved:
        words = gettext("The campaign is “%(status)s”: it cannot be done now (%(verb)s).")
        raise NotPossible(words % {"status": campaign.get_status_display(), "verb": verb.label})


def possible(campaign: Campaign) -> frozenset[Verb]:
    """Return the verbs that its state allows."""
    return frozenset(verb for verb, (before, _after) in TABLE.items() if campaign.status in before)
