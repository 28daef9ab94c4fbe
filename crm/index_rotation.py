"""Changing the secrets of the keyed hashes, by which people are found and stay suppressed, while everybody goes on.

A secret has generations. A new one is added to the ring first, and searched by; written with when every process knows
it; then every row's hashes are made anew, from its value, which its person's key opens. Searches ask by all
generations, so a row is found before, while and after it is renewed. When none is left an old *index* secret can go.

What was suppressed of people who are erased cannot be made anew: there is no value, and that is the point of it. The
old *suppression* secret stays in the ring for them, and their addresses are known by it when they come in again
(``crm.suppression.recognise``). It can go when no such row needs it.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection, transaction

from crm import merging, suppression
from crm.copying import bytes_array, int_array, text_array
from crm.encryption import (
    Keys,
    Shredded,
    aad,
    blind_index,
    blind_indexes,
    indexes_by_generation,
    open_,
    seal,
    suppression_keys_by_generation,
)
from crm.key_rotation import own_file
from crm.keyring import ROTATABLE, BadKeyRing, ring, write_ring
from crm.models import Identifier, Suppression

BATCH = 1000
INDEX = "index"
COLUMNS = "i.id, i.type, i.value, i.digest, i.suppression_key, i.profile_id, i.verified, s.kind = 'browser'"
ROWS = f"SELECT {COLUMNS} FROM crm_identifier i LEFT JOIN crm_source s ON s.id = i.source_id"  # noqa: S608
NAMED = f"""
{ROWS} WHERE (i.type, i.digest) IN (SELECT * FROM unnest(%s::text[], %s::bytea[])) ORDER BY i.id FOR UPDATE OF i
"""  # noqa: S608 (texts of ours)
UPDATE = """
UPDATE crm_identifier AS i SET digest = new.digest, value = new.value, suppression_key = new.suppressed
FROM unnest(%s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[]) AS new (id, digest, value, suppressed)
WHERE i.id = new.id
"""


class Row(NamedTuple):
    """An identifier as it stands."""

    id: int
    type: str
    value: bytes
    digest: bytes
    suppression_key: bytes
    profile: int
    verified: bool
    claimed: bool | None


class Renewed(NamedTuple):
    """An identifier's value, and its hashes by the secrets of today."""

    row: Row
    plain: str
    digest: bytes
    suppression_key: bytes


def add(secret: str) -> str:
    """Add a generation of a secret to the ring's file, to be searched by; return its number."""
    own_file()
    _known(secret)
    changed, number = ring().with_secret(secret)
    write_ring(changed)
    return number


def use(secret: str, number: str) -> None:
    """Write with this generation from now on."""
    own_file()
    _known(secret)
    write_ring(ring().using_secret(secret, number))


def rotate(secret: str) -> str:
    """Add a generation and use it at once: right where all processes share one file. Return its number."""
    number = add(secret)
    use(secret, number)
    return number


def retire(secret: str, number: str) -> None:
    """Take a generation out of the ring for good.

    Raises
    ------
    crm.keyring.BadKeyRing
        It is written with, or rows still need it.
    """
    own_file()
    _known(secret)
    if number == ring().version(secret):
        raise BadKeyRing(f"Generation {number} of {secret} is in use: use another one first.")
    found = usage(secret)
    if needed := found.get(number, 0) + found.get(suppression.UNKNOWN, 0):
        raise BadKeyRing(f"{needed} rows still need generation {number} of {secret}, or may need it.")
    write_ring(ring().without_secret(secret, number))


def usage(secret: str) -> dict[str, int]:
    """Return how many rows need each generation of a secret; it reads every value, for no mark could be as sure."""
    found = dict.fromkeys(ring().generations(secret), 0)
    for told in _hashes(secret):
        for number, count in told.items():
            found[number] = found.get(number, 0) + count
    return found


def reindex(now: datetime, batch: int = BATCH) -> Iterator[int]:
    """Make every hash anew that is not of today's generation; yield how many rows were looked at after each batch.

    Each batch is a transaction: killed and run again, it finds less to do.
    """
    done = after = 0
    while ids := _page("crm_identifier", after, batch):
        with transaction.atomic():
            _renew_identifiers(ids, now)
        done, after = done + len(ids), ids[-1]
        yield done
    after = 0
    while ids := _page("crm_profile", after, batch):
        with transaction.atomic():
            _renew_names(ids)
        done, after = done + len(ids), ids[-1]
        yield done


def renew(refs: Sequence[tuple[str, str]], now: datetime) -> None:
    """Renew the identifiers that are about to be written, so that the database sees that they are there.

    Only their index: suppression is renewed with the person locked, which whoever writes here must not wait for.
    """
    if len(ring().generations("index")) == 1:
        return
    _, *older = indexes_by_generation(refs)
    types = text_array(type_ for type_, _ in refs)
    for digests in older:
        with connection.cursor() as cursor:
            cursor.execute(NAMED, [types, bytes_array(digests)])
            found = _rows(cursor)
        _write([one._replace(suppression_key=one.row.suppression_key) for one in _opened(found)], now)


def _renew_identifiers(ids: Sequence[int], now: datetime) -> None:
    with connection.cursor() as cursor:
        # The people first, as whoever suppresses or erases them does: nobody reads a hash and writes it down meanwhile.
        cursor.execute(
            "SELECT id FROM crm_profile WHERE id IN"
            " (SELECT profile_id FROM crm_identifier WHERE id = ANY (%s::bigint[])) ORDER BY id FOR SHARE",
            [int_array(ids)],
        )
        cursor.execute(f"{ROWS} WHERE i.id = ANY (%s::bigint[]) ORDER BY i.id FOR UPDATE OF i", [int_array(ids)])
        opened = _opened(_rows(cursor))
    _write(opened, now)
    refs = [(one.row.type, one.plain) for one in opened]
    today, *others = suppression_keys_by_generation(refs).values()
    for old in others:
        suppression.move(old, today)
    suppression.mark(today)


def _write(rows: Sequence[Renewed], now: datetime) -> None:
    """Store rows that are not of today, but for those that stand there a second time."""
    stale = [one for one in rows if (one.digest, one.suppression_key) != (one.row.digest, one.row.suppression_key)]
    twice = _standing([one for one in stale if one.digest != one.row.digest])
    fresh = [
        one
        for one in stale
        if (one.row.type, one.digest) not in twice or _stays(one.row, twice[one.row.type, one.digest], now)
    ]
    if not fresh:
        return
    keys = Keys(one.row.profile for one in fresh)
    sealed = [
        seal(keys.of(row.profile), plain.encode(), aad("crm.identifier", "value", row.type, digest))
        for row, plain, digest, _ in fresh
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            UPDATE,
            [
                int_array(one.row.id for one in fresh),
                bytes_array(one.digest for one in fresh),
                bytes_array(sealed),
                bytes_array(one.suppression_key for one in fresh),
            ],
        )


def _standing(rows: Sequence[Renewed]) -> dict[tuple[str, bytes], Row]:
    """Return the rows that stand there already by the new hash, written by somebody who had not seen the old ones."""
    if not rows:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(NAMED, [text_array(one.row.type for one in rows), bytes_array(one.digest for one in rows)])
        return {(row.type, row.digest): row for row in _rows(cursor)}


def _stays(old: Row, new: Row, now: datetime) -> bool:
    """Let one of two rows of the same identifier go; tell whether the old one stays.

    They come about when one process still wrote by the old secret while another wrote by the new one. Both people are
    one then; but what a browser only claimed makes nobody the same, and goes.
    """
    if new.claimed and not new.verified and (old.verified or not old.claimed):
        Identifier.objects.filter(pk=new.id).delete()
        return True
    Identifier.objects.filter(pk=old.id).delete()
    is_claim = old.claimed and not old.verified
    if not is_claim and old.profile != new.profile:
        merging.join(new.profile, old.profile, now=now, reason="the same identifier twice, found by a rotation")
    return False


def _renew_names(ids: Sequence[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name, name_index FROM crm_profile WHERE id = ANY (%s::bigint[]) AND name IS NOT NULL"
            " ORDER BY id FOR NO KEY UPDATE",
            [int_array(ids)],
        )
        rows = cursor.fetchall()
        found = [(id_, bytes(index or b""), blind_index("name", name)) for id_, name, index in _names(rows)]
        stale = [(id_, new) for id_, old, new in found if old != new]
        cursor.execute(
            "UPDATE crm_profile AS p SET name_index = new.index"
            " FROM unnest(%s::bigint[], %s::bytea[]) AS new (id, index) WHERE p.id = new.id",
            [int_array(id_ for id_, _ in stale), bytes_array(new for _, new in stale)],
        )


def _names(rows: Sequence[tuple[int, Any, Any]]) -> Iterator[tuple[int, str, Any]]:
    keys = Keys(id_ for id_, _, _ in rows)
    for id_, name, index in rows:
        try:
            yield id_, open_(keys.of(id_), bytes(name), aad("crm.profile", "name", id_)).decode(), index
        except Shredded:
            continue


def _opened(rows: Sequence[Row]) -> list[Renewed]:
    keys = Keys(row.profile for row in rows)
    plain = [
        open_(keys.of(row.profile), row.value, aad("crm.identifier", "value", row.type, row.digest)).decode()
        for row in rows
    ]
    refs = [(row.type, text) for row, text in zip(rows, plain, strict=True)]
    suppressed = next(iter(suppression_keys_by_generation(refs).values()))
    return [Renewed(*one) for one in zip(rows, plain, blind_indexes(refs), suppressed, strict=True)]


def _hashes(secret: str) -> Iterator[dict[str, int]]:
    """Yield, batch by batch, how many rows are of which generation."""
    after = 0
    while ids := _page("crm_identifier", after, BATCH):
        with connection.cursor() as cursor:
            cursor.execute(f"{ROWS} WHERE i.id = ANY (%s::bigint[]) ORDER BY i.id", [int_array(ids)])
            opened = _opened(_rows(cursor))
        refs = [(one.row.type, one.plain) for one in opened]
        if secret == INDEX:
            numbers = dict(zip(ring().generations("index"), indexes_by_generation(refs), strict=True))
            stands = [one.row.digest for one in opened]
        else:
            numbers, stands = suppression_keys_by_generation(refs), [one.row.suppression_key for one in opened]
        yield {number: sum(a == b for a, b in zip(keys, stands, strict=True)) for number, keys in numbers.items()}
        after = ids[-1]
    if secret != INDEX:
        yield _suppressions()
        return
    after = 0
    while ids := _page("crm_profile", after, BATCH):
        yield _named(ids)
        after = ids[-1]


def _named(ids: Sequence[int]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name, name_index FROM crm_profile WHERE id = ANY (%s::bigint[]) AND name IS NOT NULL",
            [int_array(ids)],
        )
        rows = list(_names(cursor.fetchall()))
    stands = [bytes(index or b"") for _, _, index in rows]
    by_generation = indexes_by_generation(("name", name) for _, name, _ in rows)
    return {
        number: sum(a == b for a, b in zip(keys, stands, strict=True))
        for number, keys in zip(ring().generations("index"), by_generation, strict=True)
    }


def _suppressions() -> dict[str, int]:
    """Return how many suppressions are by which generation; those of people who are erased cannot be made anew."""
    found: dict[str, int] = {}
    for number in Suppression.objects.values_list("key_version", flat=True).iterator():
        found[number] = found.get(number, 0) + 1
    return found


def _page(table: str, after: int, batch: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT id FROM "{table}" WHERE id > %s ORDER BY id LIMIT %s', [after, batch])  # noqa: S608
        return [id_ for (id_,) in cursor.fetchall()]


def _rows(cursor: Any) -> list[Row]:
    return [
        Row(id_, type_, bytes(value), bytes(digest), bytes(suppressed), *rest)
        for id_, type_, value, digest, suppressed, *rest in cursor.fetchall()
    ]


def _known(secret: str) -> None:
    if secret not in ROTATABLE:
        raise BadKeyRing(f"Only {' and '.join(ROTATABLE)} have generations, not {secret!r}.")
