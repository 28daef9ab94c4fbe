"""Another system lets a person into a journey, or takes her out of it."""

from datetime import datetime

from django.contrib.auth.models import User

from campaigns.journeys import entering, managing, walking
from campaigns.journeys.entering import Occasion
from campaigns.journeys.reasons import Refusal
from campaigns.models import Journey, JourneyEntry, Run
from campaigns.reach import policies
from campaigns.runs import ending
from crm.merging import canonical_ids, members


def call(journey: Journey, profile_id: int, key: str, now: datetime) -> JourneyEntry | Refusal:
    """Let a person in because another system says so; the same key lets her in once, and returns that entry again."""
    person = canonical_ids([profile_id])[profile_id]
    run = Run.objects.sending().select_related("campaign__segment__current").filter(campaign=journey.pk).first()
    if run is None or ending.is_over(run.campaign, now) or policies.policy().stopped_at:
        return Refusal.NOT_RUNNING
    entry = JourneyEntry.objects.filter(pk=entering.entry_id(run, f"call {key}", person))
    if (there := entry.first()) is not None:
        return there
    journey.refresh_from_db()
    live = walking.graphs([journey.live_id or 0]).get(journey.live_id or 0)
    if live is None or live.trigger.kind != "api":
        return Refusal.NOT_BY_CALL
    entering.enter(run, [Occasion(profile=person, key=f"call {key}")], now)
    return entry.first() or entering.refusal(run, person, now)


def leave(journey: Journey, profile_id: int, by: User | None, now: datetime) -> bool:
    """Take a person out of a journey that she is on her way through, or stuck in; False if she is not."""
    entries = JourneyEntry.objects.filter(run__campaign=journey.pk, profile__in=members(profile_id))
    return managing.remove(entries.filter(status__in=managing.ON_THE_WAY), by, now) > 0
