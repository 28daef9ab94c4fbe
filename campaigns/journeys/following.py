"""What happened since the last look lets people in, and wakes those who wait for it.

New events are found by their transaction, as triggered campaigns find them; what lets people in is named by the event,
so it lets them in once. Waking only says "look now": whether it was what she waits for is asked at the step.
"""

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils.translation import gettext

from campaigns.journeys import acting, entering, leading, managing, versions, walking
from campaigns.journeys.entering import Occasion
from campaigns.journeys.graph import Graph, WaitForEvent
from campaigns.models import Campaign, Journey, JourneyEntry, Run
from campaigns.reach import policies
from campaigns.runs import approving, ending, transitions
from campaigns.runs.transitions import NotPossible, Verb
from campaigns.runs.triggers import horizon, written
from crm.copying import int_array
from crm.merging import members_of

log = logging.getLogger(__name__)

OLDEST = timedelta(days=1)  # an event that comes in later than that lets nobody in: a file of last year's orders

WAKE = """
UPDATE campaigns_journeyentry SET due_at = %(now)s
WHERE id IN (
    SELECT id FROM campaigns_journeyentry
    WHERE run_id = %(run)s AND profile_id = ANY (%(people)s::bigint[]) AND status = 'walking' AND due_at > %(now)s
    ORDER BY id FOR UPDATE
)
"""


def follow(now: datetime) -> int:
    """Let in, wake and lead on whoever it is time for, in every journey that runs; return how many moved.

    While everything is stopped nobody moves. What goes wrong in one journey is told, and keeps no other one waiting.
    """
    if policies.policy().stopped_at:
        return 0
    runs = Run.objects.sending().filter(campaign__kind=Campaign.Kind.JOURNEY)
    moved = managing.cancelled(now)
    for run in runs.select_related("campaign__purpose", "campaign__segment__current", "campaign__journey"):
        try:
            look(run, now)
            managing.part(run, now)
        except leading.AWAY:
            raise
        except Exception:
            log.exception("Nobody can enter the journey of campaign %s", run.campaign_id)
        moved += leading.lead(run, now)
    return moved


def pause_unapproved(now: datetime) -> int:
    """Pause journeys that are not what was approved, or by whom nobody may any more; return how many."""
    running = Campaign.objects.filter(kind=Campaign.Kind.JOURNEY, status=Campaign.Status.RUNNING)
    paused = 0
    for campaign in running.select_related("purpose", "segment", "journey__live__approved_by", "approved_by"):
        live = campaign.journey.live
        if approving.holds(campaign) and live is not None and versions.holds(live):
            continue
        why = gettext("It is not what was approved, or who approved it may not any more. Submit it again.")
        with suppress(NotPossible):  # a person was faster
            transitions.move(campaign, Verb.PAUSE, status_reason=why)
            paused += 1
    return paused


def look(run: Run, now: datetime) -> int:
    """Read what happened since the last look; return how many people entered. Nothing where another beat reads."""
    with transaction.atomic():
        # No key: who lets in or sends at this moment makes rows that name the run, and must not wait for us.
        rows = Run.objects.sending().select_for_update(of=("self",), skip_locked=True, no_key=True)
        held = rows.filter(pk=run.pk).first()
        if held is None or ending.is_over(run.campaign, now) or policies.policy().stopped_at:
            return 0
        begin, end = held.read_until, horizon()
        Run.objects.filter(pk=run.pk).update(read_until=end)
        if begin is None or begin >= end:
            return 0  # the first look only says from where on
        return _answer(run, begin, end, now)


def _answer(run: Run, begin: int, end: int, now: datetime) -> int:
    journey = Journey.objects.get(pk=run.campaign_id)  # a version may have been put into use since the run was read
    graphs = _graphs(journey)
    live = graphs.get(journey.live_id or 0)
    trigger = live.trigger if live and live.trigger.kind == "event" else None
    waited = _waited(graphs.values()) | {(run.campaign.goal, run.campaign.goal_name)}
    kinds = {kind for kind, _name in waited} | ({trigger.event} if trigger else set())
    events = written(begin, end, kinds, now - OLDEST, now)
    _wake(run, {profile for _id, profile, kind, name, _at in events if names(kind, name, waited)}, now)
    if trigger is None:
        return 0
    starts = {(trigger.event, trigger.name)}
    came = [Occasion(profile=one[1], key=str(one[0]), at=one[4]) for one in events if names(one[2], one[3], starts)]
    return entering.enter(run, _not_done(run, came, now), now)


def _not_done(run: Run, came: Sequence[Occasion], now: datetime) -> Sequence[Occasion]:
    """Leave out who has reached the goal since, while nothing ran: nobody is reminded of what she has bought."""
    goal, name = run.campaign.goal, run.campaign.goal_name
    if not run.campaign.journey.leave_at_goal:
        return came
    done = acting.since([(one.profile, one.at or now) for one in came], goal, name, now)
    return [one for one, at in zip(came, done, strict=True) if at is None]


def _graphs(journey: Journey) -> dict[int, Graph]:
    """Return the steps of the version that newcomers begin, and of those that somebody still walks."""
    walked = journey.versions.filter(
        pk__in=JourneyEntry.objects.walking().filter(version__journey=journey).values("version")
    ).values_list("pk", flat=True)
    return walking.graphs({*walked, *([journey.live_id] if journey.live_id else [])})


def _waited(graphs: Iterable[Graph]) -> set[tuple[str, str]]:
    return {(step.event, step.name) for graph in graphs for step in graph.of(WaitForEvent)}


def names(kind: str, name: str, asked: set[tuple[str, str]]) -> bool:
    """Tell whether an event is one of those asked for, by kind and name; an empty name is any."""
    return (kind, "") in asked or (kind, name) in asked


def _wake(run: Run, profiles: set[int], now: datetime) -> None:
    if profiles:
        people = {one for members in members_of(profiles).values() for one in members}
        with connection.cursor() as cursor:
            cursor.execute(WAKE, {"run": run.pk, "people": int_array(people), "now": now})
