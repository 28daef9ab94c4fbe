"""Which values are usual in a column: what the database's own statistics know, so that no table is read."""

from collections.abc import Mapping

from django.db import connection

from crm.copying import text_array

FEWEST = 20  # people or rows: what few have is nobody's suggestion
MOST = 40
COLUMNS: Mapping[tuple[str, str], str] = {
    ("crm_profile", "city"): "profile.city",
    ("crm_profile", "province"): "profile.province",
    ("crm_profile", "age_band"): "profile.age_band",
    ("crm_profile", "language"): "profile.language",
    ("crm_event", "name"): "event.name",
    ("crm_event", "channel"): "event.channel",
    ("crm_item", "brand"): "event.brand",
    ("crm_item", "categories"): "event.category",
    ("crm_relation", "kind"): "relation.kind",
}
# Of a text its most common values; of an array its most common elements. A partitioned table counts no rows itself.
USUAL = """
SELECT s.tablename, s.attname, v.value
FROM pg_stats s JOIN pg_class c ON c.relname = s.tablename AND c.relnamespace = s.schemaname::regnamespace,
unnest(
    coalesce(s.most_common_elems::text::text[], s.most_common_vals::text::text[]),
    coalesce(s.most_common_elem_freqs, s.most_common_freqs)
) WITH ORDINALITY AS v (value, share, place)
WHERE s.schemaname = current_schema() AND s.tablename = ANY (%s::text[]) AND v.value <> '' AND v.share IS NOT NULL
AND (c.relkind = 'p' OR c.reltuples * v.share >= %s) ORDER BY 1, 2, v.share DESC, 3
"""


def common() -> dict[str, list[str]]:
    """Return the usual values by field, the commonest first; nothing of a table that was never analysed."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(USUAL, [text_array({table for table, _column in COLUMNS}), FEWEST])
        for table, column, value in cursor.fetchall():
            name = COLUMNS.get((table, column))
            if name and len(values := found.setdefault(name, [])) < MOST:
                values.append(value)
    return found
