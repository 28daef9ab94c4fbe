"""What sources tell about people, written into their profiles: coarse facts open, personal ones sealed."""

from collections.abc import Collection
from datetime import date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection, transaction

from crm import ages
from crm.coarse import split
from crm.copying import bytes_array, int_array, text_array
from crm.encryption import Keys, Shredded, aad, blind_index, open_, seal
from crm.objections import denied

if TYPE_CHECKING:
    import polars as pl

OPEN = ("age_band", "gender", "birth_month", "birth_day", "province", "city", "language")
SEALED = ("name", "birth_date")
JOINED = ("attributes", "traits")  # what is told is added to what is known; the rest replaces it
FACTS = (*OPEN, *SEALED, *JOINED)
CHUNK = 2000
MOST_ATTRIBUTES = 64 * 1024  # bytes for one person; a public key could otherwise fill the table through one profile

# Rows are locked in the order of their ids, so that two writers cannot wait for each other.
KNOWN = """
SELECT id, age_band, gender, birth_month, birth_day, province, city, language, age_class, name, birth_date,
       attributes::text, traits
FROM crm_profile WHERE id = ANY (%s::bigint[]) ORDER BY id FOR UPDATE
"""
COLUMNS = {
    **dict.fromkeys(("age_band", "gender", "province", "city", "language", "age_class"), "text"),
    **dict.fromkeys(("birth_month", "birth_day"), "smallint"),
    **dict.fromkeys(("name", "name_index", "birth_date", "traits"), "bytea"),
    "attributes": "jsonb",
}
ARRAYS = {"text": text_array, "jsonb": text_array, "smallint": int_array, "bytea": bytes_array}
SET, NEW = ", ".join(COLUMNS), ", ".join(f"new.{name}" for name in COLUMNS)
CHANGE = f"""
UPDATE crm_profile AS p SET ({SET}, updated_at) = ROW ({NEW}, %s)
FROM unnest(%s::bigint[], {", ".join(f"%s::{kind}[]" for kind in COLUMNS.values())}) AS new (id, {SET})
WHERE p.id = new.id
"""  # noqa: S608 (names of ours)


def update_frame(frame: "pl.DataFrame", *, now: datetime) -> int:
    """Change profiles, and return how many are different now.

    Columns are ``id`` and any of :data:`FACTS`; ``attributes`` is JSON text, of which what is personal is sealed. Each
    profile once. A null leaves what is known, attributes are added to those that are known.
    """
    rows, changed = frame.iter_rows(named=True), 0
    while chunk := list(islice(rows, CHUNK)):
        told = {row.pop("id"): _of_frame(row) for row in chunk}
        with transaction.atomic():
            changed += update_many(told, now=now)
    return changed


def _of_frame(row: dict[str, Any]) -> dict[str, Any]:
    coarse, personal = split(orjson.loads(row.get("attributes") or "{}"))
    return row | {"attributes": coarse, "traits": personal}


def update_many(told: dict[int, dict[str, Any]], *, now: datetime, keys: Keys | None = None) -> int:
    """Change profiles by what is told of each (:data:`FACTS` by name), and return how many are different now.

    It belongs into a transaction; ``keys`` are those that the caller has read in it.
    """
    if not told:
        return 0
    keys = keys or Keys()
    keys.want(told)
    with connection.cursor() as cursor:
        cursor.execute(KNOWN, [int_array(told)])
        before = {row[0]: _opened(row, keys) for row in cursor.fetchall()}
        objected = denied(told)
        after = {
            profile: _joined(known, _allowed(told[profile], objected.get(profile, ())), now)
            for profile, known in before.items()
        }
        changed = sorted(profile for profile in after if after[profile] != before[profile])
        keys.make(profile for profile in changed if any(after[profile][fact] for fact in (*SEALED, "traits")))
        rows = [row for profile in changed if (row := _row(profile, after[profile], keys)) is not None]
        if rows:
            arrays = [
                ARRAYS[kind](row[name] for row in rows)  # type: ignore[operator]  # each takes its own kind
                for name, kind in COLUMNS.items()
            ]
            cursor.execute(CHANGE, [now, int_array(row["id"] for row in rows), *arrays])
    return len(rows)


def _opened(row: tuple[Any, ...], keys: Keys) -> dict[str, Any]:
    """Return what is known of a person, in the plain."""
    profile, *rest = row
    name, birth_date, attributes, traits = rest[-4:]
    born = _open(keys, profile, "birth_date", birth_date)
    return {
        **dict(zip((*OPEN, "age_class"), rest, strict=False)),
        "name": _open(keys, profile, "name", name).decode(),
        "birth_date": date.fromisoformat(born.decode()) if born else None,
        "attributes": orjson.loads(attributes),
        "traits": orjson.loads(_open(keys, profile, "traits", traits) or "{}"),
    }


def _open(keys: Keys, profile: int, field: str, sealed: Any) -> bytes:
    if sealed is None:
        return b""
    try:
        return open_(keys.of(profile), bytes(sealed), aad("crm.profile", field, profile))
    except Shredded:
        return b""


def _allowed(told: dict[str, Any], objected: Collection[str]) -> dict[str, Any]:
    """Return what is told without the traits that the person deleted: no source may give them back."""
    if not objected:
        return told
    kept = {fact: {k: v for k, v in (told.get(fact) or {}).items() if k[:200] not in objected} for fact in JOINED}
    return {**told, **kept}


def _joined(known: dict[str, Any], told: dict[str, Any], now: datetime) -> dict[str, Any]:
    found = known | {fact: told[fact] for fact in (*OPEN, *SEALED) if told.get(fact) not in (None, "")}
    for fact, other in (JOINED, JOINED[::-1]):
        # A trait that was coarse may be personal today, and the other way round: it is kept in one place.
        found[fact] = {key: value for key, value in known[fact].items() if key not in told.get(other, ())}
        found[fact] |= told.get(fact) or {}
    if found["birth_date"]:
        found["age_class"] = ages.age_class(ages.age(found["birth_date"], ages.today(now)))
    elif told.get("age_band"):
        found["age_class"] = ages.class_of_band(told["age_band"])
    return found


def _row(profile: int, facts: dict[str, Any], keys: Keys) -> dict[str, Any] | None:
    """Return the row as it is stored; none where it would be too large."""
    traits = orjson.dumps(facts["traits"]) if facts["traits"] else b""
    attributes = orjson.dumps(facts["attributes"])
    if len(traits) + len(attributes) >= MOST_ATTRIBUTES:
        return None
    born: date | None = facts["birth_date"]
    plain = {"name": facts["name"].encode(), "birth_date": born.isoformat().encode() if born else b"", "traits": traits}
    sealed = {
        field: seal(keys.of(profile), text, aad("crm.profile", field, profile)) if text else None
        for field, text in plain.items()
    }
    index = blind_index("name", facts["name"]) if facts["name"] else None
    return {**facts, **sealed, "id": profile, "attributes": attributes.decode(), "name_index": index}
