"""How many calls for many an account may still make in this minute and on this day of the platform's.

A share of a day's calls is kept for journeys: what runs once or at fixed times leaves it to what somebody waits for.
"""

from datetime import datetime, timedelta
from math import ceil

from django.db.models import Q

from campaigns.bulk.jobs import Group
from campaigns.channels.wechat import limits
from campaigns.models import BulkJob, Campaign, ChannelAccount, ForeignSend
from campaigns.wechat import days

A_MINUTE = timedelta(minutes=1)
JOURNEYS = 0.2  # of a day, unless the account says otherwise
MOST_BY_TAG = 100_000  # a tag of more people cannot be deleted at once
# Those that the platform took, or may have taken: what it refuses costs no call of the day.
Made = ~Q(status=BulkJob.Status.CANCELLED) & ~Q(status=BulkJob.Status.FAILED, provider_id="")


def most(channel: str, usual: int) -> int:
    """Return how many people are taken at once: of an account that is given one call a day, all of them."""
    working = ChannelAccount.objects.working(channel)
    return MOST_BY_TAG if any(takes_no_lists(one) for one in working) else usual


def takes_no_lists(account: ChannelAccount) -> bool:
    """Tell whether an account cannot name people in a call: only a tag, or everybody."""
    return account.provider == "wechat_official" and account.settings.get("kind") == "subscription"


def journey_share(account: ChannelAccount) -> float:
    """Return which share of a day is kept for journeys."""
    told = account.settings.get("journey_share", JOURNEYS)
    return min(0.9, max(0.0, float(told))) if isinstance(told, int | float) else JOURNEYS


def for_campaigns(account: ChannelAccount, most_: int, campaign: Campaign) -> int:
    """Return how much of a day's quota a campaign may use; of a quota of one there is no share to keep."""
    if campaign.kind in Campaign.STANDING:
        return most_
    return max(min(1, most_), most_ - ceil(journey_share(account) * most_) if most_ > 1 else most_)


def used_today(account: ChannelAccount, now: datetime) -> int:
    """Return how many calls for many were made today, those from elsewhere too as far as they are known."""
    since = days.day_begins(now)
    ours = BulkJob.objects.filter(Made, account=account, kind=BulkJob.Kind.MASS, called_at__gte=since).count()
    return ours + ForeignSend.objects.filter(account=account, at__gte=since).count()


def wait(group: Group, now: datetime) -> datetime | None:
    """Return until when a group has to wait for its call; nothing where it may be made now."""
    account = group.account
    if group.kind != BulkJob.Kind.MASS:
        return None
    a_day = limits.of(account, "mass_calls_a_day")
    if a_day is not None and used_today(account, now) >= for_campaigns(account, a_day, group.pair.run.campaign):
        return days.midnight_after(now)
    a_minute = limits.of(account, "mass_calls_a_minute")
    recent = BulkJob.objects.filter(account=account, kind=BulkJob.Kind.MASS, called_at__gt=now - A_MINUTE).count()
    return now + A_MINUTE if a_minute is not None and recent >= a_minute else None
