"""How much an account may be given: so many messages a second and a day; a month to one person is a cap's affair.

A rate is kept by the time at which the next message may leave (the generic cell rate algorithm, ITU-T I.371): all
workers move it forward under one row's lock. A quarter of a second's messages may leave at once, so in no second do
more than five quarters of the rate.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.timezone import get_default_timezone

from campaigns import policies, quiet
from campaigns.models import AccountUse, ChannelAccount

BURST = timedelta(seconds=0.25)
FARTHEST = 3660  # days that a forecast looks ahead


@dataclass(frozen=True, kw_only=True)
class Use:
    """How much of a day's quota is used; ``most`` is nothing where there is none."""

    used: int
    most: int | None

    @property
    def left(self) -> int | None:
        return None if self.most is None else max(0, self.most - self.used)


def take(account: ChannelAccount, wanted: int, now: datetime) -> int:
    """Take so many messages of an account's quotas, or as many as there are now; return how many."""
    if wanted <= 0 or account.status != ChannelAccount.Status.ACTIVE:
        return 0
    day = today(now)
    with transaction.atomic():
        AccountUse.objects.bulk_create([AccountUse(account=account, day=day)], ignore_conflicts=True)
        row = AccountUse.objects.select_for_update().get(account=account, day=day)
        granted = wanted
        if account.per_day is not None:
            granted = min(granted, max(0, account.per_day - row.used))
        paced = row.paced_until
        if account.per_second:
            begins = max(paced, now) if paced else now
            room = max(BURST, timedelta(seconds=1 / account.per_second)) - (begins - now)
            granted = min(granted, max(0, int(room.total_seconds() * account.per_second + 1e-6)))
            paced = begins + timedelta(seconds=granted / account.per_second)
        if granted:
            AccountUse.objects.filter(account=account, day=day).update(used=F("used") + granted, paced_until=paced)
    return granted


def give_back(account: ChannelAccount, unused: int, now: datetime) -> None:
    """Give back what was taken at ``now`` and not handed over; the pace stays as it is."""
    if unused > 0:
        AccountUse.objects.filter(account=account, day=today(now), used__gte=unused).update(used=F("used") - unused)


def use(account: ChannelAccount, now: datetime) -> Use:
    """Return how much of today's quota is used."""
    row = AccountUse.objects.filter(account=account, day=today(now)).first()
    return Use(used=row.used if row else 0, most=account.per_day)


def forecast(account: ChannelAccount, wanted: int, now: datetime) -> datetime | None:
    """Return when so many messages will be out: by rate, quota of the day and quiet hours; nothing where never.

    People in other zones have other quiet hours; those of the organisation's are counted here.
    """
    left, moment = wanted, now
    quota = use(account, now).left
    for _ in range(FARTHEST):
        opens, closes = _open_hours(moment)
        span = max(0.0, (closes - opens).total_seconds())
        fits = left if not account.per_second else int(span * account.per_second)
        if span and (fits if quota is None else min(fits, quota)) >= left:
            return opens + timedelta(seconds=left / account.per_second if account.per_second else 0)
        if span:
            left -= fits if quota is None else min(fits, quota)
        moment, quota = _midnight_after(moment), account.per_day
    return None


def today(now: datetime) -> date:
    """Return the day of the organisation's calendar."""
    return now.astimezone(get_default_timezone()).date()


def _midnight_after(moment: datetime) -> datetime:
    zone = get_default_timezone()
    return datetime.combine(moment.astimezone(zone).date() + timedelta(days=1), time(), zone)


def _open_hours(moment: datetime) -> tuple[datetime, datetime]:
    """Return from when until when messages leave on a moment's day, from that moment on."""
    zone, policy = get_default_timezone(), policies.policy()
    opens, midnight = quiet.allowed_from(moment, zone, policy), _midnight_after(moment)
    if opens >= midnight:
        return midnight, midnight
    evening = datetime.combine(opens.astimezone(zone).date(), policy.quiet_from, zone)
    closes = evening if policy.quiet_from != policy.quiet_until and opens < evening < midnight else midnight
    return opens, closes
