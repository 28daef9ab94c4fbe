"""Whom the platforms would let a campaign's messages through to, asked of an audience before anything is planned."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from campaigns.models import Campaign, ChannelAccount
from campaigns.reach import addressing
from campaigns.reach.audience import Demands, Profiles, Reason
from campaigns.wechat import permissions, ways
from campaigns.wechat.ways import Way
from crm.merging import members_of
from crm.models import Purpose

Ask = Callable[[ChannelAccount, list[int]], Mapping[int, str]]


def demands(campaign: Campaign, variants: Collection[int] = ()) -> Demands | None:
    """Return what to ask of people for a campaign's messages; nothing where no platform demands anything.

    ``variants`` are those that are meant, if not all: the messages of one step of a journey.
    """
    found = ways_of(campaign, variants)
    if not found:
        return None

    def ask(channel: str, profiles: Profiles, purpose: Purpose, now: datetime) -> Mapping[int, str]:
        way = found.get(channel)
        return {} if way is None else refused(channel, way, profiles, purpose, now)

    return ask


def ways_of(campaign: Campaign, variants: Collection[int] = ()) -> dict[str, Way]:
    """Return the way of a campaign's messages on each channel where a platform demands something.

    The variants of a campaign go in the same way (``campaigns.runs.readiness``): the first one's is everybody's.
    """
    channels = ways.CHANNELS & set(campaign.channels)
    if not channels:
        return {}
    meant = campaign.variants.filter(pk__in=variants) if variants else campaign.variants
    variant = meant.select_related("template").order_by("pk").first()
    if variant is None:
        return {}
    told = {channel: ways.of_form(channel, variant.template.forms.get(channel)) for channel in channels}
    return {channel: way for channel, way in told.items() if way is not None}


def refused(channel: str, way: Way, profiles: Profiles, purpose: Purpose, now: datetime) -> dict[int, str]:
    """Return why none of a channel's accounts gets through to these people; who is not named is reached by one."""
    accounts = list(ChannelAccount.objects.working(channel))
    if not all(ways.bound(account) for account in accounts):
        return {}
    left = profiles.tolist()
    why = dict.fromkeys(left, Reason.NO_ADDRESS.value)
    for account in accounts:
        places = {person: one.identifier for person, one in addressing.places(left, account).items()}
        told = permissions.reasons(account, way, places, members_of(places), purpose, now)
        why |= told
        for person in places.keys() - told.keys():
            del why[person]
        left = [person for person in left if person in why]
    return why
