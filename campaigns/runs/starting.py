"""The clock starts what is due: a run of its own for each moment, once, if it is what was approved."""

from datetime import datetime

from django.db import transaction
from django.utils.timezone import get_default_timezone
from django.utils.translation import gettext

from campaigns.models import Campaign, Run
from campaigns.reach import policies
from campaigns.runs import approving, ending, planning, preparing, recurrence, transitions
from campaigns.runs.recurrence import Recurrence
from campaigns.runs.transitions import Verb

ONCE, TRIGGERS = "once", "triggers"  # keys of the runs that are not named by their moment
Status = Campaign.Status


def first_run(campaign: Campaign, now: datetime) -> datetime:
    """Return when an approved campaign is to run first."""
    begins = max(campaign.starts_at or now, now)
    if campaign.kind != Campaign.Kind.RECURRING:
        return begins
    return recurrence.at_or_after(Recurrence.parse(campaign.timing), _anchor(campaign), begins, get_default_timezone())


def start_due(pk: int, now: datetime) -> Run | None:
    """Start the run that a campaign is due, if it is what was approved; nothing where another beat does it.

    Of several moments that were missed, as while everything was stopped, only the last counts; and none of which the
    messages would have expired by now.
    """
    with transaction.atomic():
        rows = Campaign.objects.select_for_update(of=("self",), skip_locked=True)
        campaign = rows.due(now).filter(pk=pk).first()
        if campaign is None or campaign.next_run_at is None or policies.policy().stopped_at:
            return None
        if not approving.holds(campaign):
            _not_what_was_approved(campaign)
            return None
        moment, following = _moments(campaign, campaign.next_run_at, now)
        if _too_late(campaign, moment, now):
            _pass_over(campaign, following, now)
            return None
        run = planning.begin(campaign, _key(campaign, moment), moment)
        transitions.move(campaign, Verb.START, next_run_at=following)
        if campaign.kind in Campaign.STANDING:
            Run.objects.filter(pk=run.pk, status=Run.Status.PLANNING).update(status=Run.Status.SENDING, planned_at=now)
        elif run.status == Run.Status.PLANNING and run.job_id is None:
            preparing.order(run, now)
    return run


def set_right(now: datetime) -> int:
    """Bring back what waits for a moment too far off, as after a clock that was a year ahead for a minute.

    A moment that was run already has a run of its key, and is not run again. Return how many campaigns that were.
    """
    done = 0
    rows = Campaign.objects.filter(kind=Campaign.Kind.RECURRING, status__in=[Status.SCHEDULED, Status.RUNNING])
    for campaign in rows.filter(next_run_at__gt=now):
        nearest = recurrence.after(Recurrence.parse(campaign.timing), _anchor(campaign), now, get_default_timezone())
        if campaign.next_run_at and nearest < campaign.next_run_at:
            same = Campaign.objects.filter(pk=campaign.pk, next_run_at=campaign.next_run_at)
            done += same.update(next_run_at=nearest)
    return done


def _anchor(campaign: Campaign) -> datetime:
    """Return the moment from whose day a recurring campaign's days are counted; readiness sees that it has one."""
    if campaign.starts_at is None:
        raise ValueError(f"The recurring campaign {campaign} does not say when it starts.")
    return campaign.starts_at


def _moments(campaign: Campaign, due: datetime, now: datetime) -> tuple[datetime, datetime | None]:
    """Return the moment that counts of those that are due, and the one after it; once and triggered have none."""
    if campaign.kind != Campaign.Kind.RECURRING:
        return due, None
    rule, zone = Recurrence.parse(campaign.timing), get_default_timezone()
    following = recurrence.after(rule, _anchor(campaign), due, zone)
    if following <= now:
        due = recurrence.before_or_at(rule, _anchor(campaign), now, zone)
        following = recurrence.after(rule, _anchor(campaign), now, zone)
    return due, following if campaign.ends_at is None or following < campaign.ends_at else None


def _key(campaign: Campaign, moment: datetime) -> str:
    """Return what names the run: its moment, or how often it began; a change has cancelled what it was before."""
    if campaign.kind == Campaign.Kind.RECURRING:
        return moment.strftime("%Y-%m-%dT%H:%MZ")
    name = ONCE if campaign.kind == Campaign.Kind.ONCE else TRIGGERS
    before = campaign.runs.exclude(status__in=ending.OPEN).count()
    return f"{name} {before + 1}" if before else name


def _too_late(campaign: Campaign, moment: datetime, now: datetime) -> bool:
    stale = campaign.kind == Campaign.Kind.RECURRING and moment + campaign.message_expires_after <= now
    return ending.is_over(campaign, now) or stale


def _pass_over(campaign: Campaign, following: datetime | None, now: datetime) -> None:
    """Leave a run out whose time is over; a campaign that never ran and never will is cancelled, and says why."""
    if ending.is_over(campaign, now) and (campaign.status == Status.SCHEDULED or not campaign.runs.exists()):
        ending.cancel(campaign, None, gettext("Its time was over before it could start."), now)
    else:
        Campaign.objects.filter(pk=campaign.pk).update(next_run_at=following)


def _not_what_was_approved(campaign: Campaign) -> None:
    """Keep from running what was changed after its approval, however that came to be."""
    why = gettext("It is not what was approved, or who approved it may not any more. Submit it again.")
    if campaign.status == Status.RUNNING:
        transitions.move(campaign, Verb.PAUSE, status_reason=why)
    else:
        transitions.move(campaign, Verb.CHANGE, status_reason=why, **approving.CLEARED)
