"""How much an account may be given: so many messages a second and a day; a month to one person is a cap's affair.

A rate is kept by the time at which the next message may leave (the generic cell rate algorithm, ITU-T I.371): all
workers move it forward under one row's lock, just before they hand over. A quarter of a second's messages may leave at
once, so in no second do more than five quarters of the rate, and in no minute more than a quarter of a second's beyond
it. Time that passed unused is lost: catching up would break a provider's own limit.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils.timezone import get_default_timezone

from campaigns.models import AccountUse, ChannelAccount
from campaigns.reach import policies, quiet
from campaigns.wechat import pauses

BURST = timedelta(seconds=0.25)
AHEAD, AT_LEAST = 2.0, 8  # seconds of an account's rate that one worker may hold ready, and messages where it is slow
FARTHEST = 3660  # days that a forecast looks ahead


class Pace(NamedTuple):
    """How many messages may leave now, and in how many seconds the next ones may, where none does."""

    granted: int
    wait: float


@dataclass(frozen=True, kw_only=True)
class Use:
    """How much of a day's quota is used; ``most`` is nothing where there is none."""

    used: int
    most: int | None

    @property
    def left(self) -> int | None:
        return None if self.most is None else max(0, self.most - self.used)


def take(account: ChannelAccount, wanted: int, now: datetime) -> int:
    """Take so many messages of an account's quota of the day, or as many as there are left; return how many."""
    if wanted <= 0 or account.status != ChannelAccount.Status.ACTIVE or pauses.until(account, now):
        return 0
    with transaction.atomic():
        row = _held(account, today(now))
        granted = wanted if account.per_day is None else min(wanted, max(0, account.per_day - row.used))
        if granted:
            AccountUse.objects.filter(pk=row.pk).update(used=F("used") + granted)
    return granted


def ahead(account: ChannelAccount) -> int | None:
    """Return how many messages of an account one worker may have ready; nothing where it has no rate."""
    return max(AT_LEAST, int(account.per_second * AHEAD)) if account.per_second else None


def pace(account: ChannelAccount, wanted: int, now: datetime, step: float = 0.0) -> Pace:
    """Let so many messages leave at this moment, or as many as the account's rate allows.

    Fewer than the rate lets leave in ``step`` seconds are not worth a transaction: they wait for the next ones.
    """
    if wanted <= 0 or not account.per_second:
        return Pace(max(0, wanted), 0.0)
    rate, day = account.per_second, today(now)
    burst = max(BURST.total_seconds() * rate, 1.0)
    with transaction.atomic():
        row = _held(account, day)
        begins = max(row.paced_until or _paced_before(account, day) or now, now)
        room = burst - (begins - now).total_seconds() * rate
        granted, least = min(wanted, max(0, int(room + 1e-6))), min(wanted, max(1, int(rate * step)))
        if granted < least:
            return Pace(0, (least - room) / rate)
        paced = begins + timedelta(seconds=granted / rate)
        AccountUse.objects.filter(pk=row.pk).update(paced_until=paced)
    return Pace(granted, 0.0)


def _held(account: ChannelAccount, day: date) -> AccountUse:
    """Return the row of a day, under lock; made where it is the first of the day."""
    rows = AccountUse.objects.select_for_update().filter(account=account, day=day)
    if row := rows.first():
        return row
    AccountUse.objects.bulk_create([AccountUse(account=account, day=day)], ignore_conflicts=True)
    return rows.get()


def _paced_before(account: ChannelAccount, day: date) -> datetime | None:
    """Return when the next message might leave by the day before: a rate knows no midnight."""
    row = AccountUse.objects.filter(account=account, day=day - timedelta(days=1)).first()
    return row.paced_until if row else None


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
