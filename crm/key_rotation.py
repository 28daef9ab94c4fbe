"""Changing the key that wraps all others, while everybody goes on reading and writing.

A new key is added to the ring first and made current when every process knows it: at once where all share one file, in
two steps where each machine has its own copy. Then what older keys wrapped is wrapped again, a batch at a time, and an
old key that nothing needs any more is retired. What people's keys sealed is never touched.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

from django.apps import apps
from django.conf import settings
from django.db import connection, models, transaction

from crm.encryption.fields import EncryptedField
from crm.encryption.people import rewrap
from crm.encryption.rows import sealed_fields
from crm.keyring import BadKeyRing, ring, write_ring
from crm.models import PersonKey

BATCH = 1000
# The id of the ring's key stands in the value's head, as crm.encryption.values writes it.
KEY = "convert_from(substring({column} FROM 3 FOR get_byte({column}, 1)), 'UTF8')"
USAGE = f"SELECT {KEY}, count(*) FROM {{table}} WHERE {{column}} IS NOT NULL GROUP BY 1"  # noqa: S608 (names of ours)
OLDER = (
    f"SELECT {{pk}} FROM {{table}} WHERE {{column}} IS NOT NULL AND {KEY} <> %s"  # noqa: S608
    " ORDER BY 1 LIMIT %s FOR UPDATE"
)


class Holder(Protocol):
    """A module that knows what it holds under which key of the ring, and wraps it again."""

    def usage(self) -> Counter[str]: ...
    def rewrap(self, batch: int) -> Iterator[int]: ...


def add(now: datetime, key_id: str = "") -> str:
    """Add a key to the ring's file without using it yet, and return its id."""
    own_file()
    found = ring()
    key_id = key_id or _next(found.wrapping)
    write_ring(found.with_key(key_id, now))
    return key_id


def use(key_id: str) -> None:
    """Wrap with this key from now on."""
    own_file()
    ring().key(key_id)
    write_ring(replace(ring(), current=key_id))


def rotate(now: datetime) -> str:
    """Add a key and use it at once: right where all processes share one file. Return its id."""
    key_id = add(now)
    use(key_id)
    return key_id


def rewrap_all(batch: int = BATCH) -> Generator[int, None, None]:
    """Wrap again what older keys wrapped; yield how many rows are done after each batch, which is a transaction."""
    done, last = 0, 0
    while True:
        with transaction.atomic():
            count, end = rewrap(last, batch)
        if end is None:
            break
        done, last = done + count, end
        yield done
    for field in _sealed_by_the_ring():
        while count := _seal_again(field, batch):
            done += count
            yield done
    for holder in holders():
        for count in holder.rewrap(batch):
            done += count
            yield done


def holders() -> list[Holder]:
    """Return what else holds things that the ring sealed: files, and tables of packages (``KEY_HOLDERS``)."""
    return [cast("Holder", import_module(name)) for name in settings.KEY_HOLDERS]


def usage() -> dict[str, int]:
    """Return how many rows and files need each key of the ring; a key that is not in it, too, if rows do."""
    found = Counter(dict.fromkeys(ring().wrapping, 0))
    rows = PersonKey.objects.values_list("key_id").annotate(rows=models.Count("pk")).order_by()
    found.update(dict(rows))
    for field in _sealed_by_the_ring():
        with connection.cursor() as cursor:
            cursor.execute(USAGE.format(**_names(field)))
            found.update(dict(cursor.fetchall()))
    for holder in holders():
        found.update(holder.usage())
    return dict(found)


def retire(key_id: str) -> None:
    """Take a key out of the ring for good.

    Raises
    ------
    crm.keyring.BadKeyRing
        It is current, or rows still need it.
    """
    own_file()
    found = ring()
    found.key(key_id)
    if key_id == found.current:
        raise BadKeyRing(f"{key_id} is current: use another one first.")
    if needed := usage().get(key_id):
        raise BadKeyRing(f"{needed} rows or files still need {key_id}: rewrap them first.")
    kept = {other: key for other, key in found.wrapping.items() if other != key_id}
    write_ring(replace(found, wrapping=kept, since={k: at for k, at in found.since.items() if k != key_id}))


def own_file() -> None:
    """Refuse to change a ring that does not come from its file."""
    if settings.KEY_RING or settings.KEY_RING_HOOK:
        raise BadKeyRing("The key ring comes from KEY_RING or KEY_RING_HOOK: change it there.")


def _next(taken: Any) -> str:
    numbers = [int(found[1]) for key_id in taken if (found := re.fullmatch(r"k(\d+)", key_id))]
    return f"k{max(numbers, default=0) + 1}"


def _sealed_by_the_ring() -> list[EncryptedField[Any, Any]]:
    found = [field for model in apps.get_models() for field in sealed_fields(model)]
    return [field for field in found if field.person is None]


def _names(field: EncryptedField[Any, Any]) -> dict[str, str]:
    names = {"table": field.model._meta.db_table, "column": field.column, "pk": field.model._meta.pk.column}
    return {what: connection.ops.quote_name(name or "") for what, name in names.items()}


def _seal_again(field: EncryptedField[Any, Any], batch: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(OLDER.format(**_names(field)), [ring().current, batch])
        found = field.model._default_manager.filter(pk__in=[pk for (pk,) in cursor.fetchall()])
        for row in found:
            setattr(row, field.attname, getattr(row, field.attname))  # opened: it is sealed anew when saved
            row.save(update_fields=[field.attname])
    return len(found)
