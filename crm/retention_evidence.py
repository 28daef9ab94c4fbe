"""Evidence that no longer serves: who consented, and to whom messages left, once the time of its purpose is over.

What goes is the personal part, with its salt: the link from a leaf of the ledger to a person. The leaf stays, and says
nothing of anybody (as after an erasure). Each row is kept as long as its own purpose says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from crm.copying import int_array, text_array
from crm.merging import MERGE_LOCK
from crm.models import Profile, Purpose
from crm.retention_stores import BATCH, Count, Gone, Limits

GRANTS = ("given", "renewed")

HAND_OFFS = """
FROM crm_handoffperson AS person JOIN crm_handoff ON crm_handoff.id = person.hand_off_id
WHERE crm_handoff.purpose = %(code)s AND crm_handoff.handed_off_at < %(cutoff)s
"""
DELETE_HAND_OFFS = f"""
DELETE FROM crm_handoffperson WHERE hand_off_id IN (
    SELECT person.hand_off_id {HAND_OFFS} AND person.profile_id <> ALL (%(people)s::bigint[]) LIMIT %(batch)s
)
"""  # noqa: S608 (a text of ours)

# Whole people at a time, and only who has nothing in force for the purpose on any channel: the refusal of one channel
# must outlive the consent for all of them. A consent without an end is never over. Merged people keep theirs: what one
# profile refused may stand against what the other allowed.
OVER = """
SELECT profile_id FROM crm_consentstate WHERE purpose = %(code)s AND profile_id > %(after)s
AND profile_id NOT IN (
    SELECT unnest(ARRAY[duplicate_id, canonical_id]) FROM crm_profilealias WHERE undone_at IS NULL
)
GROUP BY profile_id
HAVING max(greatest(received_at, counts_from, valid_until, cooldown_until)) < %(cutoff)s
AND bool_and(state <> ALL (%(grants)s::text[]) OR valid_until IS NOT NULL)
ORDER BY profile_id LIMIT %(batch)s
"""
DELETE_CONSENTS = """
DELETE FROM crm_consenteventperson AS person USING crm_consentevent
WHERE crm_consentevent.id = person.event_id AND crm_consentevent.purpose = %s AND person.profile_id = ANY (%s::bigint[])
"""
DELETE_STATES = "DELETE FROM crm_consentstate WHERE purpose = %s AND profile_id = ANY (%s::bigint[])"


@dataclass(frozen=True, kw_only=True)
class HandOffs:
    """To whom hand-offs went, by the time of the hand-off."""

    def count(self, limits: Limits) -> Count:
        due = held = 0
        with connection.cursor() as cursor:
            for named in _purposes(limits):
                cursor.execute(
                    "SELECT count(*), count(*) FILTER (WHERE person.profile_id = ANY (%(people)s::bigint[]))"
                    + HAND_OFFS,
                    named,
                )
                rows, kept = cursor.fetchone()
                due, held = due + rows - kept, held + kept
        return Count(due=due, held=held)

    def delete(self, limits: Limits) -> Gone:
        gone = 0
        with connection.cursor() as cursor:
            for named in _purposes(limits):
                cursor.execute(DELETE_HAND_OFFS, named)
                while cursor.rowcount:
                    gone += cursor.rowcount
                    cursor.execute(DELETE_HAND_OFFS, named)
        return Gone(rows=gone)


@dataclass(frozen=True, kw_only=True)
class Consents:
    """What people answered for a purpose, once nothing of it is in force; counted by people and purposes.

    Only where the purpose rests on consent: an objection to a legitimate interest is kept for as long as the person is,
    since without it we would begin again. Without an answer, consent is missing, and nothing is allowed.
    """

    def count(self, limits: Limits) -> Count:
        due = held = 0
        for named in _purposes(limits, basis=Purpose.Basis.CONSENT):
            for people in _over(named):
                kept = len(set(people) & set(limits.people))
                due, held = due + len(people) - kept, held + kept
        return Count(due=due, held=held)

    def delete(self, limits: Limits) -> Gone:
        gone = 0
        for named in _purposes(limits, basis=Purpose.Basis.CONSENT):
            for people in _over(named):
                gone += _forget_consents(named, set(people) - set(limits.people))
        return Gone(rows=gone)


def _forget_consents(named: dict[str, Any], people: set[int]) -> int:
    """Delete the answers of people, unless they have answered anew meanwhile."""
    with transaction.atomic():
        # Whoever writes a consent or a hand-off locks the person, and whoever merges two takes the lock of merges.
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MERGE_LOCK])
        list(Profile.objects.select_for_update(no_key=True).filter(pk__in=people).order_by("pk").values_list("pk"))
        still = people.intersection(_page(named | {"after": min(people, default=1) - 1}))
        with connection.cursor() as cursor:
            cursor.execute(DELETE_CONSENTS, [named["code"], int_array(still)])
            cursor.execute(DELETE_STATES, [named["code"], int_array(still)])
    return len(still)


def _over(named: dict[str, Any]) -> Iterator[list[int]]:
    after = 0
    while people := _page(named | {"after": after}):
        yield people
        after = people[-1]


def _page(named: dict[str, Any]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(OVER, named)
        return [profile for (profile,) in cursor.fetchall()]


def _purposes(limits: Limits, **only: str) -> Iterator[dict[str, Any]]:
    """Yield what a query asks for each purpose: its code, and what is older than it allows."""
    for code in Purpose.objects.filter(**only).order_by("code").values_list("code", flat=True):
        keep = limits.keeps.get(code)
        cutoff: datetime = limits.cutoff if keep is None else limits.now - keep
        yield {
            "code": code,
            "cutoff": cutoff,
            "people": int_array(limits.people),
            "grants": text_array(GRANTS),
            "batch": BATCH,
        }
