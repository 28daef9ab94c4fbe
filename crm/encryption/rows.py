"""Rows with sealed values: they know their id before they are written, and share one reading of keys."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import islice
from typing import Any, ClassVar, TypeVar

from django.db import connection, models, transaction

from crm.encryption.fields import KEYS, EncryptedField, Sealed, keys_at_hand
from crm.encryption.people import Keys

Row = TypeVar("Row", bound=models.Model)
CHUNK = 1000


class SealedQuerySet(models.QuerySet[Row]):
    """Reads the keys of all rows that it found with one query, when the first value is opened."""

    def _fetch_all(self) -> None:
        fresh = self._result_cache is None
        super()._fetch_all()
        if fresh:
            share_keys(self._result_cache or ())

    def iterator(self, chunk_size: int | None = None) -> Iterator[Row]:
        rows = super().iterator(chunk_size or CHUNK)
        while chunk := list(islice(rows, chunk_size or CHUNK)):
            share_keys(chunk)
            yield from chunk

    def bulk_create(self, objs: Iterable[Row], *args: Any, **kwargs: Any) -> list[Row]:
        rows = list(objs)
        _allot([row for row in rows if row.pk is None])
        for row in rows:
            if isinstance(row, SealedModel):
                row.prepare()
        with transaction.atomic(), keys_at_hand(_keys_for(rows)):
            return super().bulk_create(rows, *args, **kwargs)


class SealedModel(models.Model):
    """A row with sealed values.

    ``prepare`` works out what follows from them (a blind index), and ``derived`` says from which of them what does.
    """

    derived: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self._state.adding and self.pk is None:
            _allot([self])
            kwargs["force_insert"] = True
        self.prepare()
        if (names := kwargs.get("update_fields")) is not None:
            kwargs["update_fields"] = {*names, *(more for name in names for more in self.derived.get(name, ()))}
        # A new person's key is written before the person, whose existence is checked at the end.
        with transaction.atomic(), keys_at_hand(_keys_for([self])):
            super().save(*args, **kwargs)

    def prepare(self) -> None:
        """Set what follows from the sealed values, before they are sealed."""


def was_set(row: models.Model, name: str) -> bool:
    """Return whether a sealed value was read or set since the row was read, so that it may have changed."""
    return name in row.__dict__ and not isinstance(row.__dict__[name], Sealed)


def sealed_fields(model: type[models.Model]) -> list[EncryptedField[Any, Any]]:
    """Return the sealed fields of a model."""
    return [found for found in model._meta.concrete_fields if isinstance(found, EncryptedField)]


def share_keys(rows: Iterable[Any]) -> None:
    """Let rows that are shown together, and those prefetched with them, read their keys together, too."""
    keys = Keys()
    waiting = list(rows)
    while waiting:
        row = waiting.pop()
        if not isinstance(row, models.Model):
            return
        names = person_fields(type(row))
        if names:
            keys.want(person for name in names if (person := _person(row, name)) is not None)
            row.__dict__[KEYS] = keys
        for related in row.__dict__.get("_prefetched_objects_cache", {}).values():
            waiting += related


@cache
def person_fields(model: type[models.Model]) -> frozenset[str]:
    """Return the names of what says whose the sealed values of a model are."""
    return frozenset(field.person for field in sealed_fields(model) if field.person)


def _person(row: models.Model, name: str) -> int | None:
    found: int | None = row.pk if name == "pk" else row.__dict__.get(name)
    return found


def _keys_for(rows: Iterable[models.Model]) -> Keys:
    keys = Keys()
    people = {
        getattr(row, field.person)
        for row in rows
        for field in sealed_fields(type(row))
        if field.person and field.is_told(row)
    }
    if people:
        keys.make(people)
    return keys


def _allot(rows: list[Any]) -> None:
    """Give rows the ids that they will have: a sealed value is bound to its row."""
    if not rows or not isinstance(rows[0]._meta.pk, models.AutoField):
        return
    for row, pk in zip(rows, ids_of(type(rows[0]), len(rows)), strict=True):
        row.pk = pk


def ids_of(model: type[models.Model], count: int) -> list[int]:
    """Return ids for so many new rows of a model that counts its rows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence(%s, %s)) FROM generate_series(1, %s)",
            [f'"{model._meta.db_table}"', model._meta.pk.column, count],
        )
        return [id_ for (id_,) in cursor.fetchall()]
