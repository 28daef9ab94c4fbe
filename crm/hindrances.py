"""What forbids messages to a person whatever she allowed (a suppressed address, being under age), noted in the ledger.

Without these notes an outsider could judge sends by what people said only. A note tells the fact, never the address or
the birth date; whose it is lies apart from it, under a salted commitment, and goes with an erasure. What stays then are
the threads of consent that it was about, which name nobody: sends to her are still judged by it.

Notes follow the tables that the sender asks (``crm.consent_basis``). A suppression is noted in its own transaction;
everything else (an address that comes back with an import or leaves with a merge, a birthday, a birth date that was
told) by a job every hour, so no hot path pays for it. An address that merely bounced is nobody's wish, and not noted.
"""

import json
from collections.abc import Iterable
from datetime import datetime

from django.db import connection, transaction

from crm import evidence
from crm.canonical import canonical
from crm.copying import int_array
from crm.models import LedgerNote, LedgerNotePerson
from crm.uuid7 import uuid7

BATCH = 1000

# What stands, beside what was noted last: only what differs. ``threads`` are pairs of a marketing purpose and the first
# event of what she said of it.
DIFFERENCES = """
WITH standing (kind, profile, about, facts) AS (
    SELECT 'suppression', held.profile_id, gone.channel, jsonb_build_object('channel', gone.channel, 'stands', true,
        'reason', (array_agg(gone.reason ORDER BY gone.since DESC, gone.reason))[1],
        'since', to_char(max(gone.since) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    FROM crm_suppression gone JOIN crm_identifier held ON held.suppression_key = gone.key
    WHERE gone.reason <> 'bounced' AND (%(everybody)s OR held.profile_id = ANY (%(profiles)s::bigint[]))
    GROUP BY held.profile_id, gone.channel
    UNION ALL
    SELECT 'age', id, '', jsonb_build_object('age', age_class, 'stands', true) FROM crm_profile
    WHERE age_class IN ('child', 'minor') AND (%(everybody)s OR id = ANY (%(profiles)s::bigint[]))
), noted AS (
    SELECT DISTINCT ON (note.reference) note.kind, person.profile_id AS profile, note.reference,
           coalesce(note.facts_json::jsonb ->> 'channel', '') AS about, note.facts_json::jsonb AS facts
    FROM crm_ledgernote note JOIN crm_ledgernoteperson person ON person.note_id = note.id
    WHERE note.kind IN ('suppression', 'age') AND (%(everybody)s OR person.profile_id = ANY (%(profiles)s::bigint[]))
    ORDER BY note.reference, note.recorded_at DESC, note.id DESC
), told AS (
    SELECT kind, profile, about, standing.facts || jsonb_build_object('threads', coalesce((
        SELECT jsonb_agg(DISTINCT jsonb_build_array(event.purpose, event.thread)) FROM crm_consentstate state
        JOIN crm_purpose purpose ON purpose.code = state.purpose AND purpose.kind = 'marketing'
        JOIN crm_consentevent event ON event.id = state.event_id WHERE state.profile_id = standing.profile
    ), '[]')) AS facts FROM standing
)
SELECT kind, profile, noted.reference, coalesce(told.facts, noted.facts || '{"stands": false}')::text
FROM told FULL JOIN noted USING (kind, profile, about)
WHERE told.facts IS DISTINCT FROM noted.facts AND (told.facts IS NOT NULL OR (noted.facts ->> 'stands')::boolean)
ORDER BY kind, profile, about
"""


def note(now: datetime, profiles: Iterable[int] | None = None) -> int:
    """Note what has come or gone for these profiles, or for everybody; return how many notes that took."""
    asked: dict[str, bool | str] = {"everybody": profiles is None, "profiles": int_array(profiles or ())}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(DIFFERENCES, asked)
        rows = cursor.fetchall()
        for start in range(0, len(rows), BATCH):
            persons = [_made(*row, now=now) for row in rows[start : start + BATCH]]
            evidence.append([person.note for person in persons], persons)
    return len(rows)


def _made(kind: str, profile: int, chain: str | None, facts: str, *, now: datetime) -> LedgerNotePerson:
    """Return a note by way of whose it is; the notes of one hindrance are found by the id of the first."""
    key = uuid7(now)
    told = canonical(json.loads(facts)).decode()
    made = LedgerNote(pk=key, kind=kind, reference=chain or str(key), facts_json=told, happened_at=now, recorded_at=now)
    person = LedgerNotePerson(note=made, profile_id=profile)
    made.commitment = person.commit()
    return person
