"""What a rehearsal knows of the past: what people did, who came into a segment, and whose birthday it was."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.db.models import Q

from campaigns.journeys import places
from campaigns.journeys.graph import Trigger
from campaigns.rules.nodes import Rule
from campaigns.segmenting import segments
from crm.copying import text_array
from crm.merging import alias_map, canonical_ids
from crm.models import Profile

LOOK = timedelta(days=1)  # between two looks at who belongs to a segment
FAR = timedelta(hours=15)  # what clocks on walls differ from ours at most

# What the line items of one basket say of time and kind is one thing that happened.
PAST = """
SELECT DISTINCT greatest(occurred_at, received_at) AS at, profile_id, kind, name FROM crm_event
WHERE kind = ANY (%(kinds)s::text[]) AND occurred_at > %(since)s AND occurred_at <= %(until)s
  AND greatest(occurred_at, received_at) <= %(until)s
ORDER BY 1, 2
"""


@dataclass(frozen=True, kw_only=True)
class Happened:
    """Something that somebody did, by when it was known."""

    at: datetime
    person: int
    kind: str = ""
    name: str = ""


def events(kinds: set[str], since: datetime, until: datetime) -> Iterator[Happened]:
    """Yield what people did, in order, by when it had arrived."""
    person: Mapping[int, int] = alias_map()
    with connection.cursor() as cursor:
        cursor.execute(PAST, {"kinds": text_array(sorted(kinds)), "since": since, "until": until})
        for at, profile, kind, name in cursor.fetchall():
            yield Happened(at=at, person=person.get(profile, profile), kind=kind, name=name)


def joined(rule: Rule, since: datetime, until: datetime, *, present: bool) -> Iterator[Happened]:
    """Yield who came to be described by a rule, day by day; who was so at the beginning, if the present ones count.

    Events are those of the time; what is known of people, and what models say of them, is as of today.
    """
    before: set[int] | None = None
    at = since
    while at < until:
        members = set(segments.fetched(segments.compile(rule, at)).tolist())
        came = members - before if before is not None else members if present else set()
        yield from (Happened(at=at, person=person) for person in sorted(came))
        before, at = members, at + LOOK


def birthdays(trigger: Trigger, since: datetime, until: datetime) -> Iterator[Happened]:
    """Yield whose birthday it was so many days later, at the hour on the clock on her wall."""
    found: list[Happened] = []
    day, last = (since - FAR).astimezone(UTC).date(), (until + FAR).astimezone(UTC).date()
    while day <= last:
        birthday = day + timedelta(days=trigger.days_before)
        born = Q(birth_month=birthday.month, birth_day=birthday.day)
        if (birthday.month, birthday.day) == (3, 1) and (birthday - timedelta(days=1)).day == 28:
            born |= Q(birth_month=2, birth_day=29)
        people = list(Profile.objects.filter(born).values_list("pk", flat=True))
        person = canonical_ids(people)
        for one, zone in places.zones(people).items():
            at = datetime.combine(day, trigger.at, zone).astimezone(UTC)
            if since < at <= until:
                found.append(Happened(at=at, person=person[one]))
        day += timedelta(days=1)
    yield from sorted(found, key=lambda one: (one.at, one.person))
