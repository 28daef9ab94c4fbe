"""The classes of data, what each is kept for and how long, and how its rows are counted and deleted.

Event kinds are grouped by what the law and the purpose say of them: what was bought is kept longer than what was
looked at. Every kind belongs to exactly one class (a test says so); a partition goes whole once the longest class has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Protocol

from django.apps import apps
from django.db import connection, models
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from crm import partitions
from crm.copying import int_array
from crm.models import Event

BATCH = 20_000
YEAR = timedelta(days=365)
# E-commerce Law 31: orders, three years after they were completed. PIPL 56, Net-Data Reg 12: logs of accesses,
# assessments and disclosures three years. A day more, since years are not all 365 days long.
THREE_YEARS = timedelta(days=3 * 365 + 1)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pass may take: what is older than ``cutoff``, but of nobody who is held."""

    cutoff: datetime
    people: Sequence[int]
    now: datetime


@dataclass(frozen=True, kw_only=True)
class Count:
    """Rows past their time that may go, and those that a person's hold keeps."""

    due: int
    held: int


@dataclass(frozen=True, kw_only=True)
class Gone:
    """Rows that were deleted, and partitions that were dropped with theirs."""

    rows: int
    partitions: int = 0


class Store(Protocol):
    """Where the rows of a class are."""

    def count(self, limits: Limits) -> Count: ...
    def delete(self, limits: Limits) -> Gone: ...


@dataclass(frozen=True, kw_only=True)
class EventKinds:
    """Events of some kinds, deleted month by month in batches."""

    kinds: tuple[str, ...]

    def count(self, limits: Limits) -> Count:
        due = self._rows(limits)
        held = due.filter(profile__in=limits.people).count() if limits.people else 0
        return Count(due=due.count() - held, held=held)

    def delete(self, limits: Limits) -> Gone:
        gone = 0
        for month in sorted(partitions.existing()):
            begin, end = bounds(month)
            if begin >= limits.cutoff:
                break
            gone += _in_batches(DELETE_EVENTS, [begin, min(end, limits.cutoff), self.kinds, limits.people])
        return Gone(rows=gone, partitions=_drop_empty(limits.cutoff))

    def _rows(self, limits: Limits) -> QuerySet[Event]:
        return Event.objects.filter(kind__in=self.kinds, occurred_at__lt=limits.cutoff)


DELETE_EVENTS = """
DELETE FROM crm_event WHERE occurred_at >= %(begin)s AND occurred_at < %(end)s AND id IN (
    SELECT id FROM crm_event WHERE occurred_at >= %(begin)s AND occurred_at < %(end)s AND kind = ANY (%(kinds)s)
    AND profile_id <> ALL (%(people)s::bigint[]) LIMIT %(batch)s
)
"""


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows of a model, by the time in one of its columns; ``profile`` names the column of the person, if any."""

    model: str
    at: str
    profile: str = ""
    only: Mapping[str, Any] | None = None

    def count(self, limits: Limits) -> Count:
        due = self._due(limits)
        held = due.filter(**{f"{self.profile}__in": limits.people}).count() if self.profile and limits.people else 0
        return Count(due=due.count() - held, held=held)

    def delete(self, limits: Limits) -> Gone:
        gone = 0
        while keys := list(self._free(limits).values_list("pk", flat=True)[:BATCH]):
            gone += self._model._default_manager.filter(pk__in=keys).delete()[0]
        return Gone(rows=gone)

    def _free(self, limits: Limits) -> "QuerySet[Any]":
        due = self._due(limits)
        # Not ``exclude``: that would keep the rows of nobody in particular, too.
        return due.exclude(**{f"{self.profile}__in": limits.people}) if self.profile and limits.people else due

    def _due(self, limits: Limits) -> "QuerySet[Any]":
        return self._model._default_manager.filter(**{f"{self.at}__lt": limits.cutoff}, **(self.only or {}))

    @property
    def _model(self) -> type[models.Model]:
        return apps.get_model(self.model)


@dataclass(frozen=True, kw_only=True)
class DataClass:
    """A class of data: what it is called, the purpose it serves, how long it is kept for it, and where it is."""

    title: Any
    purpose: str
    keep: timedelta
    store: Store


CLASSES: Mapping[str, DataClass] = {
    "behaviour": DataClass(
        title=_("what was looked at and searched"),
        purpose="profiling",
        keep=2 * YEAR,
        store=EventKinds(kinds=("page", "screen", "view", "cart", "search", "track", "group")),
    ),
    "messages": DataClass(
        title=_("messages and what became of them"),
        purpose="marketing",
        keep=2 * YEAR,
        store=EventKinds(
            kinds=(
                *("assigned", "sent", "delivered", "bounced", "failed"),
                *("opened", "clicked", "replied", "complained", "unsubscribed"),
            )
        ),
    ),
    "orders": DataClass(
        title=_("orders, refunds, coupons"),
        purpose="contract",
        keep=5 * YEAR,
        store=EventKinds(kinds=("purchase", "refund", "redeemed")),
    ),
    "identification": DataClass(
        title=_("log-ins and statements about oneself"),
        purpose="service",
        keep=2 * YEAR,
        store=EventKinds(kinds=("identify", "privacy_agreed")),
    ),
    "refused_messages": DataClass(
        title=_("refused messages"),
        purpose="operation",
        keep=timedelta(days=90),
        store=Rows(model="crm.RejectedEvent", at="received_at"),
    ),
    "jobs": DataClass(
        title=_("notes of jobs"),
        purpose="operation",
        keep=YEAR,
        store=Rows(model="crm.JobRun", at="created_at", only={"finished_at__isnull": False}),
    ),
    "accesses": DataClass(
        title=_("log of accesses"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        store=Rows(model="crm.PersonalDataAccess", at="at", profile="profile"),
    ),
    "requests": DataClass(
        title=_("privacy requests"),
        purpose="legal_obligation",
        keep=THREE_YEARS,
        store=Rows(model="crm.PrivacyRequest", at="ended_at", profile="profile"),
    ),
}


EVENT_CLASSES = tuple(name for name, kept in CLASSES.items() if isinstance(kept.store, EventKinds))


def bounds(month: Any) -> tuple[datetime, datetime]:
    """Return where a month's partition begins and ends."""
    begin, end = (datetime.combine(day, time(), UTC) for day in (month, partitions.next_month(month)))
    return begin, end


def _in_batches(query: str, values: Sequence[Any]) -> int:
    begin, end, kinds, people = values
    named = {"begin": begin, "end": end, "kinds": list(kinds), "people": int_array(people), "batch": BATCH}
    gone = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(query, named)
            if not cursor.rowcount:
                return gone
            gone += cursor.rowcount


def _drop_empty(cutoff: datetime) -> int:
    """Drop the partitions that end before the cutoff and hold nothing any more."""
    dropped = 0
    for month in sorted(partitions.existing()):
        begin, end = bounds(month)
        if end > cutoff or Event.objects.filter(occurred_at__gte=begin, occurred_at__lt=end).exists():
            continue
        dropped += partitions.drop(month)
    return dropped
