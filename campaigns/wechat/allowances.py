"""How much of a campaign the platforms let through on each of their days, and over how many days it is spread.

A share of each day is kept for journeys. What other campaigns have planned for a day is not there twice; the days begin
at midnight in Shanghai.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import numpy as np
from django.db.models import Count
from django.db.models.functions import TruncDate
from numpy.typing import NDArray

from campaigns.bulk import budgets
from campaigns.channels.wechat import limits
from campaigns.models import AccountUse, Campaign, ChannelAccount, Delivery, RefusedRight
from campaigns.wechat import days, foreign_sends, pauses, reaching, ways
from campaigns.wechat.ways import Demand, Way

FARTHEST = 62  # days that a campaign is spread over at most
A_DAY: Mapping[Demand, str] = {
    Demand.TEMPLATE: "template_a_day",
    Demand.CREDIT: "subscription_a_day",
    Demand.WINDOW: "service_a_day",
}
NO_LIMIT = 10**9
Places = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """What one account lets through of a campaign's messages in a day: so many ``units``, each of so many ``people``.

    A unit is a message, or a call for many. ``kept`` of them are for journeys; ``gone`` are used or planned, by day.
    """

    account: ChannelAccount
    way: Way
    units: int
    kept: int
    people: int
    gone: Mapping[date, int] = field(default_factory=dict)

    def left(self, day: date) -> int:
        """Return how many people a day has room for."""
        return max(0, self.units - self.kept - self.gone.get(day, 0)) * self.people


def of(campaign: Campaign, channel: str, way: Way, now: datetime) -> list[Allowance]:
    """Return what each working account of a channel allows."""
    return [_of(campaign, account, way, now) for account in ChannelAccount.objects.working(channel)]


def _of(campaign: Campaign, account: ChannelAccount, way: Way, now: datetime) -> Allowance:
    units, people = NO_LIMIT, 1
    if ways.lacking(account, way):
        return Allowance(account=account, way=way, units=0, kept=0, people=1)
    if way.demand is Demand.MASS:
        units = limits.of(account, "mass_calls_a_day") or NO_LIMIT
        people = limits.of(account, "mass_people_a_call") or NO_LIMIT
        if budgets.takes_no_lists(account):
            people = budgets.MOST_BY_TAG
    elif name := A_DAY.get(way.demand):
        told = [most for most in (limits.of(account, name), account.per_day) if most is not None]
        units = min(told, default=NO_LIMIT)
    kept = units - budgets.for_campaigns(account, units, campaign) if units < NO_LIMIT else 0
    return Allowance(account=account, way=way, units=units, kept=kept, people=people, gone=_gone(account, way, now))


def _gone(account: ChannelAccount, way: Way, now: datetime) -> dict[date, int]:
    """Return how much of a day is used up already; what others have planned is counted by :func:`planned`."""
    if pauses.until(account, now):
        return {days.day_of(now): NO_LIMIT}
    if way.demand is Demand.MASS:
        return {days.day_of(now): budgets.used_today(account, now)}
    used = AccountUse.objects.filter(account=account, day=days.day_of(now)).values_list("used", flat=True).first()
    return {days.day_of(now): used or 0}


def planned(channel: str, but: Campaign | None, now: datetime) -> dict[date, int]:
    """Return how many messages of other campaigns wait on a channel for each day."""
    rows = Delivery.objects.filter(
        channel=channel, status=Delivery.Status.QUEUED, run__status="sending", run__campaign__status="running"
    )
    by_day = rows.exclude(run__campaign=but).annotate(day=TruncDate("due_at", tzinfo=days.SHANGHAI)).order_by()
    today, found = days.day_of(now), dict[date, int]()
    for day, number in by_day.values_list("day").annotate(number=Count("pk")):
        found[max(day, today)] = found.get(max(day, today), 0) + number
    return found


class Spread:
    """Over which days a campaign's messages are spread, as its audience is decided on piece by piece.

    Those who are held out stand in the same line and take no place: whom the days leave out, they leave out alike.
    """

    def __init__(self, campaign: Campaign, starts_at: datetime, now: datetime) -> None:
        self.first = max(starts_at, now)
        self.room: dict[str, Places] = {}
        self.seen: dict[str, int] = {}
        last = campaign.ends_at or self.first + timedelta(days=FARTHEST)
        number = min(FARTHEST, max(1, (days.day_of(last - timedelta(seconds=1)) - days.day_of(self.first)).days + 1))
        for channel, way in reaching.ways_of(campaign).items():
            room = room_of(campaign, channel, way, self.first, now, number)
            if room[0] < NO_LIMIT:
                self.room[channel], self.seen[channel] = np.cumsum(room), 0

    def days(self, channel: str, takes: NDArray[np.bool_]) -> Places | None:
        """Return how many days after the first each of the next in line is served, -1 for whom no day has room.

        ``takes`` says who takes a place. Nothing is returned where all are served at once, whoever comes.
        """
        if channel not in self.room:
            return None
        line = self.seen[channel] + np.cumsum(takes)
        self.seen[channel] += int(takes.sum())
        place = line + ~takes  # of who is held out, the one that she would have taken
        found = np.searchsorted(self.room[channel], place, side="left")
        return np.where(found < len(self.room[channel]), found, -1)

    def begins(self, day: int) -> datetime:
        """Return the midnight with which the so-manieth day after the first begins."""
        return days.day_begins(self.first) + timedelta(days=day)


def room_of(campaign: Campaign, channel: str, way: Way, first: datetime, now: datetime, number: int) -> list[int]:
    """Return for how many people each of so many days has room, from the first one on."""
    found = of(campaign, channel, way, now)
    others = planned(channel, campaign if campaign.pk else None, now)
    asked = [days.day_of(first) + timedelta(days=day) for day in range(number)]
    return [max(0, sum(one.left(day) for one in found) - others.get(day, 0)) for day in asked]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a campaign's page says of one account: what it lets through, and what each day would carry.

    ``days`` are dates with numbers of people; ``left_out`` is how many no day has room for. ``to_one`` are the rules of
    how much one person gets in a day or a month, those also that are known and not in force.
    """

    account: str
    channel: str
    calls: bool
    a_day: int | None
    kept: int
    used: int
    elsewhere: foreign_sends.Known
    may_not: RefusedRight | None
    to_one: Sequence[tuple[limits.Rule, str]]
    paused_until: datetime | None
    days: Sequence[tuple[date, int]]
    left_out: int


def told(campaign: Campaign, people: Mapping[str, int], now: datetime) -> list[Told]:
    """Return it of each account on channels whose platforms count, for so many people on each channel."""
    found: list[Told] = []
    for channel, way in reaching.ways_of(campaign).items():
        spread = Spread(campaign, campaign.starts_at or now, now)
        number = people.get(channel, 0)
        served = spread.days(channel, np.ones(number, bool))
        by_day = _by_day(spread, served, number)
        left_out = 0 if served is None else int((served < 0).sum())
        found += [_told(one, by_day, left_out, now) for one in of(campaign, channel, way, now)]
    return found


def _by_day(spread: Spread, served: Places | None, number: int) -> list[tuple[date, int]]:
    if served is None or not number:
        return [(days.day_of(spread.first), number)] if number else []
    which, counts = np.unique(served[served >= 0], return_counts=True)
    return [
        (days.day_of(spread.begins(day)), count) for day, count in zip(which.tolist(), counts.tolist(), strict=True)
    ]


def _told(one: Allowance, by_day: Sequence[tuple[date, int]], left_out: int, now: datetime) -> Told:
    names = {
        Demand.MASS: (("mass_to_one_person_a_month", "month"),),
        Demand.CONTACT: (("group_to_one_person_a_day", "day"), ("group_to_one_person_a_month", "month")),
    }.get(one.way.demand, ())
    rules = [(limits.rule(one.account, name), span) for name, span in names]
    return Told(
        account=one.account.name,
        channel=one.account.channel,
        calls=one.way.demand is Demand.MASS,
        a_day=one.units if one.units < NO_LIMIT else None,
        kept=one.kept,
        used=min(one.units, one.gone.get(days.day_of(now), 0)),
        elsewhere=foreign_sends.known(one.account, days.month_begins(now)),
        may_not=one.account.refused_rights.filter(api=ways.call_of(one.account, one.way)).first(),
        to_one=[(rule, span) for rule, span in rules if rule.source or rule.ours],
        paused_until=pauses.until(one.account, now),
        days=by_day,
        left_out=left_out,
    )
