"""The next channel of a campaign, where one has definitely failed: never where nobody knows whether a message left."""

from datetime import datetime

from campaigns.keys import delivery_id
from campaigns.models import Campaign, Delivery, Run
from campaigns.reach import quiet
from campaigns.reach.audience import reach
from campaigns.reach.policies import policy
from campaigns.reach.zones import zone_of
from campaigns.wechat import reaching

DEFINITE = {Delivery.Status.FAILED.value, Delivery.Status.BOUNCED.value}


def follow(delivery: Delivery, now: datetime) -> Delivery | None:
    """Queue the message on the next channel that reaches the person, in the caller's transaction; or do nothing.

    It is the same occasion, so a person who is told twice of a failure still gets one row for each channel; who has a
    row that left, or may have left, or waits, gets no other.
    """
    run = delivery.run
    if run is None or delivery.expires_at <= now or delivery.channel not in run.campaign.channels:
        return None
    channels = run.campaign.channels[run.campaign.channels.index(delivery.channel) + 1 :]
    if not channels or run.status == Run.Status.CANCELLED:
        return None
    others = Delivery.objects.filter(occasion=delivery.occasion, profile_id=delivery.profile_id).exclude(pk=delivery.pk)
    tried = dict(others.values_list("channel", "status"))
    if not set(tried.values()) <= DEFINITE:
        return None
    left = [channel for channel in channels if channel not in tried]
    demands = reaching.demands(run.campaign)
    channel = str(reach([delivery.profile_id], left, run.campaign.purpose, now, demands).channels[0])
    if not channel:
        return None
    profile = delivery.profile
    zone = zone_of(profile.attributes.get("time_zone"), profile.province, profile.city)
    due = quiet.allowed_from(now, zone, policy())
    if due >= delivery.expires_at:
        return None
    made = Delivery(
        pk=delivery_id(delivery.occasion, delivery.profile_id, channel),
        occasion=delivery.occasion,
        run=run,
        variant_id=delivery.variant_id,
        profile_id=delivery.profile_id,
        channel=channel,
        planned_at=now,
        due_at=due,
        expires_at=delivery.expires_at,
    )
    _go_on(run)
    Delivery.objects.bulk_create([made], ignore_conflicts=True)
    return made


def _go_on(run: Run) -> None:
    """Let a run, and its campaign, be sent again that had nothing left to send when the failure was told.

    Whoever calls either of them done holds the campaign's row, too (``campaigns.runs.ending.finish``): what is done is
    opened again here, and what is not will be seen to have something left.
    """
    Campaign.objects.select_for_update(no_key=True).get(pk=run.campaign_id)
    done = Run.objects.filter(pk=run.pk, status=Run.Status.DONE)
    if done.update(status=Run.Status.SENDING, finished_at=None):
        finished = Campaign.objects.filter(pk=run.campaign_id, status=Campaign.Status.FINISHED)
        finished.update(status=Campaign.Status.RUNNING)
