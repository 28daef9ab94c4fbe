"""What one person did, newest first, a basket or a visit at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from crm.models import Channel, Event, Profile, ProfileAlias

PAGE = 60  # events: about a week of a household that shops often

FACTS = """
SELECT count(*), min(occurred_at), max(occurred_at),
       count(DISTINCT session) FILTER (WHERE kind = 'purchase'),
       coalesce(sum(CASE kind WHEN 'purchase' THEN value WHEN 'refund' THEN -value END), 0),
       max(currency)
FROM crm_event WHERE profile_id = ANY(%s)
"""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """A person's log in one line."""

    events: int
    first_at: datetime | None
    last_at: datetime | None
    baskets: int
    revenue: Decimal
    currency: str

    @property
    def basket_value(self) -> Decimal | None:
        return self.revenue / self.baskets if self.baskets else None


@dataclass(frozen=True, kw_only=True)
class Group:
    """Events of one kind that belong together: a basket, a visit, an assignment."""

    kind: str
    label: str
    at: datetime
    session: str
    events: Sequence[Event] = field(default_factory=list)

    @property
    def channel(self) -> str:
        """What a message went by, in words; nothing of what was no message."""
        channel = self.events[0].channel
        return str(Channel(channel).label) if channel in Channel.values else ""

    @property
    def value(self) -> Decimal | None:
        values = [event.value for event in self.events if event.value is not None]
        return sum(values, Decimal(0)) if values else None

    @property
    def currency(self) -> str:
        return self.events[0].currency

    @property
    def discount(self) -> Decimal:
        return sum((event.discount for event in self.events if event.discount), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some days of a timeline, and where the next page begins (empty at the end)."""

    days: Sequence[tuple[date, Sequence[Group]]]
    after: str


def members(profile: int) -> set[int]:
    """Return the profile and all that are read as it: events never move."""
    found, fresh = {profile}, {profile}
    while fresh:
        merged = ProfileAlias.objects.filter(canonical__in=fresh, undone_at__isnull=True)
        fresh = set(merged.values_list("duplicate_id", flat=True)) - found
        found |= fresh
    return found


def facts(profile: Profile) -> Facts:
    with connection.cursor() as cursor:
        cursor.execute(FACTS, [list(members(profile.pk))])
        events, first_at, last_at, baskets, revenue, currency = cursor.fetchone()
    return Facts(
        events=events,
        first_at=first_at,
        last_at=last_at,
        baskets=baskets,
        revenue=revenue,
        currency=currency or "",
    )


def page(profile: Profile, after: str = "") -> Page:
    """Return the next page; ``after`` is what the page before gave, and ``ValueError`` if it is not."""
    rows = Event.objects.filter(profile__in=members(profile.pk)).select_related("item")
    if after:
        rows = rows.filter(_older_than(after))
    found = list(rows.order_by("-occurred_at", "-id")[: PAGE + 1])
    groups = list(_grouped(found))
    if len(found) > PAGE and len(groups) > 1:
        groups.pop()  # perhaps cut in the middle: it opens the next page
    last = groups[-1].events[-1] if groups else None
    more = last is not None and last.pk != found[-1].pk
    days = [(day, list(some)) for day, some in groupby(groups, lambda group: timezone.localdate(group.at))]
    return Page(days=days, after=f"{last.occurred_at.isoformat()}_{last.pk}" if more and last else "")


def _older_than(after: str) -> Q:
    at, _, pk = after.rpartition("_")
    moment = datetime.fromisoformat(at)
    return Q(occurred_at__lt=moment) | Q(occurred_at=moment, id__lt=UUID(pk))


def _grouped(events: Sequence[Event]) -> Iterator[Group]:
    """Yield neighbours that share kind, day and session; without a session, neighbours of the same kind and name."""
    for (kind, session, _, _), some in groupby(events, _belongs_to):
        members = list(some)
        label = str(Event.Kind(kind).label) if kind in Event.Kind.values else kind
        yield Group(kind=kind, label=label, at=members[0].occurred_at, session=session, events=members)


def _belongs_to(event: Event) -> tuple[str, str, str, date]:
    return event.kind, event.session, event.name, timezone.localdate(event.occurred_at)
