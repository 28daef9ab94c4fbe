"""Which leaves a bundle shows, as numbers in a temporary table, so that memory is bounded however many they are.

Shown are what happened in the period and concerns the people and purposes asked for; what is needed to judge it (the
consents that came before, whole threads of them, every notice and purpose); and where only a period is asked for, every
leaf between the first and the last of it, so that an outsider sees that none was left out.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from crm.audit.query import Query
from crm.copying import int_array
from crm.merging import members

BEGINNING, END = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)

TABLE = """
DROP TABLE IF EXISTS pg_temp.crm_audit_shown;
CREATE TEMPORARY TABLE crm_audit_shown (sequence bigint PRIMARY KEY, thread uuid, about integer) ON COMMIT DROP
"""
HAPPENED = """
INSERT INTO crm_audit_shown
SELECT leaf.sequence, event.thread, 1 FROM crm_consentevent event
  JOIN crm_leaf leaf ON leaf.record = event.id AND leaf.sequence < %(size)s
  LEFT JOIN crm_consenteventperson person ON person.event_id = event.id
 WHERE event.received_at >= %(begin)s AND event.received_at < %(end)s
   AND (%(all_purposes)s OR event.purpose = ANY (%(purposes)s))
   AND (%(everybody)s OR person.profile_id = ANY (%(people)s::bigint[]))
UNION ALL
SELECT leaf.sequence, allowing.thread, 1 FROM crm_handoff sent
  JOIN crm_leaf leaf ON leaf.record = sent.id AND leaf.sequence < %(size)s
  LEFT JOIN crm_handoffperson person ON person.hand_off_id = sent.id
  LEFT JOIN crm_consentevent allowing ON allowing.id = sent.allowed_by
 WHERE sent.handed_off_at >= %(begin)s AND sent.handed_off_at < %(end)s
   AND (%(all_purposes)s OR sent.purpose = ANY (%(purposes)s))
   AND (%(everybody)s OR person.profile_id = ANY (%(people)s::bigint[]))
UNION ALL
SELECT leaf.sequence, NULL::uuid, 1 FROM crm_ledgernote note
  JOIN crm_leaf leaf ON leaf.record = note.id AND leaf.sequence < %(size)s
  LEFT JOIN crm_ledgernoteperson person ON person.note_id = note.id
 WHERE note.kind NOT IN ('notice', 'purpose')
   AND note.happened_at >= %(begin)s AND note.happened_at < %(end)s
   AND (%(everybody)s OR person.profile_id = ANY (%(people)s::bigint[]))
"""
RULES = """
INSERT INTO crm_audit_shown
SELECT leaf.sequence, NULL, 0 FROM crm_ledgernote note
  JOIN crm_leaf leaf ON leaf.record = note.id AND leaf.sequence < %(size)s
 WHERE note.kind IN ('notice', 'purpose') ON CONFLICT DO NOTHING
"""
BETWEEN = """
INSERT INTO crm_audit_shown
SELECT leaf.sequence, event.thread, 0 FROM crm_leaf leaf LEFT JOIN crm_consentevent event ON event.id = leaf.record
 WHERE leaf.sequence >= %(first)s AND leaf.sequence < %(last)s ON CONFLICT DO NOTHING
"""
ALLOWING = """
INSERT INTO crm_audit_shown
SELECT DISTINCT leaf.sequence, allowing.thread, 0 FROM crm_audit_shown shown
  JOIN crm_leaf sending ON sending.sequence = shown.sequence AND sending.kind = 'hand_off'
  JOIN crm_handoff sent ON sent.id = sending.record
  JOIN crm_consentevent allowing ON allowing.id = sent.allowed_by
  JOIN crm_leaf leaf ON leaf.record = allowing.id AND leaf.sequence < %(size)s ON CONFLICT DO NOTHING
"""
# Merged profiles are one person: what any of them said of the purpose counts for a send to any other.
EVERYONE = """
INSERT INTO crm_audit_shown
WITH RECURSIVE chain (profile, at) AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias WHERE undone_at IS NULL
    UNION SELECT chain.profile, alias.canonical_id FROM chain
      JOIN crm_profilealias alias ON alias.duplicate_id = chain.at AND alias.undone_at IS NULL
), merged AS (
    SELECT profile, at AS person FROM chain
     WHERE NOT EXISTS (SELECT FROM crm_profilealias WHERE duplicate_id = at AND undone_at IS NULL)
), receivers AS (
    SELECT DISTINCT coalesce(merged.person, receiver.profile_id) AS person, sent.purpose FROM crm_audit_shown shown
      JOIN crm_leaf sending ON sending.sequence = shown.sequence AND sending.kind = 'hand_off'
      JOIN crm_handoff sent ON sent.id = sending.record
      JOIN crm_handoffperson receiver ON receiver.hand_off_id = sent.id
      LEFT JOIN merged ON merged.profile = receiver.profile_id
), everyone AS (
    SELECT person AS profile, purpose FROM receivers
    UNION SELECT merged.profile, purpose FROM receivers JOIN merged USING (person)
)
"""
BEFORE = f"""{EVERYONE}
SELECT leaf.sequence, event.thread, 0 FROM everyone
  JOIN crm_consenteventperson said ON said.profile_id = everyone.profile
  JOIN crm_consentevent event ON event.id = said.event_id AND event.purpose = everyone.purpose
   AND event.received_at < %(end)s
  JOIN crm_leaf leaf ON leaf.record = event.id AND leaf.sequence < %(size)s ON CONFLICT DO NOTHING
"""  # noqa: S608  # nothing but our own words
# What forbids sends to the receivers whatever they said; of those who were erased it is found by their threads.
HINDERED = f"""{EVERYONE}
SELECT leaf.sequence, NULL::uuid, 0 FROM everyone
  JOIN crm_ledgernoteperson about ON about.profile_id = everyone.profile
  JOIN crm_ledgernote note ON note.id = about.note_id AND note.kind IN ('suppression', 'age')
   AND note.happened_at < %(end)s
  JOIN crm_leaf leaf ON leaf.record = note.id AND leaf.sequence < %(size)s
UNION
SELECT leaf.sequence, NULL::uuid, 0 FROM crm_ledgernote note
  JOIN crm_leaf leaf ON leaf.record = note.id AND leaf.sequence < %(size)s
 WHERE note.kind IN ('suppression', 'age') AND note.happened_at < %(end)s
   AND NOT EXISTS (SELECT FROM crm_ledgernoteperson WHERE note_id = note.id)
   AND EXISTS (SELECT FROM jsonb_array_elements(note.facts_json::jsonb -> 'threads') AS told
        JOIN crm_audit_shown shown ON shown.thread = (told ->> 1)::uuid)
ON CONFLICT DO NOTHING
"""  # noqa: S608  # nothing but our own words
# A thread is shown whole up to the end of the period, and always from its first event on.
THREADS = """
INSERT INTO crm_audit_shown
SELECT DISTINCT leaf.sequence, event.thread, 0 FROM (SELECT DISTINCT thread FROM crm_audit_shown) shown
  JOIN crm_consentevent event ON event.thread = shown.thread
  JOIN crm_leaf leaf ON leaf.record = event.id AND leaf.sequence < %(size)s
 WHERE event.received_at < %(end)s OR event.id = event.thread ON CONFLICT DO NOTHING
"""
SPAN = """
SELECT min(leaf.sequence), max(leaf.sequence) + 1 FROM crm_audit_shown shown
  JOIN crm_leaf leaf USING (sequence)
  LEFT JOIN crm_consentevent event ON event.id = leaf.record
  LEFT JOIN crm_handoff sent ON sent.id = leaf.record
  LEFT JOIN crm_ledgernote note ON note.id = leaf.record
 WHERE shown.about = 1 AND coalesce(event.recorded_at, sent.recorded_at, note.recorded_at) >= %(begin)s
   AND coalesce(event.recorded_at, sent.recorded_at, note.recorded_at) < %(end)s
"""


def select(query: Query) -> tuple[int, int] | None:
    """Fill the table of leaves to be shown, and return the span of which all are; in a transaction."""
    facts = parameters(query)
    with connection.cursor() as cursor:
        cursor.execute(TABLE)
        cursor.execute(HAPPENED, facts)
        span = None
        if not (query.purposes or query.people):
            cursor.execute(SPAN, facts)
            first, last = cursor.fetchone()
            if first is not None:
                span = (first, last)
                cursor.execute(BETWEEN, {"first": first, "last": last})
        for step in (RULES, ALLOWING, BEFORE, THREADS, HINDERED):
            cursor.execute(step, facts)
        cursor.execute("ANALYZE crm_audit_shown")
    return span


def count(query: Query) -> int:
    """Return how many leaves are to be shown."""
    if query.is_whole:
        return query.size
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM crm_audit_shown")
        return int(cursor.fetchone()[0])


def parameters(query: Query) -> dict[str, Any]:
    begin, end = query.moments
    everyone = {same for person in query.people for same in members(person)}
    return {
        "size": query.size,
        "begin": begin or BEGINNING,
        "end": end or END,
        "purposes": list(query.purposes),
        "all_purposes": not query.purposes,
        "people": int_array(everyone),
        "everybody": not query.people,
    }


def numbers(query: Query) -> Iterator[int]:
    """Yield the numbers of the leaves to be shown, from the first on."""
    if query.is_whole:
        yield from range(query.size)
        return
    with connection.chunked_cursor() as cursor:
        cursor.execute("SELECT sequence FROM crm_audit_shown ORDER BY sequence")
        while rows := cursor.fetchmany(5000):
            yield from (sequence for (sequence,) in rows)
