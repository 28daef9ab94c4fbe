"""What sources tell about people, written into their profiles."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from django.db import connection, transaction

from crm import copying

if TYPE_CHECKING:
    import polars as pl

FACTS = ("name", "age_band", "gender", "birth_month", "birth_day", "province", "city", "language", "attributes")


def update_frame(frame: "pl.DataFrame", *, now: datetime) -> int:
    """Change profiles, and return how many are different now.

    Columns are ``id`` and any of :data:`FACTS`; ``attributes`` is JSON text. Each profile once. A null leaves what is
    known, attributes are added to those that are known.
    """
    facts = [name for name in FACTS if name in frame.columns]
    kept = {fact: f"coalesce(s.{fact}, p.{fact})" for fact in facts}
    if "attributes" in kept:
        kept["attributes"] = "p.attributes || coalesce(s.attributes, '{}')"
    with transaction.atomic(), connection.cursor() as cursor:
        columns = ", ".join(frame.columns)
        cursor.execute(
            f"CREATE TEMP TABLE staged_profile ON COMMIT DROP AS SELECT {columns} FROM crm_profile WITH NO DATA"  # noqa: S608
        )
        copying.copy_frame(cursor, "staged_profile", frame)
        # Rows are locked in the order of their ids, so that two writers cannot wait for each other.
        cursor.execute(
            "WITH locked AS (SELECT p.id FROM crm_profile p JOIN staged_profile USING (id) ORDER BY p.id"  # noqa: S608
            " FOR UPDATE OF p)"
            f" UPDATE crm_profile p SET {', '.join(f'{fact} = {value}' for fact, value in kept.items())},"
            " updated_at = %s"
            " FROM staged_profile s JOIN locked USING (id) WHERE p.id = s.id"
            f" AND ({', '.join(f'p.{fact}' for fact in kept)}, 1) IS DISTINCT FROM ({', '.join(kept.values())}, 1)",
            [now],
        )
        changed = int(cursor.rowcount)
        cursor.execute("DROP TABLE staged_profile")
    return changed


COLUMNS = (
    "id bigint, name text, age_band text, gender text, birth_month smallint, birth_day smallint, province text,"
    " city text, language text, attributes jsonb"
)
MOST_ATTRIBUTES = 64 * 1024  # bytes for one person; a public key could otherwise fill the table through one profile


def update_many(told: dict[int, dict[str, Any]], *, now: datetime) -> int:
    """Change profiles by what is told of each (:data:`FACTS` by name), and return how many are different now."""
    rows = [{"id": profile} | told[profile] for profile in sorted(told)]
    kept = (
        ", ".join(f"coalesce(s.{fact}, p.{fact})" for fact in FACTS[:-1])
        + ", p.attributes || coalesce(s.attributes, '{}')"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH s AS (SELECT * FROM jsonb_to_recordset(%s) AS s ({COLUMNS})),"  # noqa: S608
            " locked AS (SELECT p.id FROM crm_profile p JOIN s USING (id) ORDER BY p.id FOR UPDATE OF p)"
            f" UPDATE crm_profile p SET ({', '.join(FACTS)}, updated_at) = ROW ({kept}, %s)"
            f" FROM s JOIN locked USING (id) WHERE p.id = s.id AND ({', '.join(f'p.{fact}' for fact in FACTS)})"
            f" IS DISTINCT FROM ({kept}) "
            " AND octet_length(p.attributes::text) + coalesce(octet_length(s.attributes::text), 0) < %s",
            [orjson.dumps(rows).decode(), now, MOST_ATTRIBUTES],
        )
        return int(cursor.rowcount)
