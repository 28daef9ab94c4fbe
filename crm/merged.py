"""Who is meant by the id in an address, now that profiles may have been merged.

One query, where the general questions of ``crm.merging`` would take more: every address below a profile asks it.
"""

from dataclasses import dataclass

from django.db import connection

from crm.prepared import Prepared

# Up the merges to the profile that was kept, then down to all that were merged into it. A profile that does not
# exist has no rows here; UNION (not UNION ALL) ends even a circle, which no constraint can forbid.
FOLLOW = Prepared(
    """
WITH RECURSIVE
up (id) AS (
    SELECT id FROM crm_profile WHERE id = %(profile)s
    UNION
    SELECT merge.canonical_id FROM up
    JOIN crm_profilealias AS merge ON merge.duplicate_id = up.id AND merge.undone_at IS NULL
),
kept (id) AS (
    SELECT id FROM up WHERE NOT EXISTS (
        SELECT FROM crm_profilealias AS merge WHERE merge.duplicate_id = up.id AND merge.undone_at IS NULL
    )
),
down (id) AS (
    SELECT id FROM kept
    UNION
    SELECT merge.duplicate_id FROM down
    JOIN crm_profilealias AS merge ON merge.canonical_id = down.id AND merge.undone_at IS NULL
)
SELECT kept.id, (SELECT array_agg(down.id ORDER BY down.id) FROM down),
       EXISTS (SELECT FROM down JOIN crm_profile USING (id) WHERE restricted_at IS NOT NULL)
FROM kept
""",
    {"profile": "bigint"},
)


@dataclass(frozen=True, kw_only=True)
class Person:
    """One person: the profile that was kept, and every profile that is read as it (with itself)."""

    id: int
    profile_ids: tuple[int, ...]
    restricted: bool = False  # any of the profiles: then nothing is read but by whoever works on a request


def person(profile_id: int) -> Person | None:
    """Return who is meant by the id, or ``None`` where there is no such profile; one query."""
    with connection.cursor() as cursor:
        FOLLOW.ask(cursor, {"profile": profile_id})
        row = cursor.fetchone()
    return Person(id=row[0], profile_ids=tuple(row[1]), restricted=row[2]) if row else None
