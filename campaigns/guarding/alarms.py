"""A campaign that left its band is paused, in one transaction with the alarm that says why; then people are called.

Whoever lets it go on, changes it or ends it closes its alarms: what is counted afterwards begins there.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import current_app
from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from campaigns.models import Alarm, Campaign, Guardrail, Run
from campaigns.runs import transitions
from campaigns.runs.transitions import NotPossible, Verb
from crm.finder import masked_text

log = logging.getLogger(__name__)

Status = Campaign.Status
CALL = "campaigns.tasks.call_people"
GOES = frozenset({Status.SCHEDULED, Status.RUNNING})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A signal out of its band: what was seen, from which moment on it was counted, and for which run.

    ``once`` says that nobody will look again: it is told of a campaign too that a person paused meanwhile.
    """

    signal: str
    seen: Mapping[str, Any]
    since: datetime | None = None
    run: Run | None = None
    once: bool = False


def begins(campaign: Campaign) -> dict[str, datetime]:
    """Return from which moment on each signal is counted anew: when its last alarm was closed."""
    closed = campaign.alarms.exclude(closed_at=None).order_by("closed_at").values_list("signal", "closed_at")
    return {signal: at for signal, at in closed if at is not None}


def raise_each(campaign: Campaign, found: Sequence[Finding], now: datetime) -> list[Alarm]:
    """Pause the campaign and write down why, if all that was seen still holds; return the alarms that are new.

    Two beats may have seen the same: the second waits for the campaign's row and finds the first one's alarm. Somebody
    may have paused or ended the campaign, or closed an alarm, since it was counted: nothing is raised of that.
    """
    with transaction.atomic():
        one = Campaign.objects.select_for_update(of=("self",), no_key=True).get(pk=campaign.pk)
        known, last = set(one.alarms.open().values_list("signal", flat=True)), begins(one)
        fresh = [
            finding
            for finding in found
            if finding.signal not in known
            and last.get(finding.signal) == finding.since
            and (one.status in GOES or one.status == Status.FINISHED or finding.once)
            and one.status not in {Status.CANCELLED, Status.DRAFT}
        ]
        if not fresh:
            return []
        if one.status in GOES:
            why = gettext("It paused itself: %(signals)s.") % {"signals": _named(fresh)}
            transitions.move(one, Verb.PAUSE, status_reason=why[:300])
        made = Alarm.objects.bulk_create(
            Alarm(
                campaign=one, run=finding.run, signal=finding.signal, seen=dict(finding.seen), raised_at=now,
                paused=one.status == Status.PAUSED, tell_from=now,
            )
            for finding in fresh
        )  # fmt: skip
        transaction.on_commit(ring, robust=True)
    campaign.refresh_from_db()
    for alarm in made:
        log.warning("Campaign %s: %s left its band.", campaign.pk, alarm.signal)
    return made


def _named(found: Sequence[Finding]) -> str:
    return ", ".join(str(Guardrail.Signal(finding.signal).label) for finding in found)


def ring() -> None:
    """Have people told now; beat does so as well, so a bell that nobody hears costs a minute."""
    current_app.send_task(CALL, expires=60, retry=False)


def acknowledge(alarm: Alarm, by: User, note: str, now: datetime) -> bool:
    """Write down who looked at it and what they found; False if somebody had. What goes on by itself is closed."""
    words = masked_text(note.strip())[:500]
    rows = Alarm.objects.unseen().filter(pk=alarm.pk)
    done = bool(rows.update(looked_at=now, looked_at_by=by, note=words))
    if done and not alarm.paused:
        Alarm.objects.open().filter(pk=alarm.pk).update(closed_at=now, closed_by=by, closed_for=words[:300])
    alarm.refresh_from_db()
    return done


def demand_a_person(campaign: Campaign, by: User | None, reason: str) -> None:
    """Let nobody go on after an alarm without saying why.

    Raises
    ------
    campaigns.runs.transitions.NotPossible
        There is an open alarm, and no person or no reason.
    """
    if campaign.alarms.open().exists() and (by is None or not reason.strip()):
        raise NotPossible(gettext("It paused itself. Say why it may go on: what was wrong, what was done about it."))


def close(campaign: Campaign, by: User | None, reason: str, now: datetime) -> int:
    """Close a campaign's alarms, in the transaction in which it goes on or ends; return how many these were."""
    words = masked_text(reason.strip())[:300]
    open_ = campaign.alarms.open()
    if by is not None:
        open_.filter(looked_at=None).update(looked_at=now, looked_at_by=by)
    return open_.update(closed_at=now, closed_by=by, closed_for=words)
