"""Items by the codes that shops and files call them."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction

from crm import copying
from crm.copying import text_array
from crm.drafts import Code

if TYPE_CHECKING:
    import polars as pl

FACTS = ("title", "body", "categories", "brand", "price", "currency", "attributes", "available_from", "available_to")
EMPTY = {"body": "''", "categories": "'{}'", "brand": "''", "currency": "''", "attributes": "'{}'"}


def resolve(titles: dict[Code, str], *, now: datetime) -> dict[Code, int]:
    """Return the item of each code; an unknown one is created under its title (or its code, where that is empty)."""
    found = known(titles)
    missing = sorted(titles.keys() - found.keys())
    if not missing:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO crm_item (kind, code, title, body, categories, brand, currency, attributes, created_at,"
            " updated_at) SELECT kind, code, title, '', '{}', '', '', '{}', %s, %s"
            " FROM unnest(%s::text[], %s::text[], %s::text[]) AS new (kind, code, title)"
            " ON CONFLICT (kind, code) DO NOTHING",
            [
                *(now, now),
                *(text_array(kind for kind, _ in missing), text_array(code for _, code in missing)),
                text_array((titles[code] or code[1])[:300] for code in missing),
            ],
        )
    return found | known(missing)  # also those that another writer created meanwhile


def known(codes: Iterable[Code]) -> dict[Code, int]:
    """Return the items of the codes that are known."""
    codes = list(codes)
    if not codes:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, code, id FROM unnest(%s::text[], %s::text[]) AS asked (kind, code)"
            " JOIN crm_item USING (kind, code)",
            [text_array(kind for kind, _ in codes), text_array(code for _, code in codes)],
        )
        return {(kind, code): item for kind, code, item in cursor.fetchall()}


def upsert_frame(frame: "pl.DataFrame", *, now: datetime) -> int:
    """Create or change items, and return how many rows are new or different.

    Columns are ``kind``, ``code``, ``title`` and any of :data:`FACTS`; ``attributes`` is JSON text, ``categories`` an
    array literal. Each code once. A null leaves what is known, attributes are added to those that are known.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        columns = ", ".join(frame.columns)
        cursor.execute(f"CREATE TEMP TABLE staged_item ON COMMIT DROP AS SELECT {columns} FROM crm_item WITH NO DATA")  # noqa: S608
        copying.copy_frame(cursor, "staged_item", frame)
        changed = _upsert_staged(cursor, [name for name in FACTS if name in frame.columns], now)
        cursor.execute("DROP TABLE staged_item")
    return changed


def _upsert_staged(cursor: Any, facts: list[str], now: datetime) -> int:
    new = {fact: f"coalesce(s.{fact}, {EMPTY[fact]})" if fact in EMPTY else f"s.{fact}" for fact in facts}
    if "title" in new:
        new["title"] = "coalesce(s.title, s.code)"
    kept = {fact: f"coalesce(s.{fact}, i.{fact})" for fact in facts}
    if "attributes" in kept:
        kept["attributes"] = "i.attributes || coalesce(s.attributes, '{}')"
    absent = {fact: value for fact, value in EMPTY.items() if fact not in facts}
    # Only names of our own columns are put into these texts.
    cursor.execute(
        f"UPDATE crm_item i SET {', '.join(f'{fact} = {value}' for fact, value in kept.items())},"  # noqa: S608
        " updated_at = %s"
        f" FROM staged_item s WHERE (i.kind, i.code) = (s.kind, s.code) AND ({', '.join(f'i.{f}' for f in kept)},1)"
        f" IS DISTINCT FROM ({', '.join(kept.values())},1)",
        [now],
    )
    changed = cursor.rowcount
    cursor.execute(
        f"INSERT INTO crm_item (kind, code, {', '.join([*new, *absent])}, created_at, updated_at)"  # noqa: S608
        f" SELECT kind, code, {', '.join([*new.values(), *absent.values()])}, %s, %s FROM staged_item s"
        " ORDER BY kind, code ON CONFLICT (kind, code) DO NOTHING",
        [now, now],
    )
    return int(changed + cursor.rowcount)
