"""What lets people into journeys besides events and calls: coming into the segment, and a day of the year.

Each look goes on where the last one ended (``Journey.looked_at``), and what lets somebody in names the time that she
came, or the day: looking twice, or after a crash, lets nobody in twice.
"""

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from django.db.models import Q

from campaigns.journeys import entering, leading, places, walking
from campaigns.journeys.entering import Occasion
from campaigns.journeys.graph import Trigger
from campaigns.models import Campaign, Journey, Run, SegmentMember
from campaigns.reach import policies
from campaigns.runs import ending
from campaigns.segmenting import snapshots
from crm.models import Profile

log = logging.getLogger(__name__)
OLDEST = timedelta(days=1)  # a birthday that nobody looked at for longer than that is over
FAR = timedelta(hours=15)  # what clocks on walls differ from ours at most
PAUSE = {"segment": timedelta(minutes=15), "date": timedelta(minutes=5)}  # between two looks: they read many rows


def look(now: datetime) -> int:
    """Let in whoever it is time for, in every journey that runs; return how many entered.

    What goes wrong with one journey, as a segment whose rule cannot be read any more, is told and holds up no other.
    """
    if policies.policy().stopped_at:
        return 0
    runs = Run.objects.sending().filter(campaign__kind=Campaign.Kind.JOURNEY, campaign__journey__live__isnull=False)
    entered = 0
    for run in runs.select_related("campaign__segment__current", "campaign__journey__live"):
        try:
            entered += _look(run, now)
        except leading.AWAY:
            raise
        except Exception:
            log.exception("Nobody can enter the journey of campaign %s", run.campaign_id)
    return entered


def _look(run: Run, now: datetime) -> int:
    journey = run.campaign.journey
    if journey.live_id is None or ending.is_over(run.campaign, now):
        return 0
    live = walking.graphs([journey.live_id]).get(journey.live_id)
    if live is None or live.trigger.kind not in PAUSE:
        return 0
    if journey.looked_at and journey.looked_at > now - PAUSE[live.trigger.kind]:
        return 0
    if live.trigger.kind == "segment":
        came, until = _came(run, live.trigger, now)
    else:
        came, until = _days(run, live.trigger, now), now
    entered = entering.enter(run, list(came), now)
    Journey.objects.filter(pk=journey.pk).filter(Q(looked_at=None) | Q(looked_at__lt=until)).update(looked_at=until)
    return entered


def _came(run: Run, trigger: Trigger, now: datetime) -> tuple[Iterator[Occasion], datetime]:
    """Return who came into the segment since the last look, and up to when that is known.

    The first look only says who is there already, and lets them in where the journey is for them, too.
    """
    journey, segment = run.campaign.journey, run.campaign.segment
    last = segment.snapshots.order_by("-taken_at").first()
    if last is None or last.taken_at <= now - PAUSE["segment"] or journey.looked_at is None:
        last = snapshots.take(segment, now)
    rows = SegmentMember.objects.filter(segment=segment, left_at=None, joined_at__lte=last.taken_at)
    if journey.looked_at is not None:
        rows = rows.filter(joined_at__gt=journey.looked_at)
    elif not trigger.present:
        rows = rows.none()
    told = rows.order_by("joined_at", "pk").values_list("profile", "joined_at")
    since = journey.looked_at  # who was there before begins now, whenever she came
    occasions = (
        Occasion(profile=person, key=f"segment {at.astimezone(UTC).isoformat()}", at=at if since else None)
        for person, at in told
    )
    return occasions, last.taken_at


def _days(run: Run, trigger: Trigger, now: datetime) -> Iterator[Occasion]:
    """Yield those on whose wall it has become the hour of the day since the last look."""
    since = max(run.campaign.journey.looked_at or run.starts_at, now - OLDEST)
    for day in _dates(since - FAR, now + FAR):
        birthday = day + timedelta(days=trigger.days_before)
        people = list(Profile.objects.filter(_born(birthday)).order_by("pk").values_list("pk", flat=True))
        for person, zone in places.zones(people).items():
            at = datetime.combine(day, trigger.at, zone).astimezone(UTC)
            if since < at <= now:
                yield Occasion(profile=person, key=f"birthday {birthday.isoformat()}", at=at)


def _dates(since: datetime, until: datetime) -> Iterator[date]:
    day = since.astimezone(UTC).date()
    while day <= until.astimezone(UTC).date():
        yield day
        day += timedelta(days=1)


def _born(day: date) -> Q:
    """Return whose birthday a day is: of those born on 29 February, the 1st of March in other years (``crm.ages``)."""
    found = Q(birth_month=day.month, birth_day=day.day)
    if (day.month, day.day) == (3, 1) and (day - timedelta(days=1)).day == 28:
        found |= Q(birth_month=2, birth_day=29)
    return found
