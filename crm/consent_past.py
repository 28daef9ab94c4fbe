"""What was known of a person's consents at any moment of the past, from what had been received by then."""

from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import QuerySet

from crm.consent_basis import question_of
from crm.consent_rules import Basis, Held, Person, decide
from crm.consent_states import folded
from crm.merging import members
from crm.models import ConsentEvent, Purpose

MEMBERS_AT = """
WITH RECURSIVE merge AS (
    SELECT duplicate_id, canonical_id FROM crm_profilealias
    WHERE merged_at <= %(at)s AND (undone_at IS NULL OR undone_at > %(at)s)
),
up (id) AS (
    SELECT %(profile)s::bigint UNION SELECT merge.canonical_id FROM up JOIN merge ON merge.duplicate_id = up.id
),
person (id) AS (
    SELECT id FROM up UNION SELECT merge.duplicate_id FROM person JOIN merge ON merge.canonical_id = person.id
)
SELECT id FROM person
"""


class Stood(NamedTuple):
    """How one purpose and channel stood: the event that counted, and whether it allowed anything then."""

    held: Held
    basis: Basis


def history(profile: int) -> QuerySet[ConsentEvent]:
    """Return everything that a person said, under all of her profiles, in the order in which it was received."""
    return ConsentEvent.objects.of(members(profile)).select_related("person", "purpose")


def members_at(profile: int, at: datetime) -> set[int]:
    """Return the profiles that were read as the same person at a moment."""
    with connection.cursor() as cursor:
        cursor.execute(MEMBERS_AT, {"profile": profile, "at": at})
        return {row[0] for row in cursor.fetchall()}


def state_at(profile: int, at: datetime) -> dict[tuple[str, str], Stood]:
    """Return how each purpose and channel on which the person had said something stood, as it was known at ``at``.

    What was received later counts for nothing, whatever time it claims; merges, notices and expiry are those of the
    moment too. Purposes are as they are now, and what is no consent (age, restriction) is not looked at.
    """
    events = ConsentEvent.objects.of(members_at(profile, at)).known_by(at).select_related("person")
    counted: dict[tuple[str, str], Held] = {}
    for (_profile, purpose, channel), held in _by_person(events).items():
        counted[purpose, channel] = held
    purposes = {purpose.code: purpose for purpose in Purpose.objects.filter(code__in={code for code, _ in counted})}
    return {key: Stood(held, _stood(purposes[key[0]], key[1], counted, at)) for key, held in counted.items()}


def _by_person(events: QuerySet[ConsentEvent]) -> dict[tuple[int, str, str], Held]:
    return folded((0, event) for event in events)  # one person, whichever profile said it


def _stood(purpose: Purpose, channel: str, counted: dict[tuple[str, str], Held], at: datetime) -> Basis:
    own, every = (counted.get((purpose.code, which)) for which in (channel, ""))
    return decide(question_of(purpose, at), Person(age="adult"), own, every if channel else None)
