"""Where the rows of a class of data are: how those past their time are counted, and deleted batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, Protocol

from django.apps import apps
from django.db import connection, models
from django.db.models import QuerySet

from crm import partitions
from crm.copying import int_array
from crm.imports import uploads
from crm.models import Event

BATCH = 20_000


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pass may take: what is older than ``cutoff``, but of nobody who is held."""

    cutoff: datetime
    people: Sequence[int]
    now: datetime
    keeps: Mapping[str, timedelta] = field(default_factory=dict)  # by purpose, for classes that say of what each row is


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
    batch: int = BATCH

    def count(self, limits: Limits) -> Count:
        due = self._due(limits)
        held = due.filter(**{f"{self.profile}__in": limits.people}).count() if self.profile and limits.people else 0
        return Count(due=due.count() - held, held=held)

    def delete(self, limits: Limits) -> Gone:
        gone = 0
        while keys := list(self._free(limits).values_list("pk", flat=True)[: self.batch]):
            # Plain deletion: a model's own may refuse, as that of assessments, whose three years are over here.
            rows: QuerySet[Any] = QuerySet(self._model).filter(pk__in=keys)
            gone += QuerySet.delete(rows)[1].get(self._model._meta.label, 0)
        return Gone(rows=gone)

    def _free(self, limits: Limits) -> "QuerySet[Any]":
        due = self._due(limits)
        # Rows of nobody in particular go, too: Django's ``exclude`` takes care of what is null.
        return due.exclude(**{f"{self.profile}__in": limits.people}) if self.profile and limits.people else due

    def _due(self, limits: Limits) -> "QuerySet[Any]":
        return self._model._default_manager.filter(**{f"{self.at}__lt": limits.cutoff}, **(self.only or {}))

    @property
    def _model(self) -> type[models.Model]:
        return apps.get_model(self.model)


@dataclass(frozen=True, kw_only=True)
class Several:
    """Rows of several models that are one class."""

    stores: tuple[Store, ...]

    def count(self, limits: Limits) -> Count:
        counts = [store.count(limits) for store in self.stores]
        return Count(due=sum(one.due for one in counts), held=sum(one.held for one in counts))

    def delete(self, limits: Limits) -> Gone:
        return Gone(rows=sum(store.delete(limits).rows for store in self.stores))


@dataclass(frozen=True, kw_only=True)
class Uploads:
    """Files that wait for an import, by the age of the file; what an import reads just now is not taken from it."""

    def count(self, limits: Limits) -> Count:
        return Count(due=len(uploads.older_than(limits.cutoff)), held=0)

    def delete(self, limits: Limits) -> Gone:
        return Gone(rows=sum(uploads.delete(path) for path in uploads.older_than(limits.cutoff)))


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
    ended = [month for month in sorted(partitions.existing()) if bounds(month)[1] <= cutoff]
    return sum(partitions.drop_empty(month) for month in ended if not _holds_any(*bounds(month)))


def _holds_any(begin: datetime, end: datetime) -> bool:
    return Event.objects.filter(occurred_at__gte=begin, occurred_at__lt=end).exists()
