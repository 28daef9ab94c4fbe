"""A month of campaigns: what ran and what will run on which day, what falls into quiet hours, and what collides."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from campaigns.models import Campaign, Run, SendingPolicy
from campaigns.reach import quiet
from campaigns.runs import recurrence
from campaigns.runs.recurrence import Recurrence, TimingError

CLOSE = timedelta(hours=2)  # runs that begin so near to each other share the hour of a provider, and people's patience
MOST_CAMPAIGNS = 500
Status = Campaign.Status
PLANNED = (Status.DRAFT, Status.IN_REVIEW, Status.APPROVED, Status.SCHEDULED, Status.RUNNING, Status.PAUSED)
FIRM = frozenset({Status.SCHEDULED, Status.RUNNING})


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One run of a campaign, that was or is to be; ``leaves_at`` is later where it begins in quiet hours."""

    campaign: Campaign
    at: datetime
    leaves_at: datetime
    ran: bool = False
    firm: bool = True  # not only a wish of somebody whose campaign nobody has approved
    collides: tuple[str, ...] = ()  # the campaigns that begin close to it, and use a channel of its

    @property
    def is_quiet(self) -> bool:
        return self.leaves_at != self.at


@dataclass(frozen=True, kw_only=True)
class Day:
    """A day of the calendar, with its entries in their order."""

    on: date
    entries: Sequence[Entry]
    is_within: bool
    is_today: bool


@dataclass(frozen=True, kw_only=True)
class Month:
    """The weeks that a month touches, from Monday to Sunday, and what waits for events all the time."""

    first: date
    weeks: Sequence[Sequence[Day]]
    triggered: Sequence[Campaign]
    collisions: int
    quiet: int

    @property
    def before(self) -> date:
        return (self.first - timedelta(days=1)).replace(day=1)

    @property
    def after(self) -> date:
        return (self.first + timedelta(days=31)).replace(day=1)


def month(first: date, policy: SendingPolicy, zone: ZoneInfo, now: datetime) -> Month:
    """Return the month that begins with ``first``, on the organisation's wall."""
    begins = first - timedelta(days=first.weekday())
    last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    ends = last + timedelta(days=7 - last.weekday())  # the Monday after
    since, until = (datetime.combine(day, time.min, zone) for day in (begins, ends))
    found = sorted(_entries(since, until, policy, zone, now), key=lambda one: (one.at, one.campaign.pk))
    entries = list(_colliding(found))
    days = [_day(begins + timedelta(days=n), first, entries, zone, now) for n in range((ends - begins).days)]
    within = [one for day in days if day.is_within for one in day.entries]
    return Month(
        first=first,
        weeks=[days[n : n + 7] for n in range(0, len(days), 7)],
        triggered=_triggered(since, until),
        collisions=sum(1 for one in within if one.collides),
        quiet=sum(1 for one in within if one.is_quiet),
    )


def _day(on: date, first: date, entries: Sequence[Entry], zone: ZoneInfo, now: datetime) -> Day:
    here = [one for one in entries if one.at.astimezone(zone).date() == on]
    is_today = on == now.astimezone(zone).date()
    return Day(on=on, entries=here, is_within=(on.year, on.month) == (first.year, first.month), is_today=is_today)


def _entries(since: datetime, until: datetime, policy: SendingPolicy, zone: ZoneInfo, now: datetime) -> Iterator[Entry]:
    runs = Run.objects.filter(starts_at__gte=since, starts_at__lt=until).exclude(campaign__kind__in=Campaign.STANDING)
    for run in runs.select_related("campaign").order_by("starts_at")[:MOST_CAMPAIGNS]:
        at = run.starts_at
        yield Entry(campaign=run.campaign, at=at, leaves_at=quiet.allowed_from(at, zone, policy), ran=True)
    planned = Campaign.objects.filter(status__in=PLANNED).exclude(kind__in=Campaign.STANDING).order_by("pk")
    for one in planned[:MOST_CAMPAIGNS]:
        for at in _to_come(one, max(since, now), until, zone):
            leaves = quiet.allowed_from(at, zone, policy)
            yield Entry(campaign=one, at=at, leaves_at=leaves, firm=one.status in FIRM)


def _to_come(one: Campaign, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when a campaign will run in a time; what is not scheduled, as it is wished."""
    begins = one.next_run_at or one.starts_at
    if begins is None:
        return
    if one.kind == Campaign.Kind.ONCE:
        if since <= begins < until:
            yield begins
        return
    try:
        rule = Recurrence.parse(one.timing)
    except TimingError:  # its own page says so
        return
    at = recurrence.at_or_after(rule, one.starts_at or begins, max(begins, since), zone)
    while at < until and (one.ends_at is None or at < one.ends_at):
        yield at
        at = recurrence.after(rule, one.starts_at or begins, at, zone)


def _colliding(entries: Sequence[Entry]) -> Iterator[Entry]:
    for place, one in enumerate(entries):
        near = [*_near(one, reversed(entries[:place])), *_near(one, entries[place + 1 :])]
        yield replace(one, collides=tuple(dict.fromkeys(near)))


def _near(one: Entry, others: Iterable[Entry]) -> Iterator[str]:
    for other in others:
        if abs(other.at - one.at) > CLOSE:
            return
        if other.campaign.pk != one.campaign.pk and set(other.campaign.channels) & set(one.campaign.channels):
            yield other.campaign.name


def _triggered(since: datetime, until: datetime) -> list[Campaign]:
    """Return the campaigns that an event may start on any day of the time."""
    waiting = Campaign.objects.filter(kind__in=Campaign.STANDING, status__in=Campaign.LIVE)
    return list(waiting.exclude(starts_at__gte=until).exclude(ends_at__lt=since).order_by("name")[:MOST_CAMPAIGNS])
